"""Several worker processes: what becomes of them when their master or they themselves are killed, or cannot start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from oo_sim.serving import bench
from oo_sim.serving.bench import drive, scores


def _workers(pid: int) -> list[int]:
    """The worker processes of a server, by the words that Python starts them with."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            if parent == pid and b"spawn_main" in (stat.parent / "cmdline").read_bytes():
                found.append(int(stat.parent.name))
        except OSError:
            continue
    return sorted(found)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _wait(what: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc"),
]


def test_workers_end_with_a_killed_master_and_one_that_is_killed_is_replaced(tmp_path: Path) -> None:
    with bench.started(tmp_path / "state", "--workers", "2") as (port, process):
        before = _workers(process.pid)
        assert len(before) == 2
        os.kill(before[0], signal.SIGKILL)
        _wait(lambda: len(_workers(process.pid)) == 2 and before[0] not in _workers(process.pid))
        drive("127.0.0.1", port, scores(20, users=5), connections=2)
        left = _workers(process.pid)
        process.kill()
        process.wait()
        _wait(lambda: not any(_alive(pid) for pid in left), seconds=10)
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", port))
            again.listen()
    assert '"event": "worker ended"' in (tmp_path / "server.log").read_text()


def _serve(directory: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "oo_sim", "serve", "--port", "0", "--state-dir", str(directory / "state")]
    return subprocess.run(
        [*command, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_workers_that_cannot_start_are_given_up(tmp_path: Path) -> None:
    """Each notes its start in a file, and ends."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n"
        "if '--multiprocessing-fork' in sys.orig_argv:\n"
        f"    os.write(os.open({str(tmp_path / 'starts')!r}, os.O_CREAT | os.O_APPEND | os.O_WRONLY), b'x')\n"
        "    os._exit(7)\n"
    )
    done = _serve(tmp_path, "--workers", "2", PYTHONPATH=str(tmp_path))
    assert done.returncode != 0
    assert "the workers cannot start (exit code 7)" in done.stderr
    assert 3 <= len((tmp_path / "starts").read_text()) <= 6


def test_a_gateway_address_that_is_none_is_said_once(tmp_path: Path) -> None:
    done = _serve(tmp_path, "--workers", "2", LITELLM_URL="nonsense")
    assert done.returncode != 0
    assert "LITELLM_URL" in done.stderr
    assert done.stderr.count("nonsense") <= 2
    assert "Serving on" not in done.stdout
