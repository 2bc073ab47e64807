"""The same bits wherever and however the units are done."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import pickle
import shutil
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oo_sim import Policy, RunLogError, load_run, run
from oo_sim.errors import WorkError
from oo_sim.experiment import merge, partial, plan, shard
from oo_sim.policies import make
from oo_sim.stats import mean_interval
from oo_sim.stats.exact import ExactMoments
from oo_sim.work import executors, play, versions
from oo_sim.work.executors import Done

from .cases import SCENARIO, SMALL, UNITS, files, kept, whole


@contextmanager
def _spawned() -> Iterator[Executor]:
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        yield pool


@contextmanager
def _loky() -> Iterator[Any]:
    loky = import_module("loky")
    pool = loky.get_reusable_executor(2)
    yield pool
    pool.shutdown(wait=True)


@pytest.mark.parametrize("unit", [64, 100, 1000, 5000])
@pytest.mark.parametrize("workers", [1, 2])
def test_in_this_process_and_its_forks(unit: int, workers: int) -> None:
    assert run(SCENARIO, **(SMALL | {"unit": unit, "workers": workers})).manifest.content_hash == whole()


def test_threads_of_the_callers() -> None:
    with ThreadPoolExecutor(3) as pool:
        assert run(SCENARIO, **SMALL, unit=64, executor=pool).manifest.content_hash == whole()


@pytest.mark.parametrize("made", [_spawned, pytest.param(_loky, marks=pytest.mark.slow)])
def test_processes_that_know_nothing_of_this_one(made: Callable[[], Any], tmp_path: Path) -> None:
    with made() as pool:
        found = run(SCENARIO, **SMALL, unit=200, executor=pool, out=tmp_path / "run", plot=False)
    assert found.manifest.content_hash == whole()


@pytest.mark.slow
@pytest.mark.timeout(1800)  # on a machine that is busy, a worker takes minutes to start again
def test_dask_with_a_worker_killed_in_the_middle(tmp_path: Path) -> None:
    import_module("distributed")
    with executors.dask("local:2") as pool:
        killed: list[int] = []

        def told(label: str, done: int, total: int) -> None:
            if done > total / 4 and not killed:
                client: Any = pool._client  # type: ignore[attr-defined]
                killed.append(min(client.run(os.getpid).values()))
                os.kill(killed[0], signal.SIGKILL)

        found = run(SCENARIO, **SMALL, unit=64, executor=pool, progress=told)
    assert killed
    assert found.manifest.content_hash == whole()


class _Dying:
    """An executor whose first tries of every third unit die with their worker."""

    def __init__(self) -> None:
        self.pool, self.count = ThreadPoolExecutor(1), 0

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
        self.count += 1
        if self.count % 3 == 0 and self.count <= UNITS:
            gone: Future[Any] = Future()
            gone.set_exception(ChildProcessError("the worker is gone"))
            return gone
        return self.pool.submit(fn, *args)


def test_a_unit_whose_worker_died_is_done_again() -> None:
    pool = _Dying()
    assert run(SCENARIO, **SMALL, unit=64, executor=pool).manifest.content_hash == whole()
    assert pool.count == UNITS + UNITS // 3


class _Counting:
    """An executor of two threads that keeps what comes back."""

    def __init__(self) -> None:
        self.pool, self.tasks = ThreadPoolExecutor(2), list[Future[Done]]()

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
        self.tasks.append(self.pool.submit(fn, *args))
        return self.tasks[-1]


@pytest.mark.parametrize(("checkpoints", "folded"), [("all", False), ("off", True)])
def test_small_units_go_several_to_a_task_and_come_back_as_sums(
    checkpoints: str, folded: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(executors, "_AHEAD", 4)
    pool, units = _Counting(), 2 * 20
    found = run(SCENARIO, **SMALL, unit=64, executor=pool, checkpoints=checkpoints)
    assert found.manifest.content_hash == run(SCENARIO, **SMALL, checkpoints=checkpoints).manifest.content_hash
    assert 2 * 4 <= len(pool.tasks) < units
    back = [len(task.result().played) for task in pool.tasks]
    assert sum(back) == (len(pool.tasks) if folded else units)
    assert found.manifest.moments == run(SCENARIO, **SMALL, checkpoints=checkpoints).manifest.moments
    kept_ = kept(tmp_path / "work", executor=_Counting(), checkpoints=checkpoints)
    assert len(files(tmp_path / "work")) == units  # where they are kept, each by itself
    assert kept_.manifest.content_hash == found.manifest.content_hash


def test_a_worker_with_other_versions_is_refused_by_name() -> None:
    world = plan(SCENARIO, policies=["linucb"], sizes={"users": 64, "rounds": 3})
    [(_, unit, _)] = world.units()
    for name, _ in versions():
        made = tuple((each, "0.0" if each == name else known) for each, known in versions())
        with pytest.raises(WorkError, match=rf"a worker on \S+ has {name} .+, and the work was made with 0\.0"):
            play(unit._replace(recipe=unit.recipe._replace(versions=made)))


def test_a_private_policy_travels_by_the_name_of_its_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "from oo_sim.policies import make\n\ndef mine():\n    return make('linucb')._replace(name='mine')\n"
    (tmp_path / "travelling.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    [(_, unit, _)] = plan(SCENARIO, policies=["travelling:mine"], sizes={"users": 64, "rounds": 3}).units()
    [(_, plain, _)] = plan(SCENARIO, policies=["linucb"], sizes={"users": 64, "rounds": 3}).units()
    assert unit.recipe.travels
    there = pickle.loads(pickle.dumps(unit))
    assert (play(there).totals == play(plain).totals).all()
    (tmp_path / "travelling.py").write_text(source + "# edited\n")
    [(_, other, _)] = plan(SCENARIO, policies=["travelling:mine"], sizes={"users": 64, "rounds": 3}).units()
    (tmp_path / "travelling.py").write_text(source)
    with pytest.raises(WorkError, match=r"policy travelling:mine: on \S+ its module or a file that it names differs"):
        play(other)


def test_a_unit_that_fails_everywhere_is_named() -> None:
    class Dead(_Dying):
        def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
            self.count = 2
            return super().submit(fn, *args)

    with pytest.raises(WorkError, match="a unit failed 3 times on a worker: the worker is gone"):
        run(SCENARIO, **SMALL, unit=64, executor=Dead())


def test_a_broken_pool_leaves_the_rest_to_this_process() -> None:
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
        broken = pool.submit(os._exit, 1)
        with pytest.raises(Exception, match="terminated"):
            broken.result()
        assert run(SCENARIO, **SMALL, unit=256, executor=pool).manifest.content_hash == whole()


@pytest.mark.parametrize("shards", [1, 2, 7])
def test_shards_merged(shards: int, tmp_path: Path) -> None:
    parts = [tmp_path / str(i) for i in range(shards)]
    for i, part in enumerate(parts):
        shard(SCENARIO, i + 1, shards, part, unit=64, **SMALL)
    merged = merge(parts[::-1], out=tmp_path / "run", plot=False)
    assert merged.manifest.content_hash == whole() == load_run(tmp_path / "run").manifest.content_hash


def test_a_missing_a_doubled_and_a_foreign_shard_are_named(tmp_path: Path) -> None:
    parts = [tmp_path / str(i) for i in range(3)]
    for i, part in enumerate(parts):
        shard(SCENARIO, i + 1, 3, part, unit=64, **SMALL)
    with pytest.raises(WorkError, match="shard 2/3 is missing"):
        merge([parts[0], parts[2]])
    with pytest.raises(WorkError, match="shard 1/3 is there 2 times"):
        merge([parts[0], *parts])
    for number, of in ((2, 3), (1, 2)):
        with pytest.raises(WorkError, match=rf"0: is shard 1/3; name another directory for shard {number}/{of}"):
            shard(SCENARIO, number, of, parts[0], unit=64, **SMALL)
    shard(SCENARIO, 1, 3, tmp_path / "other", unit=64, **(SMALL | {"rounds": 21}))
    other = r"other: was made for another run than .*0: its scenario.rounds is 21, and not 20; merge the shards of one"
    with pytest.raises(WorkError, match=other):
        merge([parts[0], parts[1], tmp_path / "other"])
    shutil.rmtree(tmp_path / "other")
    shard(SCENARIO, 1, 2, tmp_path / "other", unit=64, **SMALL)
    with pytest.raises(WorkError, match=r"other: .* it is shard 1/2, and not one of 3"):
        merge([parts[0], parts[1], tmp_path / "other"])
    with pytest.raises(WorkError, match=r"cannot be read|not a work directory"):
        merge([parts[0], tmp_path / "nowhere"])
    (tmp_path / "file").touch()
    with pytest.raises(WorkError, match="file: is a file, not a work directory"):
        merge([parts[0], tmp_path / "file"])
    gone = sorted((parts[1] / "units").rglob("*.unit"))[3]
    gone.rename(tmp_path / "aside")
    with pytest.raises(WorkError, match=r"a unit is missing \(of \w+, users \d+ to \d+, replicate 0\): run its shard"):
        merge(parts)
    data = bytearray((tmp_path / "aside").read_bytes())
    data[len(data) // 2] ^= 1
    gone.write_bytes(data)
    with pytest.raises(WorkError, match=r"\.unit is damaged"):
        merge(parts)
    shard(SCENARIO, 2, 3, parts[1], unit=64, **SMALL)
    assert merge(parts).manifest.content_hash == whole()


def test_shards_of_other_versions_and_with_and_without_states(tmp_path: Path) -> None:
    parts = [tmp_path / str(i) for i in range(3)]
    for i, part in enumerate(parts):
        shard(SCENARIO, i + 1, 3, part, unit=64, checkpoint_states=i == 1, **SMALL)
    about = json.loads((parts[2] / "work.json").read_text())
    del about["asked"]["states"], about["states"]  # as versions wrote that kept none
    (parts[2] / "work.json").write_text(json.dumps(about))
    assert merge(parts).manifest.content_hash == merge(parts[::-1]).manifest.content_hash == whole()
    about["versions"]["numpy"] = "1.0"
    (parts[2] / "work.json").write_text(json.dumps(about))
    with pytest.raises(WorkError, match=r"2: was made with numpy = '1.0', and this run has"):
        merge(parts)


def test_several_replicates_and_a_policy_that_fails(tmp_path: Path) -> None:
    def broken(state: Any, batch: Any, noise: Any) -> Any:
        if batch.t[0] == 3:
            raise ArithmeticError("no more")
        return np.zeros(batch.mask.shape)

    bad = make("random")._replace(name="bad", score=broken)
    settings: dict[str, Any] = {"users": 200, "rounds": 6, "replicates": 3, "workers": 1}
    one = run(SCENARIO, policies=["linucb", bad, "random"], **settings)
    many = run(SCENARIO, policies=["linucb", bad, "random"], unit=64, out=tmp_path / "run", plot=False, **settings)
    assert one.manifest.content_hash == many.manifest.content_hash
    assert one.failures == many.failures
    assert list(one.failures) == ["bad"]
    assert set(many.users["policy"]) == {"linucb", "random"}


def test_what_cannot_travel_is_refused(tmp_path: Path) -> None:
    mine: Policy = make("linucb")._replace(name="mine")
    with ThreadPoolExecutor(1) as pool, pytest.raises(WorkError, match=r"policy mine .* name it module:factory"):
        run(SCENARIO, policies=[mine], users=4, rounds=2, executor=pool)
    with pytest.raises(WorkError, match=r"policy mine .* name it module:factory to keep its work"):
        run(SCENARIO, policies=[mine], users=4, rounds=2, resume=tmp_path / "work")
    assert run(SCENARIO, policies=[mine], users=4, rounds=2).rows


@pytest.mark.parametrize("checkpoints", ["last", "off", "5,10"])
def test_a_thinned_users_table_says_the_same(checkpoints: str, tmp_path: Path) -> None:
    plain = run(SCENARIO, **SMALL)
    for found in (
        run(SCENARIO, **SMALL, checkpoints=checkpoints),
        kept(tmp_path / "work", checkpoints=checkpoints, out=tmp_path / "run", plot=False),
        load_run(tmp_path / "run"),
    ):
        assert found.curves.equals(plain.curves)
        marks = {"last": [20], "off": [], "5,10": [5, 10, 20]}[checkpoints]
        assert found.users.equals(plain.users[plain.users["round"].isin(marks)].reset_index(drop=True))
        numbers = found.frame().drop(columns=["policy", "decisions_per_second"]).to_numpy(float)
        mine = plain.frame().drop(columns=["policy", "decisions_per_second"]).to_numpy(float)
        np.testing.assert_allclose(numbers, mine, rtol=1e-9)
        assert found.table()
        assert found.figure()


def test_checkpoints_that_are_none_are_refused() -> None:
    for wrong in ("0,5", "21", "some", "", "5,"):
        with pytest.raises(WorkError, match="must be all, last, off, or numbers from 1 to 20"):
            run(SCENARIO, **SMALL, checkpoints=wrong)
    with pytest.raises(WorkError, match="intervals average each user over 2 replicates"):
        run(SCENARIO, **SMALL, replicates=2, checkpoints="off")


def test_partial_results_are_those_of_the_first_users(tmp_path: Path) -> None:
    with pytest.raises((WorkError, RunLogError)):
        partial(tmp_path / "work")
    kept(tmp_path / "work", users=640)
    kept(tmp_path / "work", users=640, policies=["linucb", "egreedy", "random"])
    for path in (tmp_path / "work").glob("units/*/0-448-64.unit"):
        path.unlink()
        break
    found = partial(tmp_path / "work")
    assert found.manifest.users == 448
    wanted = run(SCENARIO, **(SMALL | {"users": 448, "policies": ["linucb", "egreedy", "random"]}))
    assert found.manifest.content_hash == wanted.manifest.content_hash


@pytest.mark.parametrize("n", [0, 1, 2, 5000])
def test_moments_are_exact_in_any_order(n: int) -> None:
    values = np.random.default_rng(n).uniform(-2, 2, (3, n))
    values[:, : n // 2] = np.round(values[:, : n // 2], 3)
    whole_, cuts = ExactMoments.of(values), sorted({0, n // 7, n // 3, n})
    parts = [ExactMoments.of(values[:, a:b]) for a, b in itertools.pairwise(cuts)][::-1]
    merged = ExactMoments(0, (0, 0, 0), (0, 0, 0))
    for part in parts:
        merged = merged.merged(part)
    assert merged == whole_ or n == 0
    for i in range(3):
        wanted, got = mean_interval(values[i]), merged.interval(i, 0.95)
        np.testing.assert_allclose(tuple(got), tuple(wanted), rtol=1e-10, atol=1e-12)
        rounded = [Fraction(round(v * 2**40)) for v in values[i].tolist()]
        assert (merged.sums[i], merged.squares[i]) == (sum(rounded), sum(v * v for v in rounded))
