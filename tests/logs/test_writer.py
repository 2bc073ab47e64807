"""A run directory appears whole or not at all, and its bytes depend on its rows alone."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oo_sim.logs import DECISIONS, RunFiles, RunLogError, RunWriter, check_free, content_hash, hashing
from oo_sim.logs import writer as writer_module
from oo_sim.logs.parts import rows_of

from .conftest import SOURCE, curves, events, manifest, users

NAMES = ("decisions", "learnings")


KEYS = [(1, 1), (0, 0), (1, 0), (0, 1)]


def write(out: Path, cuts: Sequence[int] = (), *, threads: int = 1, expected: bool = False) -> Path:
    """Four parts of eight rounds of events, each cut into batches at `cuts`."""

    def fill(writer: RunWriter, replicate: int, group: int) -> None:
        rounds = [events(50, 8 * replicate + r + 100 * group) for r in range(8)]
        for name, batches in zip(NAMES, zip(*rounds, strict=True), strict=True):
            whole = pa.Table.from_batches(batches).combine_chunks().to_batches()[0]
            with_ends = [0, *sorted(min(cut, whole.num_rows) for cut in cuts), whole.num_rows]
            sink = writer.part(name, 0, replicate, group)
            for start, stop in itertools.pairwise(with_ends):
                sink.write(whole.slice(start, stop - start))
            sink.close()

    with RunWriter(out) as writer:
        if expected:
            writer.expect([(0, *key) for key in sorted(KEYS)], {"hash-1": ("a", "b", "c")})
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda key: fill(writer, *key), KEYS))
        writer.write_manifest(manifest())
        writer.write_table("curves", curves())
        writer.write_table("users", users())
        return writer.commit()


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return contents(write(tmp_path_factory.mktemp("reference") / "run"))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, 400), max_size=12), threads=st.integers(1, 4), expected=st.booleans())
def test_bytes_do_not_depend_on_batches_or_threads(
    reference: dict[str, bytes], tmp_path: Path, cuts: list[int], threads: int, expected: bool
) -> None:
    out = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
    assert contents(write(out, cuts, threads=threads, expected=expected)) == reference


def test_row_groups_do_not_change_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # 1600 rows in groups of 128, so that groups end inside parts and batches, and sinks flush at odd places.
    monkeypatch.setattr("oo_sim.logs.writer.ROW_GROUP", dict.fromkeys(("curves", "users", *NAMES), 128))
    whole = contents(write(tmp_path / "whole"))
    monkeypatch.setattr("oo_sim.logs.writer.HELD_BYTES", dict.fromkeys(("users", *NAMES), 5000))
    monkeypatch.setattr("oo_sim.logs.joined._WAITING_BYTES", 10_000)
    for expected in (False, True):
        out = tmp_path / f"cut-{expected}"
        assert contents(write(out, [1, 3, 77, 200, 201], threads=3, expected=expected)) == whole


@given(sizes=st.lists(st.integers(0, 40), max_size=8), size=st.integers(1, 50))
def test_rows_of_keeps_rows_and_fills_groups(sizes: list[int], size: int) -> None:
    schema = pa.schema([("a", pa.int64())])
    numbers = iter(range(10_000))
    batches = [pa.record_batch([pa.array([next(numbers) for _ in range(n)], pa.int64())], schema) for n in sizes]
    groups = list(rows_of(batches, schema, size))
    assert [g["a"].num_chunks for g in groups] == [1] * len(groups)
    assert [v for g in groups for v in g["a"].to_pylist()] == list(range(sum(sizes)))
    assert all(g.num_rows == size for g in groups[:-1])
    assert not groups or 0 < groups[-1].num_rows <= size


def test_parts_come_in_order_of_policy_replicate_group(tmp_path: Path) -> None:
    table = RunFiles(write(tmp_path / "run")).decisions().table(["replicate", "t"])
    assert [t // 8 for t in table["t"].to_pylist()[::400]] == [0, 12, 1, 13]  # t = 8 replicate + 100 group


def test_features_stand_in_the_decisions_file(tmp_path: Path) -> None:
    files = RunFiles(write(tmp_path / "run"))
    assert files.decisions().features == {"hash-1": ("a", "b", "c")}
    assert files.decisions().schema.equals(DECISIONS)


def test_a_dropped_policy_leaves_no_rows(tmp_path: Path) -> None:
    decisions, _ = events()
    with RunWriter(tmp_path / "run") as writer:
        for policy in (0, 1):
            sink = writer.part("decisions", policy, 0, 0)
            sink.write(decisions)
            if policy == 0:
                sink.close()
        writer.drop(1)
        writer.write_manifest(manifest())
        out = writer.commit()
    assert RunFiles(out).decisions().num_rows == decisions.num_rows
    assert not (out / "parts").exists()


def test_parts_are_written_when_it_is_their_turn_and_dropped_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oo_sim.logs.writer.ROW_GROUP", dict.fromkeys(("curves", "users", *NAMES), 16))
    labels, rows = ("a", "b", "c"), {}
    with RunWriter(tmp_path / "run") as writer:
        writer.expect([(policy, 0, group) for policy in range(3) for group in range(2)], {})
        for policy, label in enumerate(labels):
            for group in (1, 0):
                if (policy, group) == (1, 1):
                    continue  # of the policy that fails, this one never comes
                sink = writer.part("decisions", policy, 0, group)
                sink.write(batch := events(50, group, SOURCE._replace(label=label))[0])
                sink.close()
                rows[label, group] = batch
            left = [path.name for path in (writer.directory / "parts").iterdir()]
            assert not left
        assert (writer.directory / "decisions.parquet").exists()
        writer.drop(1)
        writer.write_manifest(manifest())
        out = writer.commit()
    table = RunFiles(out).decisions().table(DECISIONS.names)
    kept = pa.Table.from_batches([rows[key] for key in (("a", 0), ("a", 1), ("c", 0), ("c", 1))])
    assert table.equals(kept.cast(DECISIONS))


def test_what_went_wrong_with_a_part_is_not_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with RunWriter(tmp_path / "run") as writer:
        writer.expect([(0, 0, 0)], {})
        sink = writer.part("decisions", 0, 0, 0)
        sink.write(events(9000)[0])
        with monkeypatch.context() as patch:
            patch.setattr("oo_sim.logs.joined.ParquetFile.write", full)
            with pytest.raises(OSError, match="No space left"):
                sink.close()
        writer.write_manifest(manifest())
        with pytest.raises(OSError, match="No space left"):
            writer.commit()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemExit])
def test_an_exception_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def interrupted() -> None:
        with RunWriter(tmp_path / "run") as writer:
            writer.write_manifest(manifest())
            writer.part("decisions", 0, 0, 0).write(events()[0])
            assert sorted(p.name.split("-partial-")[0] for p in tmp_path.iterdir()) == [".run.oo-sim", "run"]
            assert not list((tmp_path / "run").iterdir())  # the name alone is reserved
            raise error

    with pytest.raises(error):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_leaving_without_commit_leaves_nothing(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "run") as writer:
        writer.write_manifest(manifest())
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_never_overwritten(tmp_path: Path) -> None:
    taken = tmp_path / "run"
    taken.mkdir()
    check_free(taken)
    (taken / "notes.txt").write_text("mine")
    with pytest.raises(RunLogError, match=r"run: is not empty, and a run is never overwritten"):
        RunWriter(taken)
    with pytest.raises(RunLogError, match="is in the way"):
        RunWriter(taken / "notes.txt")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(RunLogError, match="is in the way"):
        RunWriter(tmp_path / "link")
    assert (taken / "notes.txt").read_text() == "mine"


def test_a_directory_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "run"

    def overtaken() -> None:
        with RunWriter(out) as writer:
            writer.write_manifest(manifest())
            (out / "notes.txt").write_text("mine")
            writer.commit()

    with pytest.raises(RunLogError, match="appeared while the run was written"):
        overtaken()
    assert [p.name for p in tmp_path.rglob("*")] == ["run", "notes.txt"]


def test_an_empty_directory_may_become_the_run(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    said = json.loads((write(tmp_path / "run") / "manifest.json").read_text())
    assert said == manifest().as_dict() | {"rows": {"decisions": 1600, "learnings": 1344}}


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunLogError, match="cannot be"), RunWriter(tmp_path / "file" / "run"):
        pass


def test_wrong_use_is_refused(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "run") as writer:
        sink = writer.part("decisions", 0, 0, 0)
        with pytest.raises(ValueError, match="opened twice"):
            writer.part("decisions", 0, 0, 0)
        with pytest.raises(ValueError, match="another schema"):
            sink.write(events()[1])
        with pytest.raises(ValueError, match="before commit"):
            writer.commit()
        writer.write_manifest(manifest())
        with pytest.raises(ValueError, match="close the part"):
            writer.commit()
        sink.close()
        with pytest.raises(ValueError, match="closed"):
            sink.write(events()[0])
        with pytest.raises(ValueError, match="JSON"):
            writer.write_manifest(replace(manifest(), timing={"linucb": {"seconds": float("nan")}}))
        with pytest.raises(ValueError, match="wrong columns"):
            writer.write_table("users", curves())


def test_a_policys_users_are_joined_as_soon_as_they_are_all_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(writer_module.HELD_BYTES, "users", 1)
    with RunWriter(tmp_path / "run") as writer:
        writer.expect_users(3)
        for policy in (1, 0, 2):
            for batch in users().to_batches():
                writer.users_of(policy).write(batch)
        left = []
        for policy in (1, 0, 2):  # the second waits for the first
            writer.users_of(policy).close()
            left.append(len(list((writer.directory / "parts").iterdir())))
        assert left == [3, 1, 0]
        assert pq.read_table(writer.join_users()).num_rows == 3 * users().num_rows


def test_the_hash_of_a_file_holds_few_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = 1 << 16
    numbers = pa.table({"a": np.random.default_rng(1).random(40 * rows)})  # 21 MB, which nothing can pack
    pq.write_table(numbers, tmp_path / "a.parquet", row_group_size=rows)
    held, hashed = [pa.total_allocated_bytes()], hashing._bytes

    def seen(chunk: pa.Array) -> memoryview:
        held.append(pa.total_allocated_bytes())
        return hashed(chunk)

    monkeypatch.setattr(hashing, "_bytes", seen)
    assert content_hash(tmp_path / "a.parquet") == content_hash(numbers)
    assert len(held) > 80
    assert max(held) - held[0] < 10e6  # a row group takes 1.2 MB; other threads give a few back late


def test_content_hash_is_of_rows_not_of_chunks() -> None:
    whole = users()
    chunked = pa.concat_tables([whole.slice(i, 1) for i in range(whole.num_rows)])
    assert content_hash(whole, curves()) == content_hash(chunked, curves())
    renamed = whole.set_column(2, "user_id", pa.array(["user-0user", "-0"] * 5))
    shifted = whole.set_column(2, "user_id", pa.array(["user-0", "user-0"] * 5))
    other_null = whole.set_column(3, "segment", pa.array([""] * 10))
    tables = [whole, renamed, shifted, other_null, whole.slice(0, 9)]
    assert len({content_hash(table) for table in tables}) == len(tables)
