"""Private policies are tried out before they run: lanes that interact, and numbers drawn by oneself, are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oo_sim import compare, gate, load_run, load_scenario, run, sweep
from oo_sim.contract import F64, Batch, Policy
from oo_sim.errors import UnknownPolicyError
from oo_sim.policies import make


def with_score(score: Callable[[Any, Batch, F64], F64]) -> Policy:
    return make("linucb")._replace(name="mine", score=score)


def centred(state: Any, batch: Batch, noise: F64) -> F64:
    """Lanes interact: scores depend on everybody's mean."""
    own = batch.x[:, 0] + batch.x[:, -1]
    return np.asarray(own - own.mean() * batch.x[:, -1])


def unchosen(state: Any, batch: Batch, noise: F64) -> F64:
    """What the first candidate is worth depends on everybody; it is never chosen."""
    own = batch.x[:, -1] - 9.0 * (np.arange(len(batch.x)) == 0)[:, None]
    own[0] -= own[1].max()
    return np.asarray(own)


def by_place(state: Any, batch: Batch, noise: F64) -> F64:
    """A lane's score depends on where it stands."""
    return np.asarray(batch.x[:, -1] * (1.0 + np.arange(batch.mask.shape[1])))


def drawn(state: Any, batch: Batch, noise: F64) -> F64:
    """Numbers of its own, from NumPy's global generator."""
    return np.random.random(batch.mask.shape)  # noqa: NPY002


def seeded(state: Any, batch: Batch, noise: F64) -> F64:
    """Numbers of its own, always the same: by the lane's place."""
    return np.random.default_rng(1).random(batch.mask.shape)


def learned_together() -> Policy:
    """What one lane learns reaches its neighbours through the state."""
    plain = make("linucb")

    def update(state: Any, learning: Any, noise: F64) -> Any:
        state = plain.update(state, learning, noise)
        state.theta[:] = state.theta.mean(axis=1, keepdims=True)
        return state

    return plain._replace(name="mine", update=update)


def counting() -> Policy:
    """It counts its calls beside its state."""
    calls: list[int] = []

    def score(state: Any, batch: Batch, noise: F64) -> F64:
        calls.append(1)
        return np.asarray(batch.x[:, -1] * np.sin(float(len(calls))))

    return with_score(score)


FAULTS: dict[str, tuple[Callable[[], Policy], str]] = {
    "centred": (
        lambda: with_score(centred),
        "in two halves, its .* lanes interact",
    ),
    "unchosen": (lambda: with_score(unchosen), "in two halves, its score .* lanes interact"),
    "by place": (lambda: with_score(by_place), "in another order, its .* lanes interact"),
    "drawn": (lambda: with_score(drawn), "a second time, its score in round 1 .* take numbers from `noise`"),
    "seeded": (lambda: with_score(seeded), "in another order"),
    "learned together": (learned_together, "in two halves"),
    "counting": (counting, "a second time"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_depends_on_more_than_its_lane_is_refused_and_may_be_forced(fault: str, tmp_path: Path) -> None:
    made, message = FAULTS[fault]
    settings: dict[str, Any] = {"users": 4, "rounds": 3, "out": tmp_path / "run", "plot": False}
    with pytest.raises(UnknownPolicyError, match=f"policy mine: {message}|policy mine: .*{message}"):
        run("quickstart", policies=[made()], **settings)
    assert not list(tmp_path.iterdir())
    forced = run("quickstart", policies=[made(), "linucb"], unchecked=True, **settings)
    assert forced.manifest.unchecked == load_run(tmp_path / "run").manifest.unchecked == ("mine",)


SOURCE = """
from oo_sim.policies import make

def mine():
    def score(state, batch, noise):
        own = batch.x[:, 0] + batch.x[:, -1]
        return own - own.mean() * batch.x[:, -1]
    return make("linucb")._replace(name="mine", score=score)
"""
SMALL: dict[str, Any] = {"users": 4, "rounds": 3}
CALLS: dict[str, Callable[[Path, dict[str, Any]], Any]] = {
    "run": lambda at, more: run("quickstart", policies=["mine_lanes:mine"], **SMALL, **more),
    "compare": lambda at, more: compare("quickstart", policies=["linucb", "mine_lanes:mine"], **SMALL, **more),
    "sweep": lambda at, more: sweep(
        "quickstart", policies=["mine_lanes:mine", "egreedy:epsilon=[0,1]"], **SMALL, **more
    ),
    "gate record": lambda at, more: recorded(at, **more),
    "gate matrix": lambda at, more: gate.record_matrix([at / "mine.yaml"], directory=at, workers=1, **more),
}


def recorded(at: Path, **more: Any) -> list[Path]:
    return gate.record(
        "quickstart", policies=["mine_lanes:mine"], users=64, rounds=20, margin=0.5, directory=at, threads=1, **more
    )


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mine_lanes.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    scenario = load_scenario("quickstart").with_(users=3, rounds=3, policies=["mine_lanes:mine"])
    (tmp_path / "mine.yaml").write_text(json.dumps(scenario.canonical()))
    return tmp_path


@pytest.mark.parametrize("name", CALLS)
def test_every_call_that_runs_a_private_policy_checks_it_first_and_says_where_it_did_not(
    name: str, private: Path
) -> None:
    with pytest.raises(UnknownPolicyError, match="its lanes interact"):
        CALLS[name](private, {})
    found = CALLS[name](private, {"unchecked": True})
    if isinstance(found, Path | list):
        path = found if isinstance(found, Path) else found[0]
        assert json.loads(path.read_text())["unchecked"] is True
    else:
        assert any("Ran unchecked: mine_lanes:mine." in note for note in found.table().notes)


def test_a_check_takes_a_policy_as_it_was_recorded(private: Path) -> None:
    sound = with_score(make("linucb").score)._replace(name="mine")
    gate.record("quickstart", policies=[sound], users=64, rounds=20, margin=0.5, directory=private, threads=1)
    with pytest.raises(UnknownPolicyError, match="its lanes interact"):
        gate.check("quickstart", policies=[with_score(centred)], directory=private, threads=1)
    found = gate.check("quickstart", policies=[with_score(centred)], directory=private, threads=1, unchecked=True)
    assert found.cases[0].verdict is not gate.Verdict.IDENTICAL
    recorded(private, unchecked=True)
    [case] = gate.check("quickstart", policies=["mine_lanes:mine"], directory=private, threads=1).cases
    assert case.verdict is gate.Verdict.IDENTICAL


@pytest.mark.parametrize("scenario", ["quickstart", "backlog", "late_answers", "changing_users"])
@pytest.mark.parametrize("name", ["linucb", "thompson:samples=3", "bootstrap_ts", "swlinucb:window=5", "egreedy"])
def test_sound_policies_pass_in_every_kind_of_world(scenario: str, name: str) -> None:
    spec, _, settings = name.partition(":")
    parameters = {key: int(value) for key, _, value in [settings.partition("=")] if key}
    policy = make(spec, parameters)
    found = run(scenario, policies=[policy._replace(name="mine")], users=3, rounds=2)
    assert found.manifest.unchecked == ()
    assert not found.failures
