"""`oo-sim serve`, `export-log`, `migrate` and `bench serve`, as they are typed."""

from __future__ import annotations

import importlib
import json
import signal
import sys
import threading
from pathlib import Path

import pytest
from serving.conftest import serving
from typer.testing import CliRunner

from oo_sim.cli import bench, serve
from oo_sim.serving import ServingError
from oo_sim.serving.bench import DriveError, drive, memory, rewards, scores, started
from oo_sim.serving.server import _listen

pytestmark = pytest.mark.e2e

RUN = CliRunner()


def test_a_server_is_told_to_stop_and_finishes_what_it_accepted(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with started(state, "--seed", "7", "--policy", "thompson") as (port, process):
        threading.Timer(0.4, process.send_signal, (signal.SIGTERM,)).start()
        try:
            while True:
                drive("127.0.0.1", port, scores(20, users=5), connections=2)
        except (DriveError, OSError):
            pass
        assert process.wait(30) == 0
        assert memory(process.pid) >= 0.0
    log = [json.loads(line) for line in (tmp_path / "server.log").read_text().splitlines()]
    requests = [line for line in log if line["event"] == "request" and line["route"] == "/score"]
    assert requests
    assert {line["status"] for line in requests} == {200}
    assert len({line["request_id"] for line in requests}) == len(requests)
    out = tmp_path / "out"
    said = RUN.invoke(serve.app, ["export-log", str(state), str(out)])
    assert said.exit_code == 0, said.output
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["seed"] == 7
    assert {policy["label"] for policy in manifest["policies"]} == {"linucb", "egreedy", "thompson"}
    assert f"{len(requests)} decisions, 0 learnings" in said.output


def test_migrate_says_what_it_did(tmp_path: Path) -> None:
    with serving(tmp_path / "state") as client:
        drive("127.0.0.1", client.port, rewards(30, users=3), connections=2)
    said = RUN.invoke(serve.app, ["migrate", str(tmp_path / "state"), "--policy", "linucb:prior=2"])
    assert said.exit_code == 0, said.output
    assert "linucb: 30 learnings of 3 users" in said.output
    assert "egreedy: nothing to do" in said.output


@pytest.mark.parametrize(
    ("command", "calls"), [("serve", "oo_sim.serving.server.serve"), ("migrate", "oo_sim.migrate")]
)
def test_a_private_policy_beside_is_found(
    command: str, calls: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, found = f"beside_{command}", list[str]()

    def called(*_: object) -> list[str]:
        found.append(importlib.import_module(module).NAME)
        return []

    (tmp_path / f"{module}.py").write_text("NAME = 'found'\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each])
    monkeypatch.setattr(calls, called)
    said = RUN.invoke(serve.app, [command, *["state"][: command == "migrate"], "--policy", f"{module}:policy"])
    assert (said.exit_code, found) == (0, ["found"]), said.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["serve", "--policy", "nope", "--state-dir", "s"], "no policy 'nope'"),
        (["export-log", "nowhere", "out"], "does not exist"),
        (["migrate", "nowhere"], "does not exist"),
    ],
)
def test_what_is_wrong_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    said = RUN.invoke(serve.app, arguments)
    assert isinstance(said.exception, ServingError)
    assert told in str(said.exception)


def test_log_levels_are_checked() -> None:
    assert RUN.invoke(serve.app, ["serve", "--log-level", "loud"]).exit_code == 2


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with _listen("127.0.0.1", 0) as listening:  # as a server does
        port = listening.getsockname()[1]
        said = RUN.invoke(serve.app, ["serve", "--port", str(port), "--state-dir", str(tmp_path / "other")])
    assert isinstance(said.exception, ServingError)
    assert f"port {port}" in str(said.exception)


def test_bench_serve_prints_rates(tmp_path: Path) -> None:
    arguments = ["--requests", "60", "--connections", "2", "--users", "10", "--dir", str(tmp_path), "--json"]
    said = RUN.invoke(bench.app, ["serve", *arguments])
    assert said.exit_code == 0, said.output
    calls = json.loads(said.output)["calls"]
    assert [(one["call"], one["requests"]) for one in calls] == [("score", 60), ("reward", 60)]
    assert all(one["per_second"] > 0 and 0 < one["p50"] <= one["p99"] for one in calls)
