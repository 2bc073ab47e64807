"""Logs that cannot answer are refused, each of 200; and replay is what a learner earns deployed, on 12,000 users.

Users are simulated once and split into logs, as they are independent; every log goes through all of `evaluate`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import oo_sim
from oo_sim.logs import Part
from oo_sim.logs.reader import RunLog
from oo_sim.studies.answers import answers
from oo_sim.studies.evaluating import Source, read
from oo_sim.studies.gathered import Asked

LOGS, ROUNDS = 200, 20
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

Edit = Callable[[Part], Part]


def as_it_is(part: Part) -> Part:
    """Nothing is changed."""
    return part


def doctored(part: Part) -> Part:
    """Epsilon .2, written as .1."""
    sizes, n = part.candidates.mask.sum(axis=0), len(part.t)
    probs = np.where(part.candidates.mask, 0.1 / sizes, 0.0)
    probs[part.probs.argmax(axis=0), np.arange(n)] += 0.9
    return part._replace(probs=probs, propensity=probs[part.chosen, np.arange(n)])


def without_tips(part: Part) -> Part:
    """Probabilities of LLM tips zeroed, unless one was chosen, and the others scaled up."""
    n = len(part.t)
    llm = (part.candidates.is_llm > 0.5) & part.candidates.mask
    left = np.where(llm, 0.0, part.probs)
    probs = np.where(llm[part.chosen, np.arange(n)], part.probs, left / np.maximum(left.sum(axis=0), 1e-300))
    return part._replace(probs=probs, propensity=probs[part.chosen, np.arange(n)])


class Edited(RunLog):
    """A log whose parts are changed as they are read."""

    edit: Edit = staticmethod(as_it_is)

    def parts(self, label: str, *, window: float | None = None, rows: int = 1 << 15, x: bool = False) -> Iterator[Part]:
        """The parts, changed."""
        for part in super().parts(label, window=window, rows=rows):
            yield self.edit(part)


@pytest.mark.parametrize(
    ("policy", "edit", "as_", "users", "least"),
    [
        ("greedy", as_it_is, "frozen", 100, 1.0),
        ("linucb", as_it_is, "frozen", 100, 1.0),
        ("egreedy:epsilon=0.2", without_tips, "frozen", 100, 1.0),
        ("egreedy:epsilon=0.2", without_tips, "passive", 100, 1.0),
        ("egreedy:epsilon=0.2", doctored, "passive", 100, 1.0),
        ("egreedy:epsilon=0.2", doctored, "frozen", 100, 1.0),
        ("egreedy:epsilon=0.2", doctored, "passive", 30, 0.97),
        ("egreedy:epsilon=0.2", doctored, "frozen", 30, 0.0),  # ten decisions of 30 users: how many is only said
    ],
)
def test_logs_that_cannot_answer_are_refused(
    policy: str, edit: Edit, as_: str, users: int, least: float, tmp_path: Path
) -> None:
    sizes = {"users": LOGS * users, "rounds": ROUNDS, "seed": 11}
    oo_sim.run("commuters", policies=[policy], events=True, out=tmp_path / "log", plot=False, **sizes)  # type: ignore[arg-type]
    log = Edited(tmp_path / "log")
    log.edit = edit
    asked = Asked(as_, 0.5, ("ips", "dr"), 0.95, False, None, False, False)
    found = read([Source(log, policy, None)], ["softmax"], asked)[1]
    rows = [answers(found.of_users(i * users, (i + 1) * users), ["softmax"], asked)[0][1] for i in range(LOGS)]
    share = np.mean([row.verdict == "refused" for row in rows])
    reasons = {row.reason.split(";")[0][-60:] for row in rows[:3]}
    print(f"{policy} {edit.__name__} {as_} {users} users: {share:.1%} refused; {reasons}")
    assert share >= least


@pytest.mark.parametrize("policy", ["linucb", "egreedy"])
def test_replay_of_many_users_is_the_deployed_value(policy: str, tmp_path: Path) -> None:
    """Within 3.3 standard errors of the difference: once in 1,000 by chance; the seeds are fixed."""
    sizes = {"users": 12_000, "rounds": 30, "seed": 5}
    oo_sim.run("tiny_sets", policies=["random"], events=True, out=tmp_path / "log", plot=False, **sizes)  # type: ignore[arg-type]
    row = oo_sim.evaluate(tmp_path / "log", [policy], "replay", decisions=5).rows[1]
    deployed = oo_sim.run("tiny_sets", policies=[policy], users=12_000, rounds=5, seed=6, plot=False).rows[0].reward
    print(f"replay of {policy}: {row.value}, deployed {deployed}")
    assert row.verdict == "answered"
    assert row.value.n > 11_000
    error = math.hypot(row.value.width, deployed.width) / (2 * 1.96)
    assert abs(row.value.estimate - deployed.estimate) < 3.3 * error
