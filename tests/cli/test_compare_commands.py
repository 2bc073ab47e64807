"""`oo-sim compare` and `oo-sim sweep`: what they print, draw and refuse, and how they end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from calling import Call
from figures.painted import assert_painted

import oo_sim

SMALL = ("--users=6", "--rounds=4")
PAIR = ("--policy", "greedy", "--policy", "random")


FAILING = """
from oo_sim.policies import make
def broken(features="oo5", *, prior=1.0):
    def score(state, batch, noise):
        raise ZeroDivisionError("not today")
    return make("greedy", {}, (features,))._replace(name="broken", score=score)
"""


def test_compare_prints_draws_and_ends_with_0(call: Call) -> None:
    answer = call("compare", "quickstart", *PAIR, *SMALL, "--out", "difference.png")
    assert (answer.code, answer.err) == (0, "")
    assert "quickstart: expected reward per decision, 6 users, 4 rounds" in answer.out
    assert "Estimand (quickstart)" in answer.out
    assert "95 % interval (Student's, widened for skewness)" in answer.out
    assert answer.out.splitlines()[-1] == "Figure: difference.png"
    assert_painted(Path("difference.png").read_bytes())


def test_compare_reads_runs_as_it_runs_scenarios(call: Call) -> None:
    oo_sim.run("quickstart", policies=["greedy", "random"], users=40, rounds=4, out="done", plot=False)
    ran = json.loads(call("compare", "quickstart", *PAIR, "--users=40", "--rounds=4", "--json").out)
    read = json.loads(call("compare", "done", "--json").out)
    assert ran == read
    assert ran["pairs"][0]["baseline"] == "greedy"
    other = json.loads(call("compare", "done", "--json", "--bootstrap-seed", "3").out)
    assert other["pairs"][0]["band"] != read["pairs"][0]["band"]
    assert other["pairs"][0]["difference"] == read["pairs"][0]["difference"]
    refused = call("compare", "done", "quickstart", *SMALL)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == "users says how scenarios are run, and runs are as they are: leave it out\n"
    for option, name in (("--workers=2", "workers"), ("--unchecked", "unchecked"), ("--resume=w", "resume")):
        refused = call("compare", "done", option)
        assert (refused.code, refused.out) == (2, "")
        assert refused.err == f"{name} says how scenarios are run, and runs are as they are: leave it out\n"
    Path("pyproject.toml").write_text("[tool.oo-sim]\nworkers = 1\n")  # which is for what is run, and refuses nothing
    assert call("compare", "done", "--json").code == 0


def test_compare_until_tells_each_look(call: Call) -> None:
    wanted = ("--policy", "linucb", "--policy", "linucb:prior=1.1", "--until", "1e-9", "--max-users", "60")
    answer = call("compare", "quickstart", *wanted, "--users=30", "--rounds=3", "--out", "looks.png")
    assert answer.code == 0
    assert [line.split(":")[0] for line in answer.err.splitlines()] == ["30 users", "60 users"]
    assert "anytime-valid 95 % interval" in answer.out
    assert Path("looks.png").exists()


def test_compare_of_regret_on_own_trajectories_is_refused_before_any_run(call: Call) -> None:
    answer = call("compare", "backlog", "--metric", "regret")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("backlog: regret can't be compared between policies here")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["compare"], "Missing argument"),
        (["compare", "nowhere"], "nowhere: there is no such"),
        (["compare", "quickstart", "quickstart"], "scenario quickstart is named twice"),
        (["compare", "quickstart", "--policy", "greedy", *SMALL], "greedy alone can't be compared"),
        (["compare", "quickstart", "--policy", "[", *SMALL], "is not a policy name"),
        (["compare", "quickstart", *PAIR, "--until", "-1"], "until must be a width above 0"),
        (["compare", "quickstart", "--metric", "profit"], "--metric"),
        (["compare", "quickstart", "--out", "a.gif"], "must end in .png, .pdf, .svg"),
        (["compare", "quickstart", "--out", "no/a.png"], "there is no directory"),
        (["sweep", "quickstart"], "Missing option"),
        (["sweep", "quickstart", "--policy", "linucb"], "nothing varies"),
        (["sweep", "quickstart", "--policy", "linucb:alpha=[1"], "does not read"),
        (["sweep", "quickstart", "--policy", "linucb:alpha=[1,-1]"], "alpha must be a number from 0"),
        (["sweep", "nowhere", "--policy", "linucb:alpha=[1,2]"], "nowhere: there is no such"),
        (["sweep", "quickstart", "--policy", "linucb:alpha=[1,2]", "--out", "a"], "must end in .png"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(call: Call, arguments: list[str], words: str) -> None:
    answer = call(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert words in " ".join(answer.err.replace("│", " ").split())
    assert "Traceback" not in answer.err


def test_a_failed_policy_is_exit_code_1_and_the_others_are_shown(call: Call) -> None:
    Path("mine.py").write_text(FAILING)
    answer = call("compare", "quickstart", *PAIR, "--policy", "mine:broken", *SMALL)
    assert answer.code == 1
    assert "− greedy" in answer.out  # noqa: RUF001
    assert "mine:broken failed: round 1: raised ZeroDivisionError: not today" in " ".join(answer.out.split())
    alone = call("compare", "quickstart", "--policy", "greedy", "--policy", "mine:broken", *SMALL, "--out", "a.png")
    assert alone.code == 1
    assert not Path("a.png").exists()
    swept = call("sweep", "quickstart", "--policy", "mine:broken:prior=[1,2]", *SMALL, "--out", "a.png")
    assert swept.code == 1
    assert "mine:broken:prior=1 failed" in swept.out


def test_sweep_prints_draws_and_gives_json(call: Call) -> None:
    wanted = ("sweep", "quickstart", "--policy", "linucb:alpha=[0.1,1]", "--policy", "random", *SMALL)
    answer = call(*wanted, "--out", "alpha.png")
    assert answer.code == 0
    assert "linucb:alpha=0.1" in answer.out
    assert answer.out.splitlines()[-1] == "Figure: alpha.png"
    assert_painted(Path("alpha.png").read_bytes())
    rows = json.loads(call(*wanted, "--json").out)["rows"]
    assert [row["alpha"] for row in rows] == [0.1, 1, None]


@pytest.mark.parametrize("command", ["compare", "sweep"])
def test_help_has_an_example_and_the_exit_codes(call: Call, command: str) -> None:
    text = call(command, "--help").out
    assert f"Example: oo-sim {command}" in text
    assert "Exit codes: 0 all well" in text
