"""Measures a server of its own over loopback: requests per second, latencies, memory."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from oo_sim.serving.driver import Drive, DriveError, drive, rewards, scores

_HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
_STOPPING = 40.0
_COMMAND = "import sys; from oo_sim.cli.serve import app; app()"


class Measured(NamedTuple):
    """What one kind of call came to; latencies in milliseconds."""

    call: str
    requests: int
    per_second: float
    p50: float
    p99: float


@contextmanager
def started(state_dir: Path, *arguments: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A server process on a free port, which answers; it is told to stop at the end."""
    command = [sys.executable, "-c", _COMMAND, "serve", "--port", "0", "--state-dir", str(state_dir), *arguments]
    with (state_dir.parent / "server.log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        if not (match := re.search(r":(\d+) ", said)):
            raise DriveError(f"the server did not start; see {log.name}")
        port = int(match[1])
        drive("127.0.0.1", port, iter([_HEALTH]), 1)  # the port is open before the app is ready: this waits for it
        yield port, process
    finally:
        process.terminate()
        try:
            process.wait(_STOPPING)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()  # type: ignore[union-attr]


def bench(
    requests: int, connections: int, users: int, workers: int = 1, parent: Path | None = None
) -> tuple[list[Measured], float]:
    """Drive a fresh server with score calls, then with rewards of the same users; and its memory in MB at the end
    (all workers; 0 where the system does not tell). Raises DriveError."""
    with tempfile.TemporaryDirectory(dir=parent) as directory:
        state = Path(directory) / "state"
        with started(state, "--workers", str(workers), "--log-level", "warning") as (port, process):
            drive("127.0.0.1", port, scores(50 * connections, users), connections)  # warm up
            measured = [
                _measured("score", drive("127.0.0.1", port, scores(requests, users), connections)),
                _measured("reward", drive("127.0.0.1", port, rewards(requests, users), connections)),
            ]
            return measured, memory(process.pid)


def memory(pid: int) -> float:
    """The resident memory of a process and its children in MB, as Linux tells it; 0 elsewhere."""
    pages = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            if pid in (int(stat.parent.name), int(fields[1])):
                pages += int(fields[21])
        except OSError:
            continue  # it ended meanwhile
    return pages * 4096 / 1e6


def _measured(call: str, driven: Drive) -> Measured:
    return Measured(call, len(driven.latencies), driven.rate, driven.percentile(0.5), driven.percentile(0.99))
