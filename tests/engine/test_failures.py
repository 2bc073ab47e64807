"""Whose fault it is when a run goes wrong, and that nothing half done is left of it."""

from __future__ import annotations

import re
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from oo_sim import Policy, Run, RunLogError, load_run, run
from oo_sim.contract import Probs
from oo_sim.policies import make
from oo_sim.scenario import validate


def small(policies: Any, **settings: Any) -> Run:
    defaults: dict[str, Any] = {"users": 5, "rounds": 6, "threads": 2, "plot": False}
    return run("quickstart", policies=policies, **(defaults | settings))


def mine(**changes: Any) -> Policy:
    """A sound random policy named `mine`, but for what is changed."""
    return make("random")._replace(**({"name": "mine"} | changes))


def raises(*_: Any) -> Any:
    raise ValueError("boom")


def shares(column: Callable[[Any], Any], explored: Callable[[Any], Any] = np.zeros_like) -> Policy:
    return mine(probs=lambda s, b: Probs(column(np.ones(s.shape)), explored(np.ones(s.shape))))


def weights(*first: float) -> Callable[[Any], Any]:
    """Probabilities of the first candidates, 0 for the others."""

    def column(ones: Any) -> Any:
        out = np.zeros_like(ones)
        out[: len(first)] = np.array(first)[:, None]
        return out

    return column


FAULTY: dict[str, tuple[Policy, str]] = {
    "init raises": (mine(init=raises), "raised ValueError: boom"),
    "score raises": (mine(score=raises), "raised ValueError: boom"),
    "probs raises": (mine(probs=raises), "raised ValueError: boom"),
    "update raises": (mine(update=raises), "raised ValueError: boom"),
    "exits": (mine(score=lambda *_: sys.exit(3)), "raised SystemExit"),
    "score none": (mine(score=lambda *_: None), "score returned NoneType"),
    "score list": (mine(score=lambda s, b, u: [0.0]), "score returned list"),
    "score shape": (mine(score=lambda s, b, u: np.zeros(3)), r"score returned float64 of shape \(3,\)"),
    "score turned": (mine(score=lambda s, b, u: np.zeros(b.mask.shape[::-1])), "score returned float64 of shape"),
    "score complex": (mine(score=lambda s, b, u: np.zeros(b.mask.shape, complex)), "score returned complex128"),
    "score nan": (mine(score=lambda s, b, u: np.full(b.mask.shape, np.nan)), "a score that is not finite"),
    "score infinite": (mine(score=lambda s, b, u: np.full(b.mask.shape, np.inf)), "a score that is not finite"),
    "probs plain": (mine(probs=lambda s, b: np.ones(s.shape)), "probs returned ndarray"),
    "probs shape": (mine(probs=lambda s, b: Probs(np.ones(3), np.ones(3))), "probs returned float64 of shape"),
    "probs nan": (shares(weights(np.nan, 1.0)), "a probability that is not a number"),
    "probs negative": (shares(weights(-0.5, 1.5)), "a negative probability"),
    "probs short": (shares(weights(0.5, 0.4)), "probabilities that do not sum to 1"),
    "probs long": (shares(weights(0.5, 0.6)), "probabilities that do not sum to 1"),
    "too much explored": (shares(weights(0.5, 0.5), weights(0.6)), "more exploration than probability"),
}


@pytest.mark.parametrize("case", FAULTY)
def test_a_faulty_policy_fails_by_name_and_the_others_finish(case: str, tmp_path: Path) -> None:
    policy, message = FAULTY[case]
    result = small(["linucb", policy, "random"], out=tmp_path / "run", events=True, users=70)
    assert list(result.failures) == ["mine"]
    assert re.search(message, result.failures["mine"])
    assert "\n" not in result.failures["mine"].split(": scores")[0]
    alone = small(["linucb", "random"], users=70)
    pd.testing.assert_frame_equal(result.curves, alone.curves, check_exact=True)
    logged = load_run(tmp_path / "run")
    assert logged.failures == result.failures
    assert set(logged.decisions(["policy"])["policy"]) == {"linucb", "random"}
    assert set(logged.learnings(["policy"])["policy"]) == {"linucb", "random"}


def test_weight_on_a_masked_candidate_fails() -> None:
    world = {"kind": "tips", "tasks": {"count": {"min": 1, "max": 4}}, "segments": [{"name": "a", "preferences": {}}]}
    settings = {"version": 1, "name": "masked", "users": 1, "rounds": 3, "policies": ["random"]}
    scenario = validate(settings | {"world": world})
    even = shares(lambda ones: ones / len(ones))
    result = run(scenario, policies=[even, "random"], users=50)
    assert "weight on a masked candidate" in result.failures["mine"]
    assert [row.policy for row in result.rows] == ["random"]


def test_a_message_says_where_in_the_policys_own_code() -> None:
    """Not where in NumPy or in the parts that it called."""
    result = small([mine(score=lambda s, b, u: np.linalg.inv(np.zeros((2, 2))))])
    assert "LinAlgError" in result.failures["mine"]
    assert Path(__file__).name in result.failures["mine"]


def fails_late(scores: Any, batch: Any) -> Probs:
    """Sound but in the fourth round, where one user in ten gets half of what is due."""
    total = batch.mask / batch.mask.sum(axis=0)
    wrong = (batch.t == 3) & (batch.x[0, 0] > 0.9)
    return Probs(total * np.where(wrong, 0.5, 1.0), np.zeros(total.shape))


def test_a_failures_message_does_not_depend_on_threads() -> None:
    """The first round and user to fail are named, whichever thread came first."""
    policy = make("linucb")._replace(name="mine", probs=fails_late)
    messages = {
        small([policy], users=300, threads=threads, block=block).failures["mine"]
        for threads, block in ((1, 64), (2, 64), (2, 1000))
    }
    assert len(messages) == 1
    assert messages.pop().startswith("round 4, user-")


def test_a_run_of_failures_alone_is_still_a_run(tmp_path: Path) -> None:
    result = small([mine(score=raises)], out=tmp_path / "run", events=True, plot=True)
    assert list(result.failures) == ["mine"]
    assert result.curves.empty
    assert load_run(tmp_path / "run").failures == result.failures


def test_an_error_in_progress_is_the_callers(tmp_path: Path) -> None:
    def progress(*_: Any) -> None:
        raise BrokenPipeError("nobody listens")

    with pytest.raises(BrokenPipeError, match="nobody listens"):
        small(["random"], progress=progress, out=tmp_path / "run")
    assert not list(tmp_path.iterdir())


def test_ctrl_c_from_progress_leaves_nothing(tmp_path: Path) -> None:
    def progress(*_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small(["random", "linucb"], progress=progress, out=tmp_path / "run", events=True, users=200)
    assert not list(tmp_path.iterdir())


def test_ctrl_c_while_the_run_waits_leaves_nothing(tmp_path: Path) -> None:
    """The signal reaches the main thread, as the terminal's does, while workers are busy."""
    heard: list[int] = []

    def progress(label: str, done: int, total: int) -> None:
        heard.append(done)
        if len(heard) == 3:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        small(["linucb"], progress=progress, out=tmp_path / "run", events=True, users=500, rounds=5000)
    assert not list(tmp_path.iterdir())
    assert heard[-1] < 500 * 5000


def test_progress_climbs_to_the_total_also_over_a_failure() -> None:
    heard: list[tuple[str, int, int]] = []
    small(["linucb", mine(score=raises), "random"], progress=lambda *a: heard.append(a), users=130, rounds=20)
    each = 130 * 20
    assert {total for _, _, total in heard} == {3 * each}
    assert max(done for label, done, _ in heard if label == "linucb") == each
    assert heard[-1] == ("random", 3 * each, 3 * each)
    done = [done for _, done, _ in heard]
    assert done == sorted(done)


def test_a_full_disk_is_not_the_policys_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("oo_sim.logs.parts.PartSink.write", full)
    with pytest.raises((OSError, RunLogError), match="No space left"):
        small(["random"], out=tmp_path / "run", events=True)
    assert not list(tmp_path.iterdir())
