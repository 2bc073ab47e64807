"""Nothing acknowledged is lost: with many callers, with several processes, and when the process is killed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from oo_sim.serving.bench import started

from .load import Acknowledged, applied, check_replay, hammer

pytestmark = pytest.mark.e2e


def _in_state(state: Path, known: Acknowledged, *, exactly: bool) -> None:
    found = applied(state)
    for counts, column in ((known.decided, "pulls"), (known.rewarded, "rewards")):
        for key, said in counts.items():
            kept = found[key][column] if key in found else 0
            assert kept == said if exactly else kept >= said, (key, column, kept, said)


def several_processes(directory: Path, threads: int, calls: int) -> None:
    """Two worker processes, many threads: acknowledged is applied, and the log gives the state."""
    state = directory / "state"
    with started(state, "--workers", "2", "--log-level", "warning") as (port, _):
        known = hammer(port, threads, calls, users=40)
    assert set(known.statuses) == {200}
    assert sum(known.statuses.values()) >= threads * calls
    _in_state(state, known, exactly=True)
    assert check_replay(state) < 1e-12


def killed(directory: Path, times: int, seconds: float) -> int:
    """Kill the server `times` times under load; how many acknowledged calls were found again."""
    state = directory / "state"
    total = Acknowledged(Counter(), Counter(), Counter())
    for time in range(times):
        with started(state, "--log-level", "error") as (port, process):
            timer, begun = threading.Timer(seconds * (1 + time % 7) / 7, process.kill), count()

            def under_load(timer: threading.Timer = timer, begun: Iterator[int] = begun) -> bool:
                if next(begun) == 20:  # of 8 threads: 12 calls at least are acknowledged, however busy the machine
                    timer.start()
                return False

            known = hammer(port, 8, 100_000, users=30, stop=under_load)
            timer.join()
        total.decided.update(known.decided)
        total.rewarded.update(known.rewarded)
        total.statuses.update(known.statuses)
        assert set(known.statuses) <= {200}
        _in_state(state, total, exactly=False)
    assert check_replay(state) < 1e-12
    return sum(total.statuses.values())


def test_two_processes_lose_no_update(tmp_path: Path) -> None:
    several_processes(tmp_path, threads=16, calls=25)


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    assert killed(tmp_path, times=2, seconds=1.0) > 20


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_processes_lose_no_update_in_twenty_thousand_calls(tmp_path: Path) -> None:
    several_processes(tmp_path, threads=64, calls=320)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_fifty_kills(tmp_path: Path) -> None:
    assert killed(tmp_path, times=50, seconds=3.0) > 1000
