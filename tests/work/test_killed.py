"""Processes that end in the middle: killed at any moment, in a rename, with a full disk. Nothing wrong is ever used."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from oo_sim.errors import WorkError
from oo_sim.experiment import status

from .cases import UNITS, files, forked, kept, whole


def _resumed(work: Path) -> int:
    """Resume the run, check it, and return how many of its units were there."""
    before = files(work)
    assert kept(work).manifest.content_hash == whole()
    assert before.items() <= files(work).items()  # none was done twice
    assert not list(work.rglob("*.partial"))
    return len(before)


def _killed(work: Path, chance: random.Random, longest: float) -> None:
    process = forked(lambda: kept(work))
    time.sleep(chance.uniform(0.0, longest))
    process.kill()
    process.join()


def _one_of_two_killed(work: Path, chance: random.Random, longest: float) -> None:
    """The other one has to end as if nothing had happened."""

    def whole_run() -> None:
        os._exit(0 if kept(work).manifest.content_hash == whole() else 1)

    crew = [forked(whole_run) for _ in range(2)]
    time.sleep(chance.uniform(0.0, longest))
    crew[0].kill()
    for process in crew:
        process.join()
    assert crew[1].exitcode == 0


def _longest(tmp_path: Path) -> float:
    kept(tmp_path / "first")  # kernels are loaded now
    start = time.perf_counter()
    kept(tmp_path / "second")
    return time.perf_counter() - start


@pytest.mark.parametrize(
    ("how", "times", "least"),
    [
        (_killed, 6, 1),
        pytest.param(_killed, 200, 50, marks=[pytest.mark.slow, pytest.mark.timeout(1800)]),
        (_one_of_two_killed, 2, 0),
        pytest.param(_one_of_two_killed, 50, 0, marks=[pytest.mark.slow, pytest.mark.timeout(1800)]),
    ],
)
def test_killed_at_any_moment_it_goes_on(
    how: Callable[[Path, random.Random, float], None], times: int, least: int, tmp_path: Path
) -> None:
    whole()
    chance, longest, cut = random.Random(times), _longest(tmp_path), 0
    for i in range(times):
        how(tmp_path / f"work-{i}", chance, longest)
        cut += _resumed(tmp_path / f"work-{i}") < UNITS
    print(f"{cut} of {times} were killed before the end")
    assert cut >= least


@pytest.mark.parametrize("at", [1, 2, 20])
@pytest.mark.parametrize("moment", ["while it is written", "before it is renamed", "after it was renamed"])
def test_killed_around_a_rename_it_goes_on(moment: str, at: int, tmp_path: Path) -> None:
    """The first file is work.json; the others are units. SIGKILL leaves what the system has been given."""
    work, count = tmp_path / "work", 0
    whole()

    def dying() -> None:
        write, replace = Path.write_bytes, Path.replace

        def written(path: Path, data: bytes) -> int:
            nonlocal count
            count += 1
            if moment == "while it is written" and count == at:
                write(path, data[: len(data) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return write(path, data)

        def renamed(path: Path, target: Path) -> Path:
            if moment == "before it is renamed" and count == at:
                os.kill(os.getpid(), signal.SIGKILL)
            found = replace(path, target)
            if moment == "after it was renamed" and count == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return found

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Path, "write_bytes", written)
            patch.setattr(Path, "replace", renamed)
            kept(work)

    process = forked(dying)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    whole_files = at - 1 + (moment == "after it was renamed")
    assert len(list(work.rglob("*.partial"))) == (moment != "after it was renamed")
    assert _resumed(work) == max(whole_files - 1, 0)


def test_a_disk_that_is_full_keeps_what_is_done(tmp_path: Path) -> None:
    """The limit on the size of files stands for it: writing fails as it does then, in the middle of a file."""
    work = tmp_path / "work"

    def limited() -> None:
        sys.dont_write_bytecode = True  # or Python leaves its own compiled modules cut off behind
        resource.setrlimit(resource.RLIMIT_FSIZE, (1500, resource.RLIM_INFINITY))
        _stopped_by_the_disk(work)

    process = forked(limited)
    process.join()
    assert process.exitcode == 3
    assert not list(work.rglob("*.partial"))
    assert kept(work).manifest.content_hash == whole()


def _stopped_by_the_disk(work: Path) -> None:
    try:
        kept(work)
    except WorkError as error:
        os._exit(3 if "cannot be written" in str(error) and "is kept" in str(error) else 4)


@contextmanager
def _small_disk(where: Path, size: str) -> Iterator[Callable[[str], None]]:
    """A file system of its own, and what makes it larger."""

    def mount(options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(where)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no small file system can be mounted here: {done.stderr.strip()}")

    where.mkdir()
    mount(f"size={size}")
    try:
        yield lambda larger: mount(f"remount,size={larger}")
    finally:
        subprocess.run(["umount", str(where)], check=True)


def test_a_small_file_system_that_is_full(tmp_path: Path) -> None:
    whole()
    with _small_disk(tmp_path / "disk", "80k") as larger:
        work = tmp_path / "disk" / "work"
        for size in ("120k", "160k", "4m"):
            process = forked(lambda: _stopped_by_the_disk(work))
            process.join()
            assert process.exitcode == 3
            assert 0 < len(files(work)) < UNITS
            assert not list(work.rglob("*.partial"))
            larger(size)
        assert _resumed(work) > 0


def test_sigterm_leaves_what_is_done_and_nothing_partial(tmp_path: Path) -> None:
    work = tmp_path / "work"

    def stopped() -> None:
        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        signal.signal(signal.SIGTERM, stop)
        kept(work, users=200_000)

    process = forked(stopped)
    while not files(work):
        time.sleep(0.005)
    process.terminate()
    process.join()
    assert not list(work.rglob("*.partial"))
    assert kept(work).manifest.content_hash == whole()
    assert status(work).holders == []
