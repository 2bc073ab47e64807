"""Banks repeat to the byte, at any concurrency and after a kill; no socket is used."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

import pytest

from oo_sim.errors import GeneratorInputError
from oo_sim.generator.bank import (
    read_bank,
)
from oo_sim.generator.gateway.cassette import RecorderTransport, cassette_gateway
from oo_sim.generator.mock import mock_gateway

from .banks import Stopper, bank
from .conftest import ADDRESS, TIPS, Script, completion


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
from generator.banks import bank
from oo_sim.generator.mock import Profile, mock_gateway
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
