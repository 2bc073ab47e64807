"""Directories that are no runs, or damaged ones, are refused by naming the file and the fault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from oo_sim.logs import DECISIONS, RunFiles, RunLogError, RunWriter

from .conftest import curves, events, manifest, manifest_data, users


def test_what_was_written_is_read(run_directory: Path) -> None:
    files = RunFiles(str(run_directory))
    assert files.manifest == manifest()
    assert files.table("curves").equals(curves())
    assert files.users().to_dict("list") == users().to_pandas().to_dict("list")
    assert files.curves()["reward"].sum() == 3.0
    assert not files.has_events


def test_a_run_without_events_says_so(run_directory: Path) -> None:
    files = RunFiles(run_directory)
    with pytest.raises(RunLogError, match="without events; run again with --events, in Python"):
        files.decisions()
    with pytest.raises(RunLogError, match="holds no learnings"):
        files.learnings()


def test_events_are_streamed_or_read_whole(tmp_path: Path) -> None:
    decisions, learnings = events(30)
    with RunWriter(tmp_path / "run") as writer:
        writer.write_manifest(manifest())
        for name, batch in (("decisions", decisions), ("learnings", learnings)):
            sink = writer.part(name, 0, 0, 0)
            sink.write(batch)
            sink.close()
        files = RunFiles(writer.commit())
    assert files.decisions().table().equals(pa.Table.from_batches([decisions]).cast(DECISIONS))
    assert files.learnings().table(["seq"]).column_names == ["seq"]
    batches = list(files.decisions().batches(["t"], rows=8))
    assert [batch.num_rows for batch in batches] == [8, 8, 8, 6]
    assert files.decisions().num_rows == 30


def test_a_missing_directory_or_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunLogError, match="nowhere: does not exist"):
        RunFiles(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunLogError, match="file: is not a run directory"):
        RunFiles(tmp_path / "file")
    with pytest.raises(RunLogError, match=r"manifest\.json: is missing, so this is not a run directory"):
        RunFiles(tmp_path)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("\N{LATIN SMALL LETTER A WITH DIAERESIS}", "is not JSON"),
        ("[]", "is not the manifest of a run"),
        ("{}", "it has no `format`"),
        ('{"format": 3}', "has format 3; this version reads format 1 and 2"),
    ],
)
def test_a_foreign_manifest_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(RunLogError, match=fault) as caught:
        RunFiles(tmp_path)
    assert str(caught.value).startswith(str(tmp_path / "manifest.json"))


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("users", "5", "`users` must be a whole number, not '5'"),
        ("users", True, "`users` must be a whole number, not True"),
        ("own_trajectory", 0, "`own_trajectory` must be true or false, not 0"),
        ("policies", {}, "`policies` must be a list"),
        ("policies", ["linucb"], r"`policies\[0\]` must be an object with a `label`"),
        ("failures", {"linucb": 3}, r"`failures\['linucb'\]` must be a text, not 3"),
        ("timing", {"linucb": 3}, r"`timing\['linucb'\]` must be an object of numbers"),
        ("timing", {"linucb": {"seconds": "x"}}, r"`timing\['linucb'\]` must be an object of numbers"),
        ("rounds", 0, "`rounds` must be at least 1, not 0"),
        ("seed", None, "`seed` must be a whole number, not None"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, key: str, value: Any, fault: str) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(manifest_data(**{key: value})))
    with pytest.raises(RunLogError, match=fault):
        RunFiles(tmp_path)


def test_a_missing_or_damaged_table_is_named(run_directory: Path) -> None:
    files = RunFiles(run_directory)
    path = run_directory / "curves.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RunLogError, match=r"curves\.parquet: is not a readable Parquet file"):
        files.curves()
    path.write_bytes(whole[:4] + bytes(64) + whole[68:])
    with pytest.raises(RunLogError, match=r"curves\.parquet: is damaged"):
        files.curves()
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(RunLogError, match=r"curves\.parquet: is not a curves table of this format: wrong columns"):
        files.curves()
    path.unlink()
    with pytest.raises(RunLogError, match=r"curves\.parquet: is missing"):
        files.curves()
