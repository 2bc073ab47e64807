"""Private policies, as a researcher writes them: one in plain NumPy, one on top of the ridge parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from oo_sim import run
from oo_sim.contract import F64, Batch, FeatureMap, Learning, Policy, Probs
from oo_sim.features import FEATURES
from oo_sim.policies import explore, make, ridge

PLAIN = """
from typing import NamedTuple
import numpy as np
from oo_sim.contract import Policy, Probs
from oo_sim.features import FEATURES

class State(NamedTuple):
    A: np.ndarray
    b: np.ndarray

def ucb(alpha: float = 1.0) -> Policy:
    def init(n):
        return State(np.tile(np.eye(5)[:, :, None], n), np.zeros((5, n)))
    def score(state, batch, noise):
        inverse = np.linalg.inv(state.A.transpose(2, 0, 1))
        mean = np.einsum("kdn,nde,en->kn", batch.x, inverse, state.b)
        return mean + alpha * np.sqrt(np.einsum("kdn,nde,ken->kn", batch.x, inverse, batch.x))
    def probs(scores, batch):
        best = np.where(batch.mask, scores, -np.inf).argmax(axis=0)
        return Probs(1.0 * (np.arange(len(scores))[:, None] == best), np.zeros(scores.shape))
    def update(state, learning, noise):
        x = learning.x * learning.learn
        return State(state.A + x[:, None] * x[None], state.b + learning.reward * x)
    return Policy("mine", FEATURES["oo5"], init, score, probs, update, parameters={"alpha": alpha})
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "plain_numpy.py").write_text(PLAIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "plain_numpy:ucb"


def curve(result: Any, label: str) -> pd.DataFrame:
    frame: pd.DataFrame = result.curves[result.curves["policy"] == label].drop(columns="policy")
    return frame.reset_index(drop=True)


@pytest.mark.parametrize("scenario", ["quickstart", "tiny_sets", "backlog"])
def test_linucb_in_plain_numpy_earns_what_the_compiled_one_earns(module: str, scenario: str) -> None:
    """The same choices in every round: the two differ in rounding alone, and no two candidates are that close."""
    specs = ["linucb", module, "linucb:alpha=0.3", f"{module}:alpha=0.3"]
    result = run(scenario, policies=specs, users=40, rounds=60, threads=2)
    assert not result.failures
    for ours, private in (specs[:2], specs[2:]):
        pd.testing.assert_frame_equal(curve(result, ours), curve(result, private), check_exact=True)


def on_ridge_parts() -> Policy:
    """LinUCB from the exported ridge parts: mean and variance are compiled, the rule is plain NumPy."""

    def score(state: ridge.Ridge, batch: Batch, noise: F64) -> F64:
        mean, variance = ridge.mean_and_variance(state, batch.x)
        return mean + np.sqrt(variance)

    return Policy("mine", FEATURES["oo5"], ridge.init(5, 1.0), score, explore.greedy, ridge.update)


def test_a_policy_on_the_ridge_parts_is_linucb_bit_for_bit() -> None:
    result = run("quickstart", policies=["linucb", on_ridge_parts()], users=130, rounds=40)
    pd.testing.assert_frame_equal(curve(result, "linucb"), curve(result, "mine"), check_exact=True)


def test_ridge_parts_refuse_another_dimension() -> None:
    """Compiled code checks no bounds: a state for five features and vectors of seven must not meet there."""
    state, x = ridge.init(5, 1.0)(2), np.zeros((3, 7, 2))
    now, learn = np.zeros(2, np.int64), np.ones(2, np.bool_)
    with pytest.raises(ValueError, match="7"):
        ridge.mean(state, x)
    with pytest.raises(ValueError, match="7"):
        ridge.mean_and_variance(state, x)
    with pytest.raises(ValueError, match="7"):
        ridge.update(state, Learning(x[0], np.zeros(2), learn, now, now), np.empty((0, 2)))
    with pytest.raises(ValueError, match="3"):
        ridge.mean(ridge.init(7, 1.0)(3), x)
    wrong = on_ridge_parts()._replace(features=FEATURES["oo7"])
    failures = run("quickstart", policies=[wrong], users=3, rounds=2).failures
    assert "(features, lanes) = (7, " in failures["mine"]
    assert "the ridge state (5, " in failures["mine"]


def test_a_feature_map_with_too_few_names_is_refused() -> None:
    """As above: its kernel would write beyond the vectors."""
    narrow = FeatureMap("narrow", ("a", "b"), FEATURES["oo5"].encode)
    wrong = on_ridge_parts()._replace(features=narrow, init=ridge.init(2, 1.0))
    assert "5 numbers" in run("quickstart", policies=[wrong], users=3, rounds=2).failures["mine"]


class Kept(NamedTuple):
    """The rewards seen so far, per lane."""

    total: F64


def test_a_feature_map_of_ones_own_and_noise_in_both_places() -> None:
    """Everything that a policy may bring: features, noise to score and to update with, exploration, a state."""

    def encode(candidates: Any, x: F64) -> None:
        x[:, 0] = candidates.priority
        x[:, 1] = candidates.is_llm

    def score(state: Kept, batch: Batch, noise: F64) -> F64:
        assert noise.shape == (2, batch.x.shape[2])
        scores: F64 = batch.x[:, 0] + 0.1 * noise[0] + state.total
        return scores

    def probs(scores: F64, batch: Batch) -> Probs:
        total = batch.mask / batch.mask.sum(axis=0)
        return Probs(total, 0.5 * total)

    def update(state: Kept, learning: Learning, noise: F64) -> Kept:
        assert noise.shape == (3, learning.x.shape[1])
        return Kept(state.total + learning.reward * noise[2])

    own = FeatureMap("own", ("priority", "llm"), encode)
    policy = Policy("own", own, lambda n: Kept(np.zeros(n)), score, probs, update, noise=(2, 3), explores=True)
    first, again = (run("quickstart", policies=[policy], users=70, rounds=9, threads=n) for n in (1, 2))
    assert not first.failures
    pd.testing.assert_frame_equal(first.curves, again.curves, check_exact=True)


def test_what_a_policy_is_given_cannot_be_written_to() -> None:
    """Else a policy could change the world's masks or the log's features, by mistake or to look better."""

    def vandal(scores: F64, batch: Batch) -> Probs:
        batch.mask[1:] = False
        return explore.greedy(scores, batch)

    failures = run("quickstart", policies=[on_ridge_parts()._replace(probs=vandal)], users=3, rounds=2).failures
    assert "read-only" in failures["mine"]


@pytest.mark.parametrize("spec", ["egreedy", "squarecb", "random", "softmax", "linucb"])
def test_a_part_called_exploration_requires_that_the_policy_says_so(spec: str) -> None:
    """Of every built-in kind as a private policy: those that explore are refused when they hide it, the others run."""
    policy = make(spec, {}, FEATURES)
    hidden = policy._replace(name="hidden", explores=False)
    result = run("quickstart", policies=[hidden, policy._replace(name="open")], users=20, rounds=20, threads=1)
    assert set(result.failures) == ({"hidden"} if policy.explores else set())
    for message in result.failures.values():
        assert "explores=True" in message
