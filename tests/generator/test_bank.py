"""Banks repeat to the byte, at any concurrency and after a kill; no socket is used; rescoring asks nobody."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pyarrow.parquet as pq
import pytest

from oo_sim.errors import GeneratorInputError
from oo_sim.generator.bank import (
    Bank,
    Record,
    contexts_from_tasks,
    generate_bank,
    read_bank,
    read_contexts,
    rescore,
    write_bank,
)
from oo_sim.generator.bank.files import SCHEMA
from oo_sim.generator.cassette import RecorderTransport, cassette_gateway
from oo_sim.generator.client import Gateway, TipGenerator
from oo_sim.generator.mock import mock_gateway
from oo_sim.generator.prompt import default_prompt
from oo_sim.generator.settings import Options

from .conftest import ADDRESS, TIPS, Script, completion

TITLES = ("Water the ferns", "Open the tax letter", "Call Ada about the roof")


def users(n: int) -> list[Any]:
    """Plain task lists of n users; every third context is the same as an earlier one."""
    tasks = [{"id": str(at), "content": title} for at, title in enumerate(TITLES)]
    return [(f"user-{at % 5}", tasks if at % 3 == 0 else tasks[at % 3 :], at % 3 * 7 + 4, 2) for at in range(n)]


def bank(out: Path, gateway: Gateway, n: int = 40, concurrency: int = 1, **options: Any) -> Bank:
    """A bank of n contexts."""
    with TipGenerator(gateway, options=replace(Options(), **options)) as client:
        return generate_bank(client, contexts_from_tasks(users(n)), 3, out, concurrency=concurrency)


@pytest.mark.parametrize("profile", ["typical_small_model", "flaky_gateway", "hostile"])
def test_mock_banks_are_the_same_bytes_at_any_concurrency(tmp_path: Path, profile: str) -> None:
    made = []
    for name, concurrency in (("a", 1), ("b", 1), ("c", 16)):
        bank(tmp_path / name, mock_gateway(profile), concurrency=concurrency)
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1] == made[2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]


def test_equal_contexts_get_different_tips(tmp_path: Path) -> None:
    records = bank(tmp_path / "a", mock_gateway("perfect")).records
    same = [record for record in records if record.context == records[0].context]
    assert len(same) > 5
    assert len({record.tips for record in same}) > len(same) / 2


def test_a_bank_is_read_back_as_it_was_made(tmp_path: Path) -> None:
    made = bank(tmp_path / "a", mock_gateway("hostile"))
    assert read_bank(tmp_path / "a") == made
    assert pq.read_schema(tmp_path / "a").equals(SCHEMA)


class Stopper(httpx.BaseTransport):
    """Passes calls on until it has passed `limit`, then interrupts."""

    def __init__(self, inner: Any, limit: int) -> None:
        self.inner, self.left = inner, limit

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The inner answer, or Ctrl-C."""
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        got: httpx.Response = self.inner.handle_request(request)
        return got


@pytest.mark.parametrize("concurrency", [1, 16])
def test_a_stopped_run_goes_on_and_gives_the_same_bytes(tmp_path: Path, concurrency: int) -> None:
    bank(tmp_path / "whole", mock_gateway("typical_small_model"))
    gateway, out = mock_gateway("typical_small_model"), tmp_path / "again"
    for limit in (7, 20):
        stopper: Any = Stopper(gateway.transport, limit)
        with pytest.raises(KeyboardInterrupt):
            bank(out, gateway._replace(transport=stopper), concurrency=concurrency)
        assert not out.exists()
        journal = tmp_path / "again.partial"
        journal.write_bytes(journal.read_bytes() + b'{"position": 3, "half a li')
    bank(out, gateway, concurrency=concurrency)
    assert out.read_bytes() == (tmp_path / "whole").read_bytes()
    assert not (tmp_path / "again.partial").exists()


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from generator.test_bank import bank
from oo_sim.generator.mock import mock_gateway
from oo_sim.generator.prompt import default_prompt
bank(Path(sys.argv[1]), mock_gateway("typical_small_model"), n=400, concurrency=4)
"""


def test_a_killed_process_leaves_a_run_that_goes_on(tmp_path: Path) -> None:
    out, journal = tmp_path / "a", tmp_path / "a.partial"
    tests = str(Path(__file__).parents[1])
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(out), tests])
    while not journal.exists() or journal.stat().st_size < 20_000:
        assert process.poll() is None
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not out.exists()
    for path in (out, tmp_path / "b"):
        bank(path, mock_gateway("typical_small_model"), n=400)
    assert out.read_bytes() == (tmp_path / "b").read_bytes()


def test_a_journal_cut_in_its_first_line_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / "a.partial").write_bytes(b'{"prompt_version": "ti')
    made = bank(tmp_path / "a", mock_gateway("perfect"))
    assert bank(tmp_path / "b", mock_gateway("perfect")) == made


def test_a_journal_begun_again_can_be_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "a.partial").write_bytes(b'{"prompt_version": "ti')
    gateway = mock_gateway("perfect")
    stopper: Any = Stopper(gateway.transport, 5)
    with pytest.raises(KeyboardInterrupt):
        bank(tmp_path / "a", gateway._replace(transport=stopper))
    assert bank(tmp_path / "a", gateway) == bank(tmp_path / "b", gateway)


def test_a_complete_bank_is_not_made_again_and_others_are_not_overwritten(tmp_path: Path) -> None:
    made = bank(tmp_path / "a", mock_gateway("perfect"))
    silent: Any = Stopper(None, 0)
    assert bank(tmp_path / "a", mock_gateway("perfect")._replace(transport=silent)) == made
    with pytest.raises(GeneratorInputError, match=r"gateway is 'mock:perfect@.*choose another --out"):
        bank(tmp_path / "a", mock_gateway("hostile"))
    with pytest.raises(GeneratorInputError, match="parser is 'faithful' there and 'lenient' here"):
        bank(tmp_path / "a", mock_gateway("perfect"), parser="lenient")
    with pytest.raises(GeneratorInputError, match="contexts is"):
        bank(tmp_path / "a", mock_gateway("perfect"), n=41)


def test_a_journal_of_another_run_is_refused(tmp_path: Path) -> None:
    gateway = mock_gateway("perfect")
    stopper: Any = Stopper(gateway.transport, 5)
    with pytest.raises(KeyboardInterrupt):
        bank(tmp_path / "a", gateway._replace(transport=stopper))
    with pytest.raises(GeneratorInputError, match="retries is 2 there and 1 here"):
        bank(tmp_path / "a", gateway, retries=1)
    journal = tmp_path / "a.partial"
    journal.write_bytes(journal.read_bytes() + b"5\n")
    with pytest.raises(GeneratorInputError, match="is not a record; remove the file"):
        bank(tmp_path / "a", gateway)


def test_no_socket_is_made_by_mock_and_cassette(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(*[completion(TIPS)] * 40)
    recorder = script.gateway._replace(
        transport=RecorderTransport(script.gateway.transport, tmp_path / "tape", ADDRESS)
    )
    bank(tmp_path / "recorded", recorder)

    def blocked(*args: object, **kwargs: object) -> NoReturn:
        raise AssertionError("a socket was made")

    for name in ("socket", "socketpair", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, blocked)
    bank(tmp_path / "mock", mock_gateway("flaky_gateway"), concurrency=8)
    for name, concurrency in (("one", 1), ("sixteen", 16)):
        bank(tmp_path / name, cassette_gateway(tmp_path / "tape"), concurrency=concurrency)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "sixteen").read_bytes()
    recorded, played = read_bank(tmp_path / "recorded"), read_bank(tmp_path / "one")
    assert [record.tips for record in recorded.records] == [record.tips for record in played.records]
    assert played.info.latency == "recorded"


def test_five_hundred_generations_a_second(tmp_path: Path) -> None:
    """Processor time of this process, bank and journal included; alone it is under 1.5 ms each."""
    bank(tmp_path / "imports what it needs", mock_gateway("perfect"), n=2)
    start = time.process_time()
    bank(tmp_path / "a", mock_gateway("perfect"), n=500)
    assert time.process_time() - start < 1.0


def by_failure(records: tuple[Record, ...]) -> list[tuple[int, str | None, int]]:
    """Status, failure and number of tries of each record."""
    return [(record.status, record.failure, len(record.tries)) for record in records]


def test_rescoring_with_the_same_settings_changes_nothing(tmp_path: Path) -> None:
    for profile, parser in (("hostile", "faithful"), ("hostile", "lenient"), ("typical_small_model", "faithful")):
        made = bank(tmp_path / f"{profile} {parser}", mock_gateway(profile), parser=parser)
        again = rescore(made, parser=parser)  # type: ignore[arg-type]
        assert by_failure(again.records) == by_failure(made.records)
        assert [record.tips for record in again.records] == [record.tips for record in made.records]
        assert [record.usage for record in again.records] == [record.usage for record in made.records]


def test_rescoring_with_fewer_retries_is_a_run_with_fewer_retries(tmp_path: Path) -> None:
    made = bank(tmp_path / "two", mock_gateway("typical_small_model"))
    for retries in (0, 1):
        direct = bank(tmp_path / f"{retries}", mock_gateway("typical_small_model"), retries=retries)
        again = rescore(made, parser="faithful", retries=retries)
        assert by_failure(again.records) == by_failure(direct.records)
        assert [record.usage for record in again.records] == [record.usage for record in direct.records]


def test_rescoring_leniently_drops_tries_that_were_not_needed(tmp_path: Path) -> None:
    script = Script(f"Sure: {TIPS}", TIPS, "no", "no", f"So: {TIPS}")
    faithful = bank(tmp_path / "a", script.gateway, n=2)
    assert by_failure(faithful.records) == [(200, None, 2), (502, "prose", 3)]
    lenient = rescore(faithful, parser="lenient")
    assert by_failure(lenient.records) == [(200, None, 1), (200, None, 3)]
    assert lenient.info.parser == "lenient"


def test_what_was_not_recorded_is_not_made_up(tmp_path: Path) -> None:
    lenient = bank(tmp_path / "a", Script(f"Sure: {TIPS}").gateway, n=1, parser="lenient")
    assert by_failure(rescore(lenient, parser="faithful").records) == [(502, "not_recorded", 1)]
    assert by_failure(rescore(lenient, parser="faithful", retries=0).records) == [(502, "prose", 1)]
    failed = bank(tmp_path / "b", Script("no").gateway, n=1, retries=0)
    assert by_failure(rescore(failed, parser="faithful", retries=2).records) == [(502, "not_recorded", 1)]
    lost = bank(tmp_path / "c", Script("no", httpx.ReadTimeout("slow")).gateway, n=1)
    assert by_failure(rescore(lost, parser="faithful").records) == [(503, "timeout", 2)]
    assert by_failure(rescore(lost, parser="faithful", retries=0).records) == [(502, "no_json", 1)]


def test_rescored_banks_can_be_written(tmp_path: Path) -> None:
    again = rescore(bank(tmp_path / "a", mock_gateway("hostile")), parser="lenient", salvage=True)
    write_bank(tmp_path / "b", again)
    assert read_bank(tmp_path / "b") == again


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
    for name, says in (("b", "metadata are missing"), ("c", "its columns are other ones")):
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
