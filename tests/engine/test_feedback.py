"""Feedback that is late or missing: its frequencies, what is learned when, and the ledger's identity.

Each statistical assertion fails a sound simulator with probability 1e-6.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from oo_sim.contract import F64, I64, NO_REACTION, REACTIONS
from oo_sim.engine import Block, run_policy, simulate
from oo_sim.engine.feedback import Delayed
from oo_sim.engine.run import Tally
from oo_sim.kernels.draws import LaneDraws
from oo_sim.kernels.tally import DECIDED, FATES_AT
from oo_sim.policies import make
from oo_sim.scenario import load, shipped, validate
from oo_sim.worlds import build

from .cases import Watch

SEED, USERS, ROUNDS = 5, 150, 60
WORLD = {
    "kind": "tips",
    "tasks": {"count": 3},
    "tips": {"count": 2},
    "reactions": {"no_reaction": 0.1},
    "segments": [{"name": "all", "preferences": {"priority": 1}}],
}
EVERY_DELAY: dict[str, dict[str, Any]] = {
    "constant": {"constant": 4},
    "geometric": {"geometric": {"mean": 3}},
    "lognormal": {"lognormal": {"median": 5, "sigma": 0.8}},
    "uniform": {"uniform": [2, 9]},
}


def probabilities(name: str, longest: int) -> F64:
    """P(delay = k) for k = 0 .. longest, of the distributions above, by SciPy."""
    k = np.arange(longest + 1)
    if name == "geometric":
        return np.asarray(stats.geom.pmf(k + 1, 1 / (1 + 3)))
    if name == "lognormal":
        edges = stats.lognorm.cdf(np.arange(longest + 2), 0.8, scale=5)
        return np.asarray(np.diff(edges))
    return np.asarray((k == 4) * 1.0 if name == "constant" else ((k >= 2) & (k <= 9)) / 8)


def watched(feedback: dict[str, Any] | None, world: dict[str, Any] | None = None, spec: str = "linucb") -> Watch:
    return played(feedback, world, spec)[1]


def played(
    feedback: dict[str, Any] | None, world: dict[str, Any] | None = None, spec: str = "linucb"
) -> tuple[Tally, Watch]:
    """USERS users for ROUNDS rounds, and all that was decided and learned."""
    base = {"version": 1, "name": "t", "users": 1, "rounds": 1, "policies": ["random"], "world": world or WORLD}
    here, watch = build(validate(base | ({"feedback": feedback} if feedback else {}))), Watch()
    tally = simulate(here, make(spec), Block(0, 0, USERS).lanes(SEED), USERS, ROUNDS, [ROUNDS], observer=watch)
    return tally, watch


def lessons(watch: Watch) -> I64:
    """Rows (lane, decided, learned) of all that was learned, in the order in which it was."""
    rows = [
        np.stack([lanes, each.learning.t_decided[lanes], each.learning.t_now[lanes]])
        for each in watch.lessons
        for lanes in [np.flatnonzero(each.learning.learn)]
    ]
    return np.concatenate(rows, axis=1).T


@pytest.mark.parametrize("name", EVERY_DELAY)
def test_delays_have_their_distribution(name: str) -> None:
    """Chi-squared over delays up to 15 rounds, and longer ones, of the decisions that were answered at all.

    Who answers does not depend on what was chosen, so that a run without delay knows it.
    """
    longest, last = 15, ROUNDS - 16
    seen = lessons(watched({"delay": EVERY_DELAY[name], "window": 40}))
    seen = seen[seen[:, 1] <= last]
    answered = int((lessons(watched(None))[:, 1] <= last).sum())
    delays = seen[:, 2] - seen[:, 1]
    counts = np.bincount(np.minimum(delays, longest + 1), minlength=longest + 2)
    counts[-1] = answered - counts[:-1].sum()
    p = probabilities(name, longest)
    p = np.append(p, 1 - p.sum())
    possible = p > 1e-9
    assert counts[~possible].sum() == 0
    assert name == "constant" or stats.chisquare(counts[possible], answered * p[possible]).pvalue > 1e-6


def test_a_longer_delay_than_the_window_is_lost() -> None:
    """Geometric with mean 3 passes a window of 2 with probability (3/4)^3; binomial."""
    tally, watch = played({"delay": EVERY_DELAY["geometric"], "window": 2})
    seen = lessons(watch)
    assert (seen[:, 2] - seen[:, 1]).max() == 2
    expired = int(tally.sums[:, FATES_AT + 1].sum())
    told = int((seen[:, 1] < ROUNDS - 3).sum())  # of decisions of which all is known at the end
    assert stats.binomtest(expired, told + expired, 0.75**3).pvalue > 1e-6


@pytest.mark.parametrize("delay", EVERY_DELAY.values(), ids=EVERY_DELAY)
def test_rewards_are_learned_on_arrival_with_their_own_features(delay: dict[str, Any]) -> None:
    """Once each, oldest first, with the decision's x and reaction, and time moves on once a round."""
    watch = watched({"delay": delay, "window": 12}, spec="egreedy")
    seen = lessons(watch)
    assert len({(lane, t) for lane, t, _ in seen.tolist()}) == len(seen)
    for lane in range(0, USERS, 10):
        own = seen[seen[:, 0] == lane]
        assert own.tolist() == sorted(own.tolist(), key=lambda row: (row[2], row[1]))
    for each in watch.lessons:
        given = each.learning
        for i in np.flatnonzero(given.learn):
            np.testing.assert_array_equal(given.x[:, i], watch.rows[given.t_decided[i]].x[:, i])
            assert given.reward[i] == (-1, -0.5, 0, 0.5, 1)[each.reaction[i]]
    ticks = [each.learning.t_now[0] for each in watch.lessons if each.learning.tick]
    assert ticks == list(range(ROUNDS))


def test_without_delay_and_missing_feedback_is_as_if_there_were_no_section() -> None:
    plain, other, late = played(None), played({"missing": {}}), played({"delay": {"constant": 0}})
    for each in (other, late):
        np.testing.assert_array_equal(each[0].sums, plain[0].sums)
        np.testing.assert_array_equal(lessons(each[1]), lessons(plain[1]))


def test_reactions_go_missing_by_rate_by_what_they_are_and_by_source() -> None:
    """P(reported) = (1 - rate)(1 - by_reaction)(1 - by_source): a binomial test in each of ten cells.

    What reactions were, a run of the same random policy tells that reports all of them.
    """
    rate, by_reaction, by_source = 0.1, {"dismiss": 0.6, "done": 0.3}, {"llm": 0.4}
    missing = {"rate": rate, "by_reaction": by_reaction, "by_source": by_source}
    full, partial = watched(None, spec="random"), watched({"missing": missing}, spec="random")
    tips_from = WORLD["tasks"]["count"]  # type: ignore[index]
    cells: dict[tuple[str, bool], list[int]] = {}
    for row, told, part in zip(full.rows, full.lessons, partial.lessons, strict=True):
        assert not (part.learning.learn & ~told.learning.learn).any()
        for i in np.flatnonzero(told.reaction < NO_REACTION):
            cell = cells.setdefault((REACTIONS[told.reaction[i]], bool(row.decision.chosen[i] >= tips_from)), [0, 0])
            cell[int(part.learning.learn[i])] += 1
    assert len(cells) == 10
    for (reaction, is_llm), (gone, heard) in cells.items():
        reported = (1 - rate) * (1 - by_reaction.get(reaction, 0)) * (1 - by_source["llm"] * is_llm)
        assert stats.binomtest(heard, gone + heard, reported).pvalue > 1e-7, (reaction, is_llm)


def test_missing_is_not_snooze_nothing_is_learned() -> None:
    tally, watch = played({"missing": {"rate": 1}})
    assert lessons(watch).size == 0
    assert tally.sums[:, FATES_AT:].tolist() == [[0, 0, USERS, 0]] * ROUNDS


def ledger(sums: I64) -> None:
    """decided = rewarded + pending + expired + never after every round."""
    decided = sums[..., DECIDED].cumsum(axis=-1)
    rewarded, expired, never = np.moveaxis(sums[..., FATES_AT : FATES_AT + 3].cumsum(axis=-2), -1, 0)
    np.testing.assert_array_equal(decided, rewarded + expired + never + sums[..., FATES_AT + 3])


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_decision_is_rewarded_pending_expired_or_never_heard_of(name: str) -> None:
    scenario = load(name)
    result = run_policy(build(scenario), make("random"), seed=2, users=130, rounds=90, replicates=2, block=64)
    ledger(result.sums)
    if scenario.feedback is None:
        assert (result.sums[..., [FATES_AT + 1, FATES_AT + 3]] == 0).all()


def test_the_ledger_holds_under_everything_at_once_and_counts_what_was_learned() -> None:
    """All four fates occur, and users still hear of what they decided before they left."""
    scenario = load("changing_users")
    world, watch = build(scenario), Watch()
    tally = simulate(world, make("linucb"), Block(0, 0, 100).lanes(2), 100, 150, [150], observer=watch)
    ledger(tally.sums)
    assert (tally.sums[:, FATES_AT:].sum(axis=0) > 0).all()
    learned = np.zeros(150, np.int64)
    round_now = -1
    for each in watch.lessons:
        round_now += each.learning.tick
        learned[round_now] += each.learning.learn.sum()
    np.testing.assert_array_equal(learned, tally.sums[:, FATES_AT])


@pytest.mark.parametrize(("window", "d"), [(0, 5), (40, 5), (200, 24)])
def test_pending_rewards_take_the_memory_that_is_stated(window: int, d: int) -> None:
    """8 (window + 1) (d + 5) bytes a lane, and nothing that grows with the rounds."""
    n = 64
    feedback = build(load("late_answers")).feedback
    assert feedback is not None
    ledger = Delayed(feedback._replace(window=window), LaneDraws.of(Block(0, 0, n).lanes(SEED)), d, n)
    kept = sum(each.nbytes for each in vars(ledger).values() if isinstance(each, np.ndarray) and each.ndim > 1)
    assert kept == 8 * (window + 1) * (d + 5) * n
