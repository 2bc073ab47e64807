"""What tests of tip banks share: a small scenario, two banks of it, a run with both, and how one is played."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from oo_sim import Run, Scenario, load_scenario, run
from oo_sim.generator import Options, TipGenerator, open_gateway
from oo_sim.generator.bank import Record, generate_bank, read_bank
from oo_sim.scenario import validate
from oo_sim.tipbanks import scenario_work

USERS, ROUNDS = 5, 12
SMALL = load_scenario("llm_tips").with_(users=USERS, rounds=ROUNDS)
POLICIES = ["linucb:features=oo7x", "egreedy"]


@pytest.fixture(scope="session")
def banks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with two banks: of a small model without retries, and of a good one."""
    folder = tmp_path_factory.mktemp("banks")
    for name, profile, retries in (("small", "hostile", 0), ("good", "perfect", 2)):
        with TipGenerator(open_gateway(f"mock:{profile}"), None, Options(retries=retries)) as client:
            generate_bank(client, scenario_work(SMALL), 3, folder / f"{name}.parquet")
    return folder


@pytest.fixture(scope="session")
def logged(banks: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Both banks and none, with events."""
    out = tmp_path_factory.mktemp("runs") / "run"
    return play(["none", banks / "small.parquet", banks / "good.parquet"], events=True, out=out)


def play(llm: Sequence[str | Path] | None, scenario: Scenario = SMALL, **settings: Any) -> Run:
    defaults: dict[str, Any] = {"policies": POLICIES, "threads": 1, "plot": False}
    return run(scenario, llm=llm, **(defaults | settings))


def records(path: Path) -> dict[tuple[str, int], Record]:
    """The records of a bank by user and round."""
    return {(one.user_id, at % ROUNDS): one for at, one in enumerate(read_bank(path).records)}


def changed(world: dict[str, Any], **top: Any) -> Scenario:
    data = SMALL.canonical() | top
    return validate(data | {"world": data["world"] | world})
