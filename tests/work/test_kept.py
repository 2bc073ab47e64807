"""Work that is kept: nothing wrong is ever used, nothing right is done twice, whatever happens in between."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oo_sim import compare, run, sweep
from oo_sim.errors import WorkError
from oo_sim.experiment import status, working
from oo_sim.experiment.plan import plan
from oo_sim.work import Played, Store, Unit, play

from .cases import SCENARIO, SMALL, UNITS, files, forked, kept, whole


def test_a_run_that_is_there_is_not_done_again(tmp_path: Path) -> None:
    assert kept(tmp_path / "work").manifest.content_hash == whole()
    before = files(tmp_path / "work")
    assert len(before) == UNITS
    assert kept(tmp_path / "work", out=tmp_path / "run", plot=False).manifest.content_hash == whole()
    assert files(tmp_path / "work") == before


@pytest.mark.parametrize(
    ("change", "new"),
    [
        ({"users": 20 * 64 + 70}, 2 * 3),  # up to the end of the short last unit, a whole one, and the rest
        ({"policies": ["linucb", "egreedy", "random"]}, 20),
        ({"replicates": 2}, 40),
        ({"policies": ["linucb-v1", "egreedy:epsilon=0.1"]}, 0),
        ({"users": 640}, 0),
        ({"unit": 640}, 0),
        ({"checkpoints": "last"}, 0),
    ],
)
def test_what_is_added_is_all_that_is_computed(change: dict[str, Any], new: int, tmp_path: Path) -> None:
    kept(tmp_path / "work")
    before = files(tmp_path / "work")
    found = kept(tmp_path / "work", **change)
    after = files(tmp_path / "work")
    assert before.items() <= after.items()
    assert len(after) - len(before) == new
    assert found.manifest.content_hash == run(SCENARIO, **(SMALL | change)).manifest.content_hash


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 9}, r"was made with its scenario's seed = \d+, and this run has 9"),
        ({"rounds": 21}, r"scenario's rounds = 20, and this run has 21"),
        ({"scenario": "quickstart"}, r"scenario's name = 'backlog', and this run has 'quickstart'"),
    ],
)
def test_what_does_not_belong_is_refused_with_the_difference(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    kept(tmp_path / "work")
    before, settings = files(tmp_path / "work"), SMALL | {"unit": 64, "resume": tmp_path / "work"} | change
    with pytest.raises(WorkError, match=message):
        run(settings.pop("scenario", SCENARIO), **settings)
    assert files(tmp_path / "work") == before
    assert kept(tmp_path / "work").manifest.content_hash == whole()


def test_other_versions_are_refused_by_name(tmp_path: Path) -> None:
    kept(tmp_path / "work")
    about = json.loads((tmp_path / "work" / "work.json").read_text())
    about["versions"]["numpy"] = "1.26.0"
    (tmp_path / "work" / "work.json").write_text(json.dumps(about))
    with pytest.raises(WorkError, match=r"work: was made with numpy = '1\.26\.0', and this run has '2"):
        kept(tmp_path / "work")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"scenario": 1}'])
def test_a_directory_that_is_something_else_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(WorkError, match="is not a work directory, and not empty"):
        kept(tmp_path)
    (tmp_path / "work.json").write_text(content)
    with pytest.raises(WorkError, match=r"work\.json: (cannot be read|does not describe)"):
        kept(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def _flip(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


def _empty(data: bytearray, chance: random.Random) -> None:
    data.clear()


@pytest.mark.parametrize("harm", [_flip, _cut, _empty])
def test_a_damaged_unit_is_done_again_and_no_other(
    harm: Callable[[bytearray, random.Random], None], tmp_path: Path
) -> None:
    chance, work = random.Random(1), tmp_path / "work"
    kept(work)
    before = files(work)
    harmed = chance.sample(sorted(before), 10)
    for name in harmed:
        data = bytearray((work / name).read_bytes())
        harm(data, chance)
        (work / name).write_bytes(data)
    assert kept(work).manifest.content_hash == whole()
    after = files(work)
    assert {name for name in after if after[name][0] != before[name][0]} <= set(harmed)
    before = files(work)
    assert kept(work).manifest.content_hash == whole()
    assert files(work) == before


def test_a_unit_under_anothers_name_is_not_taken(tmp_path: Path) -> None:
    work = tmp_path / "work"
    kept(work)
    one, other = sorted(work.glob("units/*/0-64-64.unit"))
    data = one.read_bytes()
    one.write_bytes(other.read_bytes())  # of the other policy
    other.write_bytes(data)
    third = other.with_name("0-128-64.unit")
    third.write_bytes(third.with_name("0-192-64.unit").read_bytes())  # of other users
    assert kept(work).manifest.content_hash == whole()


def _noting(work: Path, notes: Path, together: int = 1, **changes: Any) -> None:
    """The run, and in `notes` a line for each unit that is computed, none before so many processes have one."""
    plain = play

    def noted(unit: Unit, *arguments: Any) -> Played:
        with notes.open("a") as file:
            file.write(f"{unit.recipe.policy} {unit.first} {os.getpid()}\n")
        while len({line.split()[-1] for line in notes.read_text().splitlines()}) < together:
            time.sleep(0.001)
        return plain(unit, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(working, "play", noted)
        assert kept(work, **changes).manifest.content_hash == whole()


def test_two_processes_share_the_work(tmp_path: Path) -> None:
    work, notes = tmp_path / "work", tmp_path / "notes"
    whole()
    crew = [forked(lambda: _noting(work, notes, 2)) for _ in range(2)]
    for process in crew:
        process.join()
    assert [process.exitcode for process in crew] == [0, 0]
    lines = [line.split() for line in notes.read_text().splitlines()]
    assert len(lines) == len({(policy, first) for policy, first, _ in lines}) == UNITS  # none was done twice
    assert {who for _, _, who in lines} == {str(process.pid) for process in crew}


def test_what_a_killed_process_had_taken_is_done_by_the_other(tmp_path: Path) -> None:
    work, notes = tmp_path / "work", tmp_path / "notes"
    whole()
    first = forked(lambda: _noting(work, notes, users=200_000))
    while not files(work):
        time.sleep(0.001)
    assert f"process {first.pid}" in status(work).holders[0]
    assert "works here" in status(work).lines()[0]
    while len(files(work)) < 2:
        time.sleep(0.001)
    assert "decisions/s lately: " in status(work).lines()[1]
    second = forked(lambda: _noting(work, notes))
    while len(status(work).holders) < 2 and second.is_alive():
        time.sleep(0.001)
    first.kill()
    for process in (first, second):
        process.join()
    assert second.exitcode == 0
    assert status(work).holders == []


def test_compare_and_sweep_keep_their_work_too(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"users": 100, "rounds": 10, "workers": 1}
    plain = compare("quickstart", "backlog", policies=["linucb", "egreedy"], **settings)
    first = compare("quickstart", "backlog", policies=["linucb", "egreedy"], resume=tmp_path / "c", **settings)
    before = files(tmp_path / "c" / "quickstart") | files(tmp_path / "c" / "backlog")
    again = compare("quickstart", "backlog", policies=["linucb", "egreedy"], resume=tmp_path / "c", **settings)
    assert plain.as_dict() == first.as_dict() == again.as_dict()
    assert files(tmp_path / "c" / "quickstart") | files(tmp_path / "c" / "backlog") == before
    swept = sweep("quickstart", policies=["linucb:alpha=[0.5,1]"], resume=tmp_path / "s", **settings)
    wider = sweep("quickstart", policies=["linucb:alpha=[0.5,1,2]"], resume=tmp_path / "s", **settings)
    assert len(files(tmp_path / "s")) == 3
    assert wider.as_dict()["rows"][0]["reward"] == swept.as_dict()["rows"][0]["reward"]


def test_more_and_more_users_until_it_is_settled_compute_what_is_new(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"policies": ["linucb", "random"], "rounds": 5, "until": 0.05, "workers": 1}
    plain = compare("quickstart", **settings)
    found = compare("quickstart", resume=tmp_path / "work", **settings)
    assert found.as_dict() == plain.as_dict()
    looks, ends = len(found.as_dict()["looks"]) if "looks" in found.as_dict() else 1, files(tmp_path / "work")
    assert len(ends) >= 2 * looks or looks == 1


def test_events_are_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="events are written where they are made"):
        kept(tmp_path / "work", events=True, out=tmp_path / "run")


def test_hashes_of_decisions_are_kept_and_are_those_of_any_division(tmp_path: Path) -> None:
    """A hashed unit comes back as it was; one that is kept without hashes is done again where they are asked for; and
    the hashes of two halves are those of the whole, whatever the blocks."""
    planned = plan(SCENARIO, policies=["egreedy"], sizes={"users": 90, "rounds": 20})
    planned.remember()
    plain = next(planned.units())[1]
    whole, halves = plain._replace(hashed=True), [(0, 40), (40, 50)]
    played = play(whole, workers=1)
    parts = [play(whole._replace(first=first, users=users), workers=1, block=64) for first, users in halves]
    assert played.hashes.shape == (1, 90)
    assert len(np.unique(played.hashes)) == 90
    assert np.array_equal(played.hashes, np.concatenate([part.hashes for part in parts], axis=1))
    with Store(tmp_path / "work") as store:
        for unit, done, readable in ((plain, play(plain, 1), (True, False)), (whole, played, (True, True))):
            store.write(unit, done)
            path = store.kept(unit.recipe, unit.marks, 90, 0)[0].path
            assert tuple(store.read(asked, path) is not None for asked in (plain, whole)) == readable
        found = store.read(whole, path)
        assert found is not None
        assert all(np.array_equal(getattr(found, name), getattr(played, name)) for name in ("sums", "totals", "hashes"))
