"""Accepting a change: with a reason, never against the audit, and never so that small losses pass unseen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from oo_sim import load_scenario
from oo_sim.contract import F64, Batch, Policy, Probs
from oo_sim.gate import GateError, Verdict, accept, check, record
from oo_sim.gate.baseline import read
from oo_sim.policies import make

SCENARIO = load_scenario("quickstart").with_(rounds=40)
MARGIN = 0.06


def lazy(share: float) -> Policy:
    """LinUCB under a name of its own that chooses at random in a share of its decisions."""
    sound = make("linucb")

    def probs(scores: F64, batch: Batch) -> Probs:
        uniform = share * batch.mask / batch.mask.sum(axis=0)
        return Probs((1.0 - share) * sound.probs(scores, batch).total + uniform, uniform)

    return sound._replace(name="lazy", probs=probs, explores=True)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A baseline of a policy that is not lazy yet."""
    record(SCENARIO, policies=[lazy(0.0)], users=256, margin=MARGIN, directory=tmp_path, weak=True)
    return tmp_path


def test_a_reason_is_kept_and_the_anchor_stays(directory: Path) -> None:
    path = directory / "quickstart.lazy.json"
    before = read(path)
    (taken,) = accept(SCENARIO, policies=[lazy(0.02)], reason=" fresh\nair ", directory=directory)
    after = read(path)
    assert taken.path == path
    assert not taken.refused
    assert taken.why == "accepted; the anchor stays, so that losses add up"
    (entry,) = after.facts.accepted
    assert entry.reason == "fresh air"
    assert taken.case.judgement is not None
    assert entry.difference == taken.case.judgement.difference.estimate
    assert np.array_equal(after.anchor, before.anchor)
    assert not np.array_equal(after.totals, before.totals)
    assert check(SCENARIO, policies=[lazy(0.02)], directory=directory).exit_code == 0
    (case,) = check(SCENARIO, policies=[lazy(0.02)], directory=directory).cases
    assert case.verdict is Verdict.IDENTICAL
    assert case.users == 64


def test_many_small_losses_cannot_pass_unseen(directory: Path) -> None:
    """Each step loses less than half a margin and is taken; together they are refused, until the anchor is moved."""
    share, refused = 0.0, None
    while refused is None:
        share += 0.06
        assert share < 0.8, "never noticed"
        (found,) = accept(SCENARIO, policies=[lazy(share)], reason="a little more", directory=directory)
        assert found.case.judgement is not None
        assert found.case.judgement.difference.estimate > -0.75 * MARGIN
        refused = found if found.refused else None
    assert share > 0.06
    assert refused.case.verdict is Verdict.REGRESSED
    assert [layer.name for layer in refused.case.layers if layer.status == "failed"][-1] == "drift"
    assert "since the anchor" in refused.case.text
    assert refused.case.drift is not None
    assert refused.case.drift.difference.estimate < -MARGIN / 2
    assert "--anchor" in refused.why
    (moved,) = accept(SCENARIO, policies=[lazy(share)], reason="so be it", anchor=True, directory=directory)
    assert moved.path is not None
    baseline = read(moved.path)
    assert np.array_equal(baseline.anchor, baseline.totals[-1])
    assert [entry.reason for entry in baseline.facts.accepted] == ["so be it"]


@pytest.mark.parametrize(("first", "then", "verdict"), [(0.0, 0.9, Verdict.REGRESSED), (0.9, 0.0, Verdict.IMPROVED)])
def test_what_is_beyond_doubt_moves_the_anchor(first: float, then: float, verdict: Verdict, tmp_path: Path) -> None:
    """A loss that was accepted in plain view fails no later change; of a gain nothing can be lost unseen."""
    record(SCENARIO, policies=[lazy(first)], users=256, margin=MARGIN, directory=tmp_path, weak=True)
    (taken,) = accept(SCENARIO, policies=[lazy(then)], reason="seen", directory=tmp_path)
    assert taken.case.verdict is verdict
    assert taken.why == "accepted; it is the new anchor"
    assert taken.path is not None
    assert not read(taken.path).has_drifted
    (later,) = check(SCENARIO, policies=[lazy(then + 0.02)], directory=tmp_path).cases
    assert later.verdict is Verdict.EQUIVALENT
    assert later.drift is None


def test_what_is_not_accepted(directory: Path) -> None:
    with pytest.raises(GateError, match="reason: it is empty"):
        accept(SCENARIO, policies=[lazy(0.1)], reason=" ", directory=directory)
    (same,) = accept(SCENARIO, policies=[lazy(0.0)], reason="none", directory=directory)
    assert (same.path, same.refused) == (None, False)

    def score(*_: object) -> None:
        raise ZeroDivisionError

    (broken,) = accept(SCENARIO, policies=[lazy(0.0)._replace(score=score)], reason="x", directory=directory)  # type: ignore[arg-type]
    assert broken.refused
    record(SCENARIO, policies=["linucb"], users=64, margin=MARGIN, directory=directory, weak=True)
    wrong = make("linucb")._replace(score=make("linucb", {"alpha": 2.0}).score)
    (violation,) = accept(SCENARIO, policies=[wrong], reason="x", directory=directory)
    assert violation.refused
    assert "fail the audit" in violation.why


def test_a_changed_environment_moves_the_anchor(directory: Path) -> None:
    (moved,) = accept(SCENARIO.with_(seed=9), policies=[lazy(0.0)], reason="a new seed", directory=directory)
    assert moved.path is not None
    baseline = read(moved.path)
    assert baseline.facts.settings["seed"] == 9
    assert baseline.facts.accepted[0].difference is None
    assert np.array_equal(baseline.anchor, baseline.totals[-1])
