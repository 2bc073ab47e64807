"""Private policies are tried out before they run: lanes that interact, and numbers drawn by oneself, are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oo_sim import load_run, run
from oo_sim.contract import F64, Batch, Policy
from oo_sim.errors import UnknownPolicyError
from oo_sim.policies import make


def with_score(score: Callable[[Any, Batch, F64], F64]) -> Policy:
    return make("linucb")._replace(name="mine", score=score)


def centred(state: Any, batch: Batch, noise: F64) -> F64:
    """Lanes interact: scores depend on everybody's mean."""
    own = batch.x[:, 0] + batch.x[:, -1]
    return np.asarray(own - own.mean() * batch.x[:, -1])


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
    "by place": (lambda: with_score(by_place), "in another order, its .* lanes interact"),
    "drawn": (lambda: with_score(drawn), "a second time, its score in round 1 .* take numbers from `noise`"),
    "seeded": (lambda: with_score(seeded), "in another order"),
    "learned together": (learned_together, "in two halves"),
    "counting": (counting, "a second time"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_depends_on_more_than_its_lane_is_refused_and_may_be_forced(fault: str, tmp_path: Path) -> None:
    made, message = FAULTS[fault]
    with pytest.raises(UnknownPolicyError, match=f"policy mine: {message}|policy mine: .*{message}"):
        run("quickstart", policies=[made()], users=4, rounds=3, out=tmp_path / "run")
    assert not list(tmp_path.iterdir())
    forced = run("quickstart", policies=[made(), "linucb"], users=4, rounds=3, unchecked=True, out=tmp_path / "run")
    assert forced.manifest.unchecked == load_run(tmp_path / "run").manifest.unchecked == ("mine",)


@pytest.mark.parametrize("scenario", ["quickstart", "backlog", "late_answers", "changing_users"])
@pytest.mark.parametrize("name", ["linucb", "thompson:samples=3", "bootstrap_ts", "swlinucb:window=5", "egreedy"])
def test_sound_policies_pass_in_every_kind_of_world(scenario: str, name: str) -> None:
    spec, _, settings = name.partition(":")
    parameters = {key: int(value) for key, _, value in [settings.partition("=")] if key}
    policy = make(spec, parameters)
    found = run(scenario, policies=[policy._replace(name="mine")], users=3, rounds=2)
    assert found.manifest.unchecked == ()
    assert not found.failures
