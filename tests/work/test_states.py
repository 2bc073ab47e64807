"""More rounds go on from those that are there: the same bits as from the start, and only the new rounds are played."""

from __future__ import annotations

import importlib
import json
import random
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from oo_sim import run
from oo_sim.engine import run as engine
from oo_sim.errors import WorkError
from oo_sim.experiment import merge, shard

from .cases import SCENARIO, forked

SIZES: dict[str, Any] = {"policies": ["linucb", "egreedy"], "users": 5 * 64 - 10, "workers": 1}
UNITS = 10  # of 64 users


def fresh(rounds: int, **more: Any) -> str:
    """The content hash of a run from its start."""
    return run(SCENARIO, **(SIZES | more), rounds=rounds).manifest.content_hash


def kept(work: Path, rounds: int, **more: Any) -> str:
    """The same in a work directory that keeps states."""
    settings = SIZES | {"resume": work, "unit": 64, "checkpoint_states": True} | more
    return run(SCENARIO, rounds=rounds, **settings).manifest.content_hash


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine rounds, with their states."""
    work = tmp_path_factory.mktemp("states") / "work"
    kept(work, 9)
    return work


@pytest.fixture
def copy(work: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(work, tmp_path / "work"))


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The round in which each block began, but for those that only warm up."""
    rounds, loop = list[int](), engine.loop

    def watched(*given: Any) -> Any:
        if given[4] > 1:
            rounds.append(given[8].rounds if given[8] else 0)
        return loop(*given)

    monkeypatch.setattr(engine, "loop", watched)
    return rounds


@pytest.mark.parametrize("checkpoints", ["all", "last", "off", "1,9,12"])
def test_only_new_rounds_are_played(copy: Path, begun: list[int], checkpoints: str) -> None:
    expected = [fresh(rounds, checkpoints=checkpoints) for rounds in (14, 15)]
    begun.clear()
    assert kept(copy, 14, checkpoints=checkpoints) == expected[0]
    assert begun == [9] * UNITS
    assert kept(copy, 15, checkpoints=checkpoints) == expected[1]
    assert begun == [9] * UNITS + [14] * UNITS
    assert kept(copy, 9) == fresh(9)


def test_more_users_and_policies_begin_at_the_start(copy: Path, begun: list[int]) -> None:
    more: dict[str, Any] = {"users": 6 * 64, "policies": ["linucb", "random"]}
    expected = fresh(12, **more)
    begun.clear()
    assert kept(copy, 12, **more) == expected
    assert sorted(begun) == [0] * 8 + [9] * 4  # the last unit was short, and is another now


def _flip(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


@pytest.mark.parametrize("damage", [_flip, _cut])
@pytest.mark.parametrize("kind", ["state", "unit"])
def test_what_is_damaged_is_never_used(
    damage: Callable[[bytearray, random.Random], None], kind: str, copy: Path, begun: list[int]
) -> None:
    chance = random.Random(kind + damage.__name__)
    for path in sorted(copy.glob(f"units/*/*.{kind}")):
        data = bytearray(path.read_bytes())
        damage(data, chance)
        path.write_bytes(data)
    expected = fresh(12)
    begun.clear()
    assert kept(copy, 12) == expected
    assert begun == [0] * UNITS


def test_another_units_state_is_not_used(copy: Path, begun: list[int]) -> None:
    for folder in copy.glob("units/*"):
        paths = sorted(folder.glob("*-64.state"))
        states = [path.read_bytes() for path in paths]
        for path, state in zip(paths, states[1:] + states[:1], strict=True):
            path.write_bytes(state)
    expected = fresh(12)
    begun.clear()
    assert kept(copy, 12) == expected
    assert sorted(begun) == [0] * 8 + [9] * 2


def test_a_state_that_lacks_a_checkpoint_is_not_used(tmp_path: Path, begun: list[int]) -> None:
    kept(tmp_path, 9, checkpoints="last")
    expected = fresh(12)
    begun.clear()
    assert kept(tmp_path, 12) == expected
    assert begun == [0] * UNITS


@pytest.mark.parametrize("change", [{"seed": 9}, {"rounds": 12, "versions": "1.26.0"}])
def test_what_does_not_belong_is_refused_by_name(change: dict[str, Any], copy: Path) -> None:
    if number := change.pop("versions", None):
        about = json.loads((copy / "work.json").read_text())
        about["versions"]["numpy"] = number
        (copy / "work.json").write_text(json.dumps(about))
    with pytest.raises(
        WorkError, match=r"was made with (numpy = '1\.26\.0'|its scenario's seed = \d+), and this run has"
    ):
        kept(copy, **({"rounds": 9} | change))


def test_without_states_other_rounds_are_refused_with_what_to_do(tmp_path: Path) -> None:
    kept(tmp_path, 9, checkpoint_states=False)
    with pytest.raises(WorkError, match=r"rounds = 9, and this run has 12; .*\(--checkpoint-states\)"):
        kept(tmp_path, 12)
    with pytest.raises(ValueError, match="name one with resume="):
        run(SCENARIO, **SIZES, checkpoint_states=True)


def test_states_that_are_asked_for_later_are_made(tmp_path: Path, begun: list[int]) -> None:
    kept(tmp_path, 9, checkpoint_states=False)
    begun.clear()
    kept(tmp_path, 9)
    kept(tmp_path, 12)
    assert begun == [0] * UNITS + [9] * UNITS


def test_several_processes_and_executors_go_on_too(copy: Path, tmp_path: Path) -> None:
    expected, other = fresh(12), Path(shutil.copytree(copy, tmp_path / "other"))
    twins = [forked(partial(kept, copy, 12)) for _ in range(2)]
    for twin in twins:
        twin.join(60)
        assert twin.exitcode == 0
    assert kept(copy, 12) == expected
    with ThreadPoolExecutor(2) as pool:
        assert kept(other, 12, executor=pool) == expected


def test_an_interrupted_run_goes_on(copy: Path, begun: list[int]) -> None:
    heard: list[int] = []

    def hear(label: str, done: int, total: int) -> None:
        heard.append(done)
        if done > total // 2:
            raise KeyboardInterrupt

    expected = fresh(12)
    begun.clear()
    with pytest.raises(KeyboardInterrupt):
        kept(copy, 12, progress=hear)
    assert heard == sorted(heard)
    done = len(begun)
    assert kept(copy, 12) == expected
    assert set(begun) == {9}
    assert UNITS <= len(begun) <= UNITS + 1
    assert 0 < done < UNITS


def test_shards_go_on_in_the_units_that_they_had(
    tmp_path: Path, begun: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("oo_sim.experiment.plan")
    monkeypatch.setattr(module, "BLOCK", 64)
    monkeypatch.setattr(module, "UNIT_DECISIONS", 128 * 9)  # with 18 rounds, a unit would have 64 users
    expected, parts = fresh(18), [tmp_path / f"part-{i}" for i in (1, 2)]
    begun.clear()
    for rounds in (9, 18):
        for i, part in enumerate(parts, 1):
            shard(SCENARIO, i, 2, part, rounds=rounds, checkpoint_states=True, **SIZES)
    assert begun == [0] * 6 + [9] * 6
    assert merge(parts).manifest.content_hash == expected
