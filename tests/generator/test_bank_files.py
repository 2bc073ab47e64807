"""What is read: banks, also those of the first format, and files of contexts; what is wrong in one is named."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from oo_sim.errors import GeneratorInputError
from oo_sim.generator.bank import (
    read_bank,
    read_contexts,
)
from oo_sim.generator.bank.files import _SCHEMAS, SCHEMA
from oo_sim.generator.bank.record import as_row
from oo_sim.generator.mock import mock_gateway
from oo_sim.generator.prompt import default_prompt

from .banks import bank


def test_a_bank_is_read_back_as_it_was_made(tmp_path: Path) -> None:
    made = bank(tmp_path / "a", mock_gateway("hostile"))
    assert read_bank(tmp_path / "a") == made
    assert pq.read_schema(tmp_path / "a").equals(SCHEMA)


def test_banks_of_the_first_format_are_read(tmp_path: Path) -> None:
    made = bank(tmp_path / "a", mock_gateway("perfect"), 4)
    table = pq.read_table(tmp_path / "a")
    old = [as_row(one) for one in made.records]
    for row in old:
        row["tips"] = [{k: v for k, v in tip.items() if k != "given_id"} for tip in row["tips"]]
        row["tries"] = [{k: v for k, v in one.items() if k != "replayed"} for one in row["tries"]]
    info = json.loads(table.schema.metadata[b"oo_sim.tips"]) | {"format": 1}
    for later in ("max_tokens", "gateway_retries"):
        del info[later]
    schema = _SCHEMAS[1].with_metadata({b"oo_sim.tips": json.dumps(info).encode()})
    pq.write_table(pa.Table.from_pylist(old, schema), tmp_path / "old")
    assert read_bank(tmp_path / "old") == made


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet at all" * 100])
def test_what_is_no_bank_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(GeneratorInputError, match="is not a readable Parquet file"):
        read_bank(tmp_path / "a")
    with pytest.raises(GeneratorInputError, match="does not exist"):
        read_bank(tmp_path / "none")


def test_a_bank_without_its_metadata_is_refused(tmp_path: Path) -> None:
    bank(tmp_path / "a", mock_gateway("perfect"), n=2)
    table = pq.read_table(tmp_path / "a")
    pq.write_table(table.replace_schema_metadata(None), tmp_path / "b")
    pq.write_table(table.select(["position"]), tmp_path / "c")
    for name, says in (("b", "metadata are missing"), ("c", "its columns are different")):
        with pytest.raises(GeneratorInputError, match=says):
            read_bank(tmp_path / name)


def line(**fields: Any) -> str:
    """A line of a contexts file."""
    return json.dumps({"user_id": "ada", "tasks": [{"id": "1", "content": "Go"}], **fields})


def test_contexts_are_read(tmp_path: Path) -> None:
    flat = line(hour_of_day=8, day_of_week=6, extra={"mood": [1, None]})
    nested = json.dumps({"user_id": "bob", "context": {"tasks": [], "hour_of_day": 8}})
    at = line(
        now="2026-01-31T23:30:00+02:00",
        tasks=[{"id": 1, "content": "a"}, {"id": 2, "content": "b", "due_date": "2026-01-30"}],
    )
    (tmp_path / "c.jsonl").write_text(f"\ufeff{flat}\n\n{nested}\r\n{at}\n{flat}\n")
    work = read_contexts(tmp_path / "c.jsonl")
    assert [(one.position, one.user_id, one.occurrence) for one in work] == [
        (0, "ada", 0),
        (1, "bob", 0),
        (2, "ada", 0),
        (3, "ada", 1),
    ]
    assert (work[2].context.hour_of_day, work[2].context.day_of_week) == (23, 5)
    assert [task.id for task in work[2].context.tasks] == ["2", "1"]
    assert len(read_contexts(tmp_path / "c.jsonl", 2)) == 2


def test_contexts_without_now_know_what_is_overdue_when_they_are_read(tmp_path: Path) -> None:
    tasks = [{"content": "Old", "due_date": "2020-01-01"}, {"content": "Later", "due_date": "2026-05-01"}]
    (tmp_path / "c.jsonl").write_text(json.dumps({"tasks": tasks}))
    for read_at, overdue in ((datetime(2026, 4, 1), [True, False]), (datetime(2026, 6, 1), [True, True])):
        (work,) = read_contexts(tmp_path / "c.jsonl", read_at=read_at)
        assert [task.is_overdue for task in work.context.tasks] == overdue
    prompt = default_prompt().messages(read_contexts(tmp_path / "c.jsonl")[0].context, 3)[1]["content"]
    assert "1 of them overdue" in prompt or "2 of them overdue" in prompt


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no contexts"),
        ("{", "line 1: is not JSON"),
        ("[" * 100_000, "line 1: is not JSON"),
        ("5", "line 1: the line"),
        (line(extra={"x": float("nan")}), "NaN is not JSON"),
        (line(hour_of_day=24), "line 1: hour_of_day"),
        (line(tasks=[{"id": "1"}]), "line 1: tasks.0.content"),
        (line(tasks=[{"id": "1", "content": "a", "due_date": "soon"}]), "tasks.0.due_date"),
        (line(now="2026-01-31T23:30:00", hour_of_day=2), "leave hour_of_day"),
        (line() + "\n" + line(mood=1), "line 2: mood"),
    ],
)
def test_broken_contexts_are_refused_with_line_and_field(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "c.jsonl").write_text(text)
    with pytest.raises(GeneratorInputError, match=says):
        read_contexts(tmp_path / "c.jsonl")
