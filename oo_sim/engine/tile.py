"""From a world and a policy to compiled tiles, where both describe themselves to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from oo_sim.contract import I64, MIN_LANES, Lanes, Policy, Tiles, World
from oo_sim.features import CANDIDATE_TERMS, CLOCK_TERMS, terms
from oo_sim.kernels import tile
from oo_sim.kernels.compile import is_kept
from oo_sim.kernels.tally import SUMS, TOTALS
from oo_sim.kernels.tile_policy import LANES

_AT_ONCE = 4_000_000  # decisions, a quarter of a second's work, after which progress is reported

_SCORES = ("nothing", "truth", "mean", "upper confidence", "sample")
_EXPLORERS = ("greedy", "epsilon", "softmax", "inverse gap", "shares", "even")
_LESSONS = ("nothing", "ridge", "laplace", "restart")
_TERMS = {
    **{name: tile.CLOCK_TERM + j for j, name in enumerate(CLOCK_TERMS)},
    **{name: tile.CANDIDATE_TERM + j for j, name in enumerate(CANDIDATE_TERMS)},
    **{
        f"{c}*{a}": tile.PRODUCT_TERM + 4 * i + j
        for i, c in enumerate(CLOCK_TERMS)
        for j, a in enumerate(CANDIDATE_TERMS)
    },
    "expected_reward": tile.TRUTH_TERM,
    "vector": tile.VECTOR_TERM,
}
"""Each feature by the number that tiles know it by."""


LEAST = 400_000
"""Decisions from which on compiled tiles pay: fewer take less time than it takes to load them."""
LEAST_COMPILED = 200_000_000
"""And from which on it pays to compile them, once on a machine: half a minute."""


def interpreted(world: World, policy: Policy, decisions: int) -> str | None:
    """Why the loop is interpreted in a run of so many decisions; None where tiles play it."""
    tiles, form = world.tile, policy.lanes
    reasons = (
        (isinstance(tiles, str), str(tiles)),
        (isinstance(tiles, Tiles) and tiles.of != (world.observe, world.respond), "the world has functions of its own"),
        (world.feedback is not None, "rewards come late or not at all"),
        (form is None or form.of != policy.functions, "the policy does not describe itself to tiles"),
        (terms(policy.features) is None, f"features {policy.features.name} are not built in"),
        (decisions < LEAST, f"fewer than {LEAST} decisions"),
        (decisions < LEAST_COMPILED and not _compiled(), "tiles are not compiled yet; oo-sim bench compiles them"),
        (not hasattr(tile.play, "signatures"), "compilation is switched off"),
    )
    return next((why for holds, why in reasons if holds), None)


def _compiled() -> bool:
    return bool(getattr(tile.play, "signatures", None)) or is_kept("tile", "play")


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
) -> tuple[I64, I64]:
    """The sums and totals of `engine.run.loop`, to the bit, where nothing has to be `interpreted`. `ticked` hears of as
    many rounds as would be over if all users were at work at once. Raises NotFiniteError."""
    assert isinstance(world.tile, Tiles)
    users, linear = world.tile.make(lanes)
    described = _described(policy)
    marks, sums = np.array(checkpoints, np.int64), np.zeros((rounds, len(SUMS)), np.int64)
    totals = np.empty((len(checkpoints), len(TOTALS), count), np.int64)
    step, over = max(1, _AT_ONCE // (LANES * rounds)) * LANES, 0
    for first in range(0, count, step):
        last = min(first + step, count)
        draws = (lanes.users, np.uint64(lanes.seed), np.uint64(lanes.replicate))
        if tile.play(users, linear, described, *draws, first, last, world.scale, marks, sums, totals):
            raise NotFiniteError
        if ticked is not None:
            over, before = rounds * last // count, over
            for t in range(before, over):
                ticked(t + 1)
    return sums, totals


def _described(policy: Policy) -> tile.PolicyTile:
    form, names = policy.lanes, terms(policy.features)
    assert form is not None
    assert names is not None
    p = np.zeros(4)
    p[: len(form.p)] = form.p
    return tile.PolicyTile(
        _SCORES.index(form.score),
        _EXPLORERS.index(form.explore),
        _LESSONS.index(form.learn),
        np.array([_TERMS[name] for name in names], np.int64),
        form.start,
        p,
        form.samples,
        form.period,
    )
