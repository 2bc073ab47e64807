"""From a world and a policy to compiled tiles, where both describe themselves to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from oo_sim.contract import F64, I64, MIN_LANES, Feedback, LaneForm, Lanes, Policy, Tiles, World
from oo_sim.engine.memory import Memory
from oo_sim.features import terms
from oo_sim.kernels.compile import is_compiling
from oo_sim.kernels.tally import SUMS, TOTALS
from oo_sim.kernels.tile import instances, numbers
from oo_sim.kernels.tile.writing import DELAYS, LANES, Form

_AT_ONCE = 1_000_000  # decisions, after which progress is reported and Ctrl-C is noticed: less than a second's work

LEAST = 400_000
"""Decisions from which on compiled tiles pay: fewer take less time than it takes to load them."""
LEAST_COMPILED = 50_000_000
"""And from which on it pays to compile an instance, once on a machine: about ten seconds."""


def interpreted(world: World, policy: Policy, decisions: int) -> str | None:
    """Why the loop is interpreted in a run of so many decisions; None where tiles play it."""
    return next(_reasons(world, policy, decisions), None)


def _reasons(world: World, policy: Policy, decisions: int) -> Iterator[str]:
    tiles, form = world.tile, policy.lanes
    if isinstance(tiles, str):
        yield tiles
    if isinstance(tiles, Tiles) and tiles.of != (world.observe, world.respond):
        yield "the world has functions of its own"
    if world.feedback is not None and world.feedback.kind not in DELAYS:
        yield "rewards come late in a way of their own"
    if form is None or form.of != policy.functions:
        yield "the policy does not describe itself to tiles"
    if terms(policy.features) is None:
        yield f"features {policy.features.name} are not built in"
    if decisions < LEAST:
        yield f"fewer than {LEAST} decisions"
    if not is_compiling():
        yield "compilation is switched off"
    if decisions < LEAST_COMPILED and not _ready(world, policy):
        yield "tiles are not compiled for it yet; oo-sim bench compiles some"


def _form(world: World, policy: Policy) -> Form | None:
    """What decides which code plays the policy in the world; None where one of them does not say."""
    names, form = terms(policy.features), policy.lanes
    if names is None or form is None or not isinstance(world.tile, Tiles):
        return None
    late = "" if world.feedback is None else world.feedback.kind
    return Form(world.tile.scene, names, form.score, form.explore, form.learn, len(form.start), late)


def _ready(world: World, policy: Policy) -> bool:
    form = _form(world, policy)
    return form is not None and instances.is_ready(form)


def compiles(world: World, policy: Policy, decisions: int) -> bool:
    """Whether a run of so many decisions compiles an instance first."""
    return interpreted(world, policy, decisions) is None and not _ready(world, policy)


def compile_for(world: World, policy: Policy, decisions: int = LEAST_COMPILED) -> None:
    """Compile or load what would play tiles in a run of so many decisions, where tiles would play it."""
    if interpreted(world, policy, decisions) is None:
        played(world, policy, Lanes(np.zeros(MIN_LANES, np.uint64), 0, 0, 0), 1, 1, [1])


class NotFiniteError(Exception):
    """A score was not finite: the loop is to say whose, and when."""


def played(
    world: World,
    policy: Policy,
    lanes: Lanes,
    count: int,
    rounds: int,
    checkpoints: Sequence[int],
    ticked: Callable[[int], None] | None = None,
    begin: Memory | None = None,
    remembers: bool = False,
) -> tuple[I64, I64, I64 | None]:
    """The sums and totals of `engine.run.loop`, to the bit, where nothing has to be `interpreted`, and what users
    remember. `ticked` is called with as many rounds as would be over if all users were at work at once.
    Raises NotFiniteError."""
    form = _form(world, policy)
    assert form is not None
    assert isinstance(world.tile, Tiles)
    assert policy.lanes is not None
    play, users = instances.play(form), world.tile.make(lanes)
    P = numbers.packed(users.numbers | _numbers(policy.lanes) | _feedback(world.feedback) | {"scale": world.scale})
    given = (lanes.users, users.who, P, users.days, users.cdf, users.changes, policy.lanes.start)
    start = begin.rounds if begin else 0
    words = np.zeros((rows(world, policy) if begin or remembers else 0, count), np.int64)
    words[:] = begin.words if begin else 0
    stretch = np.array([start, remembers, bool(begin)], np.int64)
    rounds -= start
    marks, sums = np.array(checkpoints, np.int64), np.zeros((rounds, len(SUMS)), np.int64)
    totals = np.empty((len(checkpoints), len(TOTALS), count), np.int64)
    step, over = max(1, _AT_ONCE // (LANES * rounds)) * LANES, 0
    for first in range(0, count, step):
        last = min(first + step, count)
        key = np.uint64(lanes.seed), np.uint64(lanes.replicate)
        if play(*given, *key, first, last, stretch, words, marks, sums, totals):
            raise NotFiniteError
        if ticked is not None:
            over, before = rounds * last // count, over
            for t in range(before, over):
                ticked(t + 1)
    return sums, totals, words if remembers else None


def rows(world: World, policy: Policy) -> int:
    """How many words tiles remember of a user."""
    form = _form(world, policy)
    assert form is not None
    return instances.words(form, world.feedback.window if world.feedback else 0)


def name(world: World, policy: Policy) -> str:
    """Which instance plays the policy in the world."""
    form = _form(world, policy)
    return "" if form is None else instances.name_of(form)


def _numbers(form: LaneForm) -> dict[str, float | F64]:
    return {"policy": np.array(form.p), "samples": form.samples, "period": form.period}


def _feedback(feedback: Feedback | None) -> dict[str, float | F64]:
    if feedback is None:
        return {}
    return {
        "window": feedback.window,
        "delay": np.array(feedback.numbers),
        "missing": feedback.missing,
        "missing_by_reaction": feedback.missing_by_reaction,
        "missing_by_source": feedback.missing_by_source,
    }
