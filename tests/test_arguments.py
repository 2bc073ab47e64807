"""Numbers that a call cannot take are refused by an error of the house that names the argument, whatever is given."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import oo_sim
import oo_sim.gate
from oo_sim.errors import ArgumentError, OoSimError, real, whole
from oo_sim.experiment import estimate, plan, shard

WRONG = (0, -1, 2.5, "3", True, math.nan, [1])
SIZES = {"users": (), "rounds": (), "replicates": (), "seed": (0,)}
WORKERS = {"workers": (), "threads": ()}
PAIR = ("random", "greedy")

Call = Callable[..., Any]
TAKES: list[tuple[Call, dict[str, tuple[object, ...]]]] = [
    (partial(oo_sim.run, "quickstart"), {**SIZES, **WORKERS, "block": (), "unit": (), "checkpoints": ("3", [1])}),
    (partial(oo_sim.compare, "quickstart", policies=PAIR), {**SIZES, **WORKERS, "bootstrap_seed": (0,)}),
    (partial(oo_sim.compare, "quickstart", policies=PAIR, until=0.1), {"users": (), "max_users": ()}),
    (partial(oo_sim.compare, "quickstart", policies=PAIR), {"until": (2.5,)}),
    (partial(oo_sim.sweep, "quickstart", policies=["linucb:alpha=[1,2]"]), {**SIZES, **WORKERS}),
    (partial(oo_sim.evaluate, "log", ["softmax"]), {"train_until": (), "level": (), "window": (0, 2.5)}),
    (partial(oo_sim.evaluate, "log", ["softmax"], "replay"), {"decisions": ()}),
    (partial(oo_sim.fit, "log"), {"segments": ("3",), "hold_out": (), "starts": (), "seed": (0,)}),
    (partial(oo_sim.audit_log, "log"), {"workers": ()}),
    (partial(oo_sim.gate.record, "quickstart", directory=Path("gate")), {"users": (), "power": (), "margin": (2.5,)}),
    (partial(oo_sim.gate.record, "quickstart", directory=Path("gate")), {**WORKERS, "rounds": ()}),
    (partial(shard, "quickstart", out="part", number=1, of=2), {**SIZES, "workers": (), "unit": (), "number": ()}),
    (lambda **given: estimate(plan("quickstart"), **given), {"workers": ()}),
]


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a small log."""
    place = tmp_path_factory.mktemp("arguments")
    oo_sim.run("tiny_sets", policies=["random"], users=3, rounds=3, events=True, out=place / "log", plot=False)
    return place


@pytest.mark.parametrize(
    ("call", "name", "right"), [(call, name, right) for call, takes in TAKES for name, right in takes.items()]
)
def test_a_number_that_is_wrong_is_refused_by_name(
    call: Call, name: str, right: tuple[object, ...], where: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(where)
    for value in WRONG:
        if not any(type(value) is type(each) and value == each for each in right):
            with pytest.raises(OoSimError, match=rf"\b{name}\b"):
                call(**{name: value})
    assert [path.name for path in where.iterdir()] == ["log"]


def test_numbers_of_numpy_are_numbers() -> None:
    assert whole("n", np.int64(3)) == 3
    assert real("x", np.float32(0.5), "a share", lambda share: share < 1) == 0.5
    with pytest.raises(ArgumentError, match="n must be a whole number from 1 to 3, not 4"):
        whole("n", 4, 1, 3)
