"""The types that rooms share: what a policy, a world and a decision are.

Shapes: K candidates, d features, n lanes. A *lane* is one user in one replicate and is always the last axis.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

F64: TypeAlias = NDArray[np.float64]
I64: TypeAlias = NDArray[np.int64]
U64: TypeAlias = NDArray[np.uint64]
Bool: TypeAlias = NDArray[np.bool_]

REACTIONS = ("dismiss", "not_helpful", "snooze", "helpful", "done")
"""The ladder of reactions, worst first; a reaction's code is its place here."""
REWARDS = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""The reward of each reaction, in the order of `REACTIONS`."""
NO_REACTION = len(REACTIONS)
"""The code of a decision that drew no reaction: nothing is learned from it."""

MIN_LANES = 2
"""No policy is called with fewer lanes: NumPy rounds a reduction over one lane differently than over many."""
MAX_CANDIDATES = 64
"""The most candidates that a scenario may offer in one decision."""
MIN_PRIOR = 1e-4
"""The smallest ridge prior: below it the Sherman-Morrison inverse does not stay accurate."""


class Candidates(NamedTuple):
    """The raw columns of what is offered, before any feature map.

    Float columns hold 0.0 or 1.0 for what is true or false, so that kernels need no narrow types.
    """

    is_overdue: F64  # (K, n)
    task_age_days: F64  # (K, n), days since the due date, negative before it
    priority: F64  # (K, n), 1 to 4, 4 the most urgent
    is_llm: F64  # (K, n)
    hour: I64  # (n,), 0 to 23
    day: I64  # (n,), 0 to 6
    mask: Bool  # (K, n), False where no candidate stands; those that stand come first
    serial: I64  # (K, n), the task's serial number, -1 for a tip about no task
    truth: F64 | None = None  # (K, n), true expected rewards, which only worlds can fill
    vectors: F64 | None = None  # (K, d, n), where the world offers vectors rather than tips


class FeatureMap(NamedTuple):
    """A named map from raw columns to feature vectors: `encode(candidates, out)` fills `out` (K, d, n)."""

    name: str
    names: tuple[str, ...]
    encode: Callable[[Candidates, F64], None]

    @property
    def d(self) -> int:
        """The number of features."""
        return len(self.names)


class Batch(NamedTuple):
    """What a policy sees when it scores: x (K, d, n), mask (K, n), t (n,), the lanes' own decision numbers.

    The arrays are used again in the next round: copy what you keep.
    """

    x: F64
    mask: Bool
    t: I64


class Probs(NamedTuple):
    """Choice probabilities (K, n): `total`, and `explored`, the part of it that is exploration.

    A column of `total` sums to 1, masked candidates have 0, and 0 <= explored <= total.
    """

    total: F64
    explored: F64


class Learning(NamedTuple):
    """One reward per lane to learn from, where `learn` is true.

    `tick` is true in the one call a round in which time moves on, and false for further rewards of that round.
    Where a reward names no decision, `t_decided` is `t_now`, the latest decision's number: -1 before the first.
    The arrays are used again in the next round: copy what you keep.
    """

    x: F64  # (d, n), the features of the decision that the reward belongs to
    reward: F64  # (n,)
    learn: Bool  # (n,)
    t_decided: I64  # (n,)
    t_now: I64  # (n,)
    tick: bool = True


class Learned(NamedTuple):
    """What a policy learned in a step, and the reactions (n,) behind it, as codes."""

    learning: Learning
    reaction: I64


State: TypeAlias = Any
"""A policy's or world's state: a NamedTuple of arrays whose last axis is the lane."""


class LaneForm(NamedTuple):
    """A policy in words that compiled tiles know (`kernels.tile`): what it scores by, how it chooses, what it learns.

    `start` (rows,) is one user's state before the first decision, in the tile's order; `p` are the numbers that scores
    and choices depend on, `samples` how many samples of the posterior, and `period` how long an epoch is.
    """

    score: str
    explore: str
    learn: str
    start: F64
    p: tuple[float, ...] = ()
    samples: int = 1
    period: int = 1
    of: tuple[Any, ...] = ()  # the policy's functions that this describes: see `Policy.sealed`


class Policy(NamedTuple):
    """A policy is a record of pure functions over batched state; it draws nothing by itself.

        init(n) -> state             a fresh state for n lanes (at least 2): arrays in NamedTuples, the lane last
        score(state, batch, noise)   -> (K, n) float64, finite where `batch.mask` is True; higher is better
        probs(scores, batch)         -> Probs, from the scores alone; the one place that says how likely each one is
        update(state, learning, noise) -> state, after each round and each further reward that arrives in it

    What a lane gets depends on that lane alone: lanes stand in any order and number. `name` and `parameters` (plain
    numbers and text) say what it is; `features` fills x. `noise` says how many uniforms `score` and `update` get.
    `score` and `update` get the uniforms they ask for in `noise`, as an array (count, n). `update` alone may reuse
    its state's memory. `parameters` are what a reader needs to build the policy again. `propensities` is False
    where the probabilities drawn from are one random realisation, so that the propensity is not known.
    `explores` is True where a part of each candidate's probability is exploration, as `Probs.explored` says; where it
    is False, that part is 0, and the log's column `explored` is null.
    `lanes`, where given, describes the same policy to compiled tiles, which play it to the same bits; without it, and
    where a function is not the one that was described, the loop is interpreted.
    """

    name: str
    features: FeatureMap
    init: Callable[[int], State]
    score: Callable[[State, Batch, F64], F64]
    probs: Callable[[F64, Batch], Probs]
    update: Callable[[State, Learning, F64], State]
    noise: tuple[int, int] = (0, 0)
    parameters: Mapping[str, float | int | str] = {}
    propensities: bool = True
    explores: bool = False
    lanes: LaneForm | None = None

    @property
    def functions(self) -> tuple[Any, ...]:
        """All that decides what the policy does."""
        return self.features, self.init, self.score, self.probs, self.update

    def sealed(self) -> Policy:
        """The same policy, whose `lanes` hold for these functions and no others."""
        return self if self.lanes is None else self._replace(lanes=self.lanes._replace(of=self.functions))


class Decision(NamedTuple):
    """What was chosen in each lane, and how it came about."""

    x: F64  # (K, d, n), the features as used
    probs: F64  # (K, n)
    chosen: I64  # (n,)
    propensity: F64  # (n,), the probability that the chosen one was drawn with
    score: F64  # (n,), the chosen one's score
    explored: Bool  # (n,)


class Draws(Protocol):
    """Addressed uniforms of a set of lanes: the same address gives the same numbers, in any order, anywhere."""

    def uniforms(self, purpose: np.uint64, t: I64, count: int) -> F64:
        """Uniforms in [0, 1) of shape (count, n) for the lanes' rounds `t` (n,)."""


class Lanes(NamedTuple):
    """The users of a block: 64-bit hashes of their ids, their serial numbers, and the key of their draws."""

    users: U64  # (n,)
    first: int  # serial number of the first user in the population
    seed: int
    replicate: int

    @property
    def n(self) -> int:
        """The number of lanes."""
        return len(self.users)


class Offer(NamedTuple):
    """What a world offers in a round, with the truth that no policy but the oracle sees."""

    candidates: Candidates
    expected: F64  # (K, n), true expected rewards; 0 where masked
    best: F64  # (n,), the largest expected reward among those offered
    active: Bool | None = None  # (n,), False for users who have not come yet or have left; None: all are there
    writer: I64 | None = None  # (n,), which model wrote the tips, -1 where there are none; None: they have no texts


class Response(NamedTuple):
    """How users reacted. `reaction` is a code of `REACTIONS` or `NO_REACTION`, and -1 in a world without them."""

    reaction: I64  # (n,)
    reward: F64  # (n,)
    learn: Bool  # (n,), False where there is nothing to learn


class Feedback(NamedTuple):
    """How users report: how late, within a window, and with which probability a reaction is not reported at all.

    `delays` turns uniforms (n,) into delays (n,) in rounds. A reward that has not arrived `window` rounds after its
    decision is lost; those pending take 8 (window + 1) (d + 5) bytes a lane.
    """

    delays: Callable[[F64, I64], None] | None
    window: int
    missing: float  # of any reaction
    missing_by_reaction: F64  # (6,), by reaction code
    missing_by_source: F64  # (2,), of tasks, of LLM tips
    kind: str = "a delay of its own"  # for compiled tiles, which know some delays by name
    numbers: tuple[float, float] = (0.0, 0.0)  # and by these numbers


class Tiles(NamedTuple):
    """A world for compiled tiles (`kernels.tile`): which code it has, its users and numbers, and the world's functions
    that all this stands for."""

    scene: Any
    make: Callable[[Lanes], Any]
    of: tuple[Any, ...]


class World(NamedTuple):
    """Where policies live: it offers candidates and answers choices, by pure functions over batched state. Rounds are
    observed in order; observing one again offers the same and changes nothing. Time moves on in `respond`.

        init(lanes) -> state              who the users are
        observe(state, t) -> Offer        what is on offer in round t (from 0), with the truth; it changes nothing
        respond(state, t, decision) -> (Response, state)

    `features` are the maps that it can fill; `default_features` replaces a policy's own default where set.
    `own_trajectory` is True where what is offered depends on what was served before: then regret is measured against
    the best offered on this policy's own way, and reward, not regret, compares policies. `segment_of` says which of
    `segments` each user belongs to. Rewards are summed as whole multiples of 1 / `scale`, a power of two.
    """

    name: str
    arms: int
    features: Mapping[str, FeatureMap]
    default_features: str | None
    own_trajectory: bool
    has_reactions: bool
    init: Callable[[Lanes], State]
    observe: Callable[[State, int], Offer]
    respond: Callable[[State, int, Decision], tuple[Response, State]]
    segments: tuple[str, ...] = ()
    segment_of: Callable[[Lanes], I64] | None = None
    scale: float = 2.0**36
    tile: Tiles | str = "a world of one's own"  # for compiled tiles, or why there are none
    feedback: Feedback | None = None  # None: every reaction arrives at once
