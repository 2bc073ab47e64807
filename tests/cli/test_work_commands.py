"""Long work on the command line: interrupted, terminated, continued, shared out, estimated, refused."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from oo_sim import load_run, run
from oo_sim.cli import app
from oo_sim.cli.working import continued
from oo_sim.experiment import estimate, plan

pytestmark = pytest.mark.e2e

LONG = ["run", "quickstart", "--policy", "linucb", "--users", "300000", "--rounds", "60", "--no-plot"]


def start(cwd: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "oo_sim", *arguments]
    return subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def until(there: str, cwd: Path) -> None:
    deadline = time.monotonic() + 60
    while not list(cwd.glob(there)):
        assert time.monotonic() < deadline, there
        time.sleep(0.02)


def ok(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, result.output
    return result.output


def test_ctrl_c_tells_the_command_that_goes_on_and_it_does(tmp_path: Path) -> None:
    process = start(tmp_path, *LONG, "--resume", "work dir", "--out", "run")
    until("work dir/units/*/*.unit", tmp_path)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in said
    (line,) = [line for line in said.splitlines() if "To continue: " in line]
    command = shlex.split(line.partition("To continue: ")[2])
    assert command == ["oo-sim", *LONG, "--resume", "work dir", "--out", "run"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["work dir"]
    kept = set((tmp_path / "work dir").rglob("*.unit"))
    assert kept
    # as many users as were asked for are too many for a test: with fewer it takes what is there
    again = start(tmp_path, *("20000" if word == "300000" else word for word in command[1:]))
    _, said = again.communicate(timeout=120)
    assert again.returncode == 0, said
    assert load_run(tmp_path / "run").manifest.users == 20000
    assert kept <= set((tmp_path / "work dir").rglob("*.unit"))


def test_ctrl_c_without_a_directory_says_how_to_keep_work(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()  # of something else
    process = start(tmp_path, *LONG)
    until("runs/.*partial*", tmp_path)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert f"start it with: oo-sim {shlex.join(LONG)} --resume work-2" in said
    assert [each.name for each in tmp_path.iterdir()] == ["work"]


def test_sigterm_leaves_nothing_behind(tmp_path: Path) -> None:
    process = start(tmp_path, *LONG, "--events")
    until("runs/.*partial*/decisions.parquet", tmp_path)
    process.terminate()
    _, said = process.communicate(timeout=120)
    assert process.returncode == 143
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path: Path) -> None:
    process = start(tmp_path, *LONG, "--events")
    until("runs/.*partial*/decisions.parquet", tmp_path)
    process.kill()
    process.communicate(timeout=120)
    assert list((tmp_path / "runs").glob(".*partial*"))
    ok(
        "run",
        "quickstart",
        "--users",
        "5",
        "--rounds",
        "3",
        "--no-plot",
        "-q",
        "--out",
        str(tmp_path / "runs" / "next"),
    )
    left = {each.name for each in (tmp_path / "runs").iterdir()}
    assert left == {"next", "quickstart-1"}  # the name that was reserved is empty, and may be taken
    assert not list((tmp_path / "runs" / "quickstart-1").iterdir())


def test_two_at_once_take_two_numbers(tmp_path: Path) -> None:
    settings = ["run", "quickstart", "--policy", "random", "--users", "20", "--rounds", "5", "--no-plot", "-q"]
    crew = [start(tmp_path, *settings) for _ in range(2)]
    said = [process.communicate(timeout=120) for process in crew]
    assert [process.returncode for process in crew] == [0, 0], said
    assert sorted(out.strip() for out, _ in said) == [f"runs/quickstart-{i}" for i in (1, 2)]
    for i in (1, 2):
        assert load_run(tmp_path / "runs" / f"quickstart-{i}").rows


def test_a_name_that_another_process_writes_is_refused_before_computing(tmp_path: Path) -> None:
    process = start(tmp_path, *LONG, "--out", "run")
    try:
        until(".run.*partial*", tmp_path)
        begin = time.monotonic()
        said = ok("run", "quickstart", "--users", "300000", "--out", str(tmp_path / "run"), "-q", code=2)
        assert f"is being written by process {process.pid}; name a new directory" in said
        assert time.monotonic() - begin < 10
    finally:
        process.terminate()
        process.communicate(timeout=120)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("command", ["run quickstart --users 5 --rounds 3 --no-plot", "scenario list", "--help"])
def test_output_that_cannot_be_written_is_one_message(command: str, tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "oo_sim", *command.split()],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1] == "output: No space left on device"
    assert "Traceback" not in done.stderr


def test_a_directory_that_cannot_be_written_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs").write_text("a file")
    monkeypatch.chdir(tmp_path)
    said = ok("run", "quickstart", "--users", "5", "--rounds", "3", code=2)
    assert said.strip().endswith("runs: is in the way: it must be a directory")


def test_a_run_that_takes_more_than_is_free_is_refused_or_asked_for(tmp_path: Path) -> None:
    huge = [
        "run",
        "quickstart",
        "--users",
        "10000000",
        "--rounds",
        "1000000",
        "--events",
        "--out",
        str(tmp_path / "run"),
    ]
    said = ok(*huge, code=2)
    assert "quickstart: takes about" in said
    assert "of disk where" in said
    assert "--yes" in said
    assert not list(tmp_path.iterdir())
    dry = ok(*huge, "--dry-run")
    assert "70,000,000,000,000 decisions" in dry
    assert not list(tmp_path.iterdir())


def test_a_dry_run_says_what_is_done_already(tmp_path: Path) -> None:
    work, settings = str(tmp_path / "work"), ["run", "quickstart", "--policy", "linucb", "--rounds", "20", "--no-plot"]
    ok(*settings, "--users", "500", "--resume", work, "--out", str(tmp_path / "run"))
    said = ok(*settings, "--users", "1000", "--resume", work, "--dry-run")
    assert "20,000 decisions in 2 units, of which 10,000 are done already" in said
    for what in ("about", "memory", "disk"):
        assert what in said
    other = ok(*settings, "--seed", "7", "--resume", work, "--dry-run", code=2)
    assert "its scenario's seed" in other
    states = [*settings, "--users", "500", "--resume", f"{work}-2", "--checkpoint-states"]
    ok(*states, "--out", str(tmp_path / "run-2"))
    more = [word if word != "20" else "50" for word in states]
    assert "25,000 decisions in 1 unit, of which 10,000 are done already" in ok(*more, "--dry-run")


def test_the_disk_of_a_log_is_known_from_a_few_users(tmp_path: Path) -> None:
    sizes = {"users": 300, "rounds": 100}
    planned = plan("quickstart", policies=["linucb"], sizes=sizes)
    most = estimate(planned, out=tmp_path / "run", events=True).disk
    found = estimate(planned, out=tmp_path / "run", events=True, calibrate=True).disk
    run("quickstart", policies=["linucb"], events=True, out=tmp_path / "run", plot=False, users=300, rounds=100)
    taken = sum(each.stat().st_size for each in (tmp_path / "run").iterdir())
    assert 0.8 * taken < found < 1.2 * taken < most


def test_status_partial_shards_and_merge(tmp_path: Path) -> None:
    settings = ["run", "quickstart", "--policy", "linucb", "--policy", "random", "--users", "3000", "--rounds", "10"]
    parts = [str(tmp_path / f"part-{i}") for i in (1, 2, 3)]
    for i in (1, 2):
        assert parts[i - 1] in ok(*settings, "--shard", f"{i}/3", "--out", parts[i - 1], "-q")
    assert "shard 3/3 is missing" in ok("merge", *parts[:2], "--out", str(tmp_path / "run"), code=2)
    ok(*settings, "--shard", "3/3", "--out", parts[2], "-q")
    assert "Run directory" in ok("merge", *parts, "--out", str(tmp_path / "run"), "--no-plot")
    ok(*settings, "--out", str(tmp_path / "whole"), "--no-plot", "-q", "--workers", "1")
    hashes = {load_run(tmp_path / name).manifest.content_hash for name in ("run", "whole")}
    assert len(hashes) == 1
    found = json.loads(ok("status", parts[0], "--json"))
    assert found["units_done"] == found["units"]
    assert "nobody works here now" in ok("status", parts[0])
    work = str(tmp_path / "work")
    ok(*settings, "--resume", work, "--out", str(tmp_path / "kept"), "--no-plot", "-q")
    assert "3,000 users" in ok("show", work, "--partial")
    for wrong in (["--shard", "3"], ["--shard", "1/2", "--events", "--out", "x"], ["--shard", "1/2"]):
        ok(*settings, *wrong, code=2)
    assert "must be i/n with i from 1 to n" in ok(*settings, "--shard", "4/3", "--out", str(tmp_path / "no"), code=2)


def test_an_executor_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ["run", "quickstart", "--policy", "linucb", "--users", "50", "--rounds", "10", "--no-plot", "-q"]
    ok(*settings, "--out", str(tmp_path / "one"))
    ok(*settings, "--executor", "concurrent.futures:ThreadPoolExecutor", "--out", str(tmp_path / "two"))
    assert len({load_run(tmp_path / name).manifest.content_hash for name in ("one", "two")}) == 1
    said = ok(*settings, "--executor", "os:getcwd", "--out", str(tmp_path / "no"), code=2)
    assert "executor os:getcwd: is str, which has no submit" in said
    ok(*settings, "--executor", "nothing", "--out", str(tmp_path / "no"), code=2)
    ok(*settings, "--executor", "os:getcwd", "--dask", "local:1", "--out", str(tmp_path / "no"), code=2)
    assert not (tmp_path / "no").exists()


def test_threads_is_another_name_of_workers(tmp_path: Path) -> None:
    for option in ("--workers", "--threads"):
        out = str(tmp_path / option)
        ok("run", "quickstart", "--users", "4", "--rounds", "2", "--no-plot", "-q", option, "1", "--out", out)
        assert load_run(out).manifest.threads == 1


def test_an_interrupted_run_says_how_much_of_it_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("quickstart", policies=["random"], users=3, rounds=2, resume=tmp_path / "work", threads=1)
    for name, kept in (("work", " (1 of 1 unit)"), ("none yet", "")):
        with pytest.raises(KeyboardInterrupt), continued(tmp_path / name):
            raise KeyboardInterrupt
        assert capsys.readouterr().err.startswith(f"What is done is kept{kept}. To continue: oo-sim")
