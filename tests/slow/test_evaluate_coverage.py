"""How often the intervals of `evaluate` hold what the simulator knows: logs of `commuters`, in groups of 100 users.

Users are simulated once and split, as they are independent. OO_GROUPS says how many groups; 1,500 are 3 million
decisions a log. The standard error of a share of 95 % is then 0.6 points.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import oo_sim
from oo_sim.contract import F64, I64, Decision, Lanes
from oo_sim.kernels.draws import hash_users
from oo_sim.logs import Part, open_log
from oo_sim.scenario import load
from oo_sim.studies.answers import answers
from oo_sim.studies.evaluating import Source, read
from oo_sim.studies.gathered import Asked, Gathered
from oo_sim.worlds import build

GROUPS = int(os.environ.get("OO_GROUPS", "1500"))
USERS, ROUNDS, TOGETHER = 100, 20, 100  # groups that are simulated side by side
TARGETS = ["linucb", "softmax"]
NAMES = ("ips", "dr", "snips", "sndr")
SCENARIO = "commuters"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]


class Truth:
    """In place of the reward model: true expected rewards, with which the direct method is the true value."""

    seed = 0

    def __init__(self, part: Part, user: I64) -> None:
        world, ids = build(load(SCENARIO)), [lane.user_id for lane in part.lanes]
        state = world.init(Lanes(hash_users(ids), int(ids[0].removeprefix("user-")), self.seed, 0))
        self._expected = np.zeros(part.probs.shape)
        nothing = np.zeros(len(ids))
        first = Decision(
            np.zeros((1, 0, len(ids))), nothing[None], np.zeros(len(ids), np.int64), nothing, nothing, nothing > 0
        )
        for t in range(ROUNDS):
            offer = world.observe(state, t)
            rows = np.flatnonzero(part.t == t)
            assert np.array_equal(offer.candidates.priority, part.candidates.priority[:, rows])
            self._expected[:, rows] = offer.expected
            state = world.respond(state, t, first)[1]  # whatever is chosen: what is offered does not depend on it
        self.chosen = self._expected[part.chosen, np.arange(len(part.t))]

    def mean(self, pi: F64) -> F64:
        return np.asarray((pi * self._expected).sum(axis=0))


def logs(policy: str, folder: Path) -> Iterator[Path]:
    """The log in pieces, each of other users."""
    for seed in range(1, -(-GROUPS // TOGETHER) + 1):
        out = folder / f"{seed}"
        sizes = {"users": USERS * TOGETHER, "rounds": ROUNDS, "seed": seed}
        oo_sim.run(SCENARIO, policies=[policy], events=True, out=out, plot=False, **sizes)  # type: ignore[arg-type]
        yield out
        shutil.rmtree(out)


def gathered(path: Path, asked: Asked) -> Gathered:
    log = open_log(path)
    return read([Source(log, log.policies[0].label, None)], TARGETS, asked)[1]


@pytest.mark.parametrize("policy", ["egreedy:epsilon=0.2", "random"])
def test_intervals_hold_what_the_simulator_knows(policy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """93 to 97 % of the intervals of `ips` and `dr` that are given, and of `snips` and `sndr` where 50 users or more
    are effective."""
    held, given = Counter[tuple[str, str, str]](), Counter[tuple[str, str, str]]()
    verdicts = Counter[tuple[str, str, str]]()
    widths = Counter[tuple[str, str, str]]()
    kept: dict[str, list[Gathered]] = {"frozen": [], "passive": []}
    truths: dict[tuple[str, int], list[float]] = {}
    for path in logs(policy, tmp_path):
        for as_, found in kept.items():
            asked = Asked(as_, 0.5, NAMES, 0.95, False, None, False, False)
            found.append(gathered(path, asked))
            if len(found) <= 2:  # the truth has no noise of rewards in it, so fewer users tell it as surely
                with monkeypatch.context() as patch:
                    patch.setattr("oo_sim.studies.gathered._Model", Truth)
                    patch.setattr(Truth, "seed", len(found))
                    true = gathered(path, asked._replace(names=("dm",)))
                for j in range(len(TARGETS)):
                    truths.setdefault((as_, j), []).append(float(true.policies[j].mean("q_target").mean()))
    for as_, pieces in kept.items():
        asked = Asked(as_, 0.5, NAMES, 0.95, False, None, False, False)
        for piece in pieces:
            for group in range(TOGETHER):
                rows, _ = answers(piece.of_users(group * USERS, (group + 1) * USERS), TARGETS, asked)
                for row in rows[1:]:
                    verdicts[as_, row.policy, row.verdict] += row.estimator in ("-", "ips")
                    if row.verdict != "refused":
                        key = as_, row.policy, row.estimator
                        truth = float(np.mean(truths[as_, TARGETS.index(row.policy)]))
                        held[key] += not row.value.excludes(truth)
                        given[key] += 1
                        widths[key] += row.value.width  # type: ignore[assignment]
    print({(as_, j): np.round(t, 4) for (as_, j), t in truths.items()}, dict(verdicts))
    for key, n in given.items():
        print(f"{policy} {key}: {100 * held[key] / n:.1f} % of {n} held, mean width {widths[key] / n:.3f}")
    for key, n in given.items():
        spare = 4 * np.sqrt(0.05 * 0.95 / n) if n < 1000 else 0.0
        assert 0.93 - spare <= held[key] / n <= 0.97 + spare, key
