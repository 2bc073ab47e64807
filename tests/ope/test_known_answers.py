"""Published answers: the small Open Bandit Dataset, as its own library computes them, and VowpalWabbit's estimators."""

from __future__ import annotations

import io
import sys
import zipfile
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import yaml
from installing import pip

from oo_sim import ope
from oo_sim.ope.sums import I64
from oo_sim.stats.intervals import F64


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel that holds the data. The tests are skipped only where no registry can be reached."""
    into = tmp_path_factory.mktemp("obp")
    pip(sys.executable, "download", "--no-deps", "-d", str(into), "obp==0.4.1", timeout=120)
    return zipfile.ZipFile(next(Path(into).glob("*.whl")))


class Logged(NamedTuple):
    """One campaign's decisions under one policy: item, position, propensity, click (n,)."""

    item: I64
    position: I64
    p: F64
    r: F64


def logged(wheel: zipfile.ZipFile, policy: str, campaign: str) -> Logged:
    """The rows of the log, whose positions are 1 to 3."""
    frame = pd.read_csv(io.BytesIO(wheel.read(f"obp/dataset/obd/{policy}/{campaign}/{campaign}.csv")))
    columns = (frame[name].to_numpy() for name in ("item_id", "position", "propensity_score", "click"))
    item, position, p, r = columns
    return Logged(item, position - 1, p, r.astype(float))


def bernoulli_ts(wheel: zipfile.ZipFile, campaign: str) -> F64:
    """The policy's probabilities (items, 3 positions): its published priors, drawn from 100,000 times with the seed
    that the dataset's own quickstart uses."""
    prior = yaml.safe_load(wheel.read("obp/policy/conf/prior_bts.yaml"))[campaign]
    a, b = np.array(prior["alpha"]), np.array(prior["beta"])
    generator = np.random.RandomState(12345)
    served = np.concatenate([generator.beta(a, b, (10_000, len(a))).argsort()[:, ::-1][:, :3] for _ in range(10)])
    return np.stack([np.bincount(served[:, place], minlength=len(a)) for place in range(3)], axis=1) / len(served)


def test_random_to_bernoulli_ts(wheel: zipfile.ZipFile) -> None:
    log, pi = logged(wheel, "random", "all"), bernoulli_ts(wheel, "all")
    at = log.item, log.position
    w = pi[at] / log.p
    clicks, shown = np.zeros(pi.shape), np.zeros(pi.shape)
    np.add.at(clicks, at, log.r)
    np.add.at(shown, at, 1.0)
    q = (clicks + 10.0 * log.r.mean()) / (shown + 10.0)  # the tabular mean, as if 10 more had been shown
    q_chosen, q_target = q[at], (q * pi).sum(axis=0)[log.position]
    model = w, log.r, q_chosen, q_target
    found = {
        "ips": ope.ips(w, log.r),
        "snips": ope.snips(w, log.r),
        "dm": ope.dm(q_target),
        "dr": ope.dr(*model),
        "sndr": ope.sndr(*model),
        "switch": ope.switch_dr(*model, tau=10.0),
        "dros": ope.dros(*model, shrinkage=10.0),
        "sg-ips": ope.subgaussian_ips(w, log.r, correction=0.1),
    }
    assert {name: i.estimate for name, i in found.items()} == pytest.approx(
        {
            "ips": 0.00455288,
            "snips": 0.0047758330812309535,
            "dm": 0.004484923662238923,
            "dr": 0.004639311338456378,
            "sndr": 0.004646871653711066,
            "switch": 0.0043990083197655095,
            "dros": 0.004498962264862759,
            "sg-ips": 0.0030700284825104203,
        },
        rel=1e-10,
    )
    assert ope.diagnostics(ope.sums(ope.rows(w, log.r))).effective_users == pytest.approx(1639.5018736079446, rel=1e-10)


@pytest.mark.parametrize(("campaign", "published"), [("men", 0.00460423), ("women", 0.00681097)])
def test_the_other_campaigns(wheel: zipfile.ZipFile, campaign: str, published: float) -> None:
    log, pi = logged(wheel, "random", campaign), bernoulli_ts(wheel, campaign)
    assert round(ope.snips(pi[log.item, log.position] / log.p, log.r).estimate, 8) == published


def test_a_log_that_cannot_answer_shows_it(wheel: zipfile.ZipFile) -> None:
    """Bernoulli-TS hardly ever showed some items: for the uniform policy, two decisions carry all the weight."""
    log = logged(wheel, "bts", "women")
    health = ope.diagnostics(ope.sums(ope.rows(1.0 / 46 / log.p, log.r)))
    assert health.effective_users == pytest.approx(2.08, abs=0.005)
    assert health.largest_weight == pytest.approx(21_739, abs=1.0)


@pytest.mark.parametrize("kind", ["moderate", "heavy"])
def test_vowpal_wabbits_estimators_agree(kind: str) -> None:
    ips = import_module("estimators.bandits.ips").Estimator()
    snips = import_module("estimators.bandits.snips").Estimator()
    rng = np.random.default_rng(5)
    n = 2000
    p = rng.uniform(0.1, 1.0, n) if kind == "moderate" else rng.beta(0.5, 2.0, n) + 1e-3
    pi, r = rng.uniform(0.0, 1.0, n), rng.normal(size=n)
    for one in zip(p, r, pi, strict=True):
        ips.add_example(*map(float, one))
        snips.add_example(*map(float, one))
    assert ope.ips(pi / p, r).estimate == pytest.approx(ips.get(), rel=1e-12)
    assert ope.snips(pi / p, r).estimate == pytest.approx(snips.get(), rel=1e-12)
