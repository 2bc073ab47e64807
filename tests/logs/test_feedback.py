"""A log for other tools: the arrays are the log's own, and what they would be misled by is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from oo_sim import run
from oo_sim.errors import RunLogError
from oo_sim.features import FEATURES
from oo_sim.logs import bandit_feedback, open_log
from oo_sim.ope import ips

POLICIES = ["random", "egreedy:epsilon=0.2", "softmax", "squarecb", "thompson:samples=8", "linucb"]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("feedback") / "run"
    run("tiny_sets", policies=[*POLICIES, "thompson"], users=12, rounds=15, events=True, out=out, plot=False)
    return out


@pytest.mark.parametrize("label", POLICIES)
@pytest.mark.parametrize("features", ["oo5", "oo7x"])
def test_arrays_are_of_one_length_and_what_was_logged(path: Path, label: str, features: str) -> None:
    found = bandit_feedback(open_log(path), label, features=features)
    n, K = found["n_rounds"], found["n_actions"]
    assert n == 12 * 15
    assert found["context"].shape == (n, K * FEATURES[features].d)
    assert found["pi_b"].shape == (n, K, 1)
    assert (found["position"] == 0).all()
    assert (np.bincount(found["user"]) == 15).all()
    np.testing.assert_array_equal(found["pi_b"][np.arange(n), found["action"], 0], found["pscore"])
    np.testing.assert_allclose(found["pi_b"].sum(axis=1), 1.0, rtol=1e-12)


def test_the_policys_own_value_is_the_logs_mean(path: Path) -> None:
    """Every weight is 1 where the target is the logging policy."""
    found = bandit_feedback(open_log(path), "random")
    interval = ips(np.ones(found["n_rounds"]), found["reward"], found["user"])
    assert interval.estimate == pytest.approx(found["reward"].mean())


def test_what_was_drawn_without_a_known_propensity_is_refused(path: Path) -> None:
    with pytest.raises(RunLogError, match="row 1080, column propensity: is not known, of a decision"):
        bandit_feedback(open_log(path), "thompson")
