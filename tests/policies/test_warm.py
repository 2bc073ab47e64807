"""Warm starts: the state they begin with, how they are carried on, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import oo_sim
from oo_sim.contract import Learning
from oo_sim.features import FEATURES
from oo_sim.policies import UnknownPolicyError, make, policy_hash, with_model
from oo_sim.policies.registry import learned_with
from oo_sim.policies.warm import precision, start

RIDGE = with_model("ridge")


@pytest.mark.parametrize("name", RIDGE)
def test_every_ridge_policy_starts_there_and_learns_on(name: str, warm_file: Path) -> None:
    """After two lessons theta is the regression's own solution, (A + sum x x')^-1 (b + sum r x)."""
    policy = make(name, {"warm": str(warm_file), "prior": 2.0})
    d, n = policy.features.d, 4
    begun = start(str(warm_file), policy.features)
    state = policy.init(n)
    assert (state.theta == begun.theta[:, None]).all()
    A, b = precision(policy.parameters, d)
    assert A @ begun.theta == pytest.approx(b)
    assert pytest.approx(2.0 * precision({**policy.parameters, "prior": 1.0}, d)[0]) == A
    rng = np.random.default_rng(0)
    for t in range(2):
        x, r = rng.normal(size=(d, n)), rng.normal(size=n)
        A, b = A + np.einsum("dn,en->nde", x, x), b + (r * x).T
        lesson = Learning(x, r, np.ones(n, np.bool_), np.full(n, t), np.full(n, t))
        state = policy.update(state, lesson, np.zeros((policy.noise[1], n)))
    assert pytest.approx(np.linalg.solve(A, b[..., None])[..., 0], abs=1e-9) == state.theta.T


@pytest.mark.parametrize("name", RIDGE)
def test_the_text_that_is_recorded_makes_the_same_policy(name: str, warm_file: Path) -> None:
    """Wherever the file has gone by then; and the hash covers it."""
    policy = make(name, {"warm": str(warm_file)})
    again = make(name, dict(policy.parameters))
    assert again.parameters == policy.parameters
    assert policy_hash(again) == policy_hash(policy)
    assert all((a == b).all() for a, b in zip(again.init(3), policy.init(3), strict=True))
    cold = make(name)
    assert policy_hash(cold) != policy_hash(policy)
    assert learned_with(cold) != learned_with(policy)
    assert "warm" not in cold.parameters


def test_a_run_takes_the_file_by_its_path(warm_file: Path) -> None:
    run = oo_sim.run("quickstart", policies=["linucb", f"linucb:warm={warm_file}"], users=4, rounds=3, plot=False)
    assert not run.failures


def changed(warm_file: Path, tmp_path: Path, change: Any) -> str:
    said = json.loads(warm_file.read_text())
    change(said)
    (tmp_path / "changed.json").write_text(json.dumps(said))
    return str(tmp_path / "changed.json")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.pop("priors"), "has no `priors`"),
        (lambda f: f["priors"].pop("oo5"), "has no prior for features oo5, but for oo7, oo7x"),
        (lambda f: f["priors"]["oo5"].pop("start"), "priors.oo5.start is not one"),
        (lambda f: f["priors"]["oo5"]["start"]["b"].append(1.0), "has 26 numbers; 25 are expected for 5 features"),
        (lambda f: f["priors"]["oo5"]["start"]["theta"].__setitem__(0, "x"), "priors.oo5.start is not one"),
        (lambda f: f["priors"]["oo5"]["start"]["theta"].__setitem__(0, float("nan")), "not finite"),
        (lambda f: f["priors"]["oo5"]["start"]["inverse"].__setitem__(0, -1.0), "no covariance that a ridge"),
        (lambda f: f["priors"]["oo5"]["start"]["inverse"].__setitem__(0, 1e9), "no covariance that a ridge"),
    ],
)
def test_files_that_are_refused(change: Any, said: str, warm_file: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownPolicyError, match=said):
        make("linucb", {"warm": changed(warm_file, tmp_path, change)})


def test_other_refusals(warm_file: Path, tmp_path: Path) -> None:
    (tmp_path / "torn.json").write_text("{")
    for parameters, said in (
        ({"warm": str(tmp_path / "none.json")}, "there is no file"),
        ({"warm": str(tmp_path / "torn.json")}, "cannot be read as JSON"),
        ({"warm": "gaussian:%"}, "not base64"),
        ({"warm": "gaussian:AAAAAAAAAAA="}, "has 1 numbers; 25 are expected"),
        ({"warm": str(warm_file), "prior": 1e-4}, "prior must be a number from 0.001"),
        ({"warm": str(warm_file), "features": FEATURES["none"]}, "has no prior for features none"),
    ):
        with pytest.raises(UnknownPolicyError, match=said):
            make("linucb", parameters)
    with pytest.raises(UnknownPolicyError, match="no parameter 'warm'"):
        make("linucb_disjoint", {"warm": str(warm_file)})
