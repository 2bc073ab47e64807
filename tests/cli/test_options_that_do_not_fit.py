"""Options that say nothing together, and files that cannot be written: refused at once, before anything is computed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from calling import Call

import oo_sim
from oo_sim.errors import OoSimError

SIZES = ("--users=6", "--rounds=4")
COMPARE = ("compare", "quickstart", "--policy=greedy", "--policy=random")
EVALUATE = ("evaluate", "log.csv", "--policy=linucb")
SWEEP = ("sweep", "quickstart", "--policy=linucb:alpha=[1,2]")
RUN = ("run", "quickstart", *SIZES)


@pytest.fixture(autouse=True)
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where something is computed."""

    def computed(*_: object, **__: object) -> None:
        raise AssertionError("something was computed")

    for name in ("oo_sim.studies.comparing.run", "oo_sim.studies.sweeping.run", "oo_sim.studies.evaluating.read"):
        monkeypatch.setattr(name, computed)
    monkeypatch.setattr("oo_sim.experiment.running.plan", computed)


LOG = """user,order,action,probability,reward
a,1,x,.5,1
b,1,y,.5,0
"""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        *(
            ((*RUN, "--events", *other), f"events are written where they are made; leave out {other[0]}")
            for other in (("--resume", "w"), ("--executor", "a:b"), ("--dask", "local:1"), ("--shard", "1/2"))
        ),
        ((*RUN, "--events", "--resume", "w", "--dry-run"), "leave out --resume"),
        *(
            ((*RUN, "--shard=1/2", "--out=w", *other), f"leave out {other[0]}")
            for other in (
                ("--resume", "w"),
                ("--dask", "local:1"),
                ("--llm", "none"),
                ("--appeal", "panel"),
                ("--json",),
            )
        ),
        ((*RUN, "--json", "--quiet"), "only one of --json and --quiet"),
        ((*COMPARE, "--max-users=50"), "max_users says how far users are added, and without until none are"),
        ((*COMPARE, "--precise"), "precise says how far users are added, and without until none are"),
        ((*COMPARE, "--json", "--csv"), "only one of --json and --csv can be printed"),
        ((*COMPARE, "--out=no/a.png"), "there is no directory no"),
        ((*COMPARE, "--out=d.png"), "d.png is a directory"),
        ((*SWEEP, "--latex", "--markdown"), "only one of --latex and"),
        ((*SWEEP, "--out=shut/a.png"), "nothing can be written in shut"),
        ((*COMPARE, "--out=shut/a.png"), "nothing can be written in shut"),
        ((*EVALUATE, "--out=shut/a.csv"), "nothing can be written in shut"),
        ((*EVALUATE, "--plot=shut/a.png"), "nothing can be written in shut"),
        ((*EVALUATE, "--out=x.txt"), "x.txt must end in .csv"),
        ((*EVALUATE, "--decisions=10"), "decisions belongs to replay, and the question is frozen"),
        ((*EVALUATE, "--as=passive", "--assume-iid"), "assume_iid belongs to replay, and the question is passive"),
        ((*EVALUATE, "--as=passive", "--train-until=.3"), "train_until belongs to frozen, and"),
        ((*EVALUATE, "--as=replay", "--estimator=dr"), "estimators belongs to frozen and passive, and"),
        ((*EVALUATE, "--as=replay", "--anytime"), "anytime belongs to frozen and passive, and"),
        ((*EVALUATE, "--json", "--markdown"), "only one of"),
        *(
            ((*words, "--style=paper"), f"is that of a figure: name its file with {option}")
            for words, option in ((COMPARE, "--out"), (SWEEP, "--out"), (EVALUATE, "--plot"))
        ),
        ((*EVALUATE, "--out=a.csv", "--style=paper2"), "is that of a figure: name its file with --plot"),
        *(
            ((*RUN, option, "--dry-run"), "is about what the tips of banks are worth: name banks with llm")
            for option in ("--appeal=panel", "--gateway=live")
        ),
        (("show", "run", "--json", "--csv"), "only one of"),
        (("plot", "run", "--kind=users", "--log"), "is for curves on the screen"),
        (("plot", "run", "--style=paper", "--log"), "is for curves on the screen"),
        *(
            (("report", "run", "-o", "a.html", *option), "is about policies to evaluate; name one with --policy")
            for option in (("--logged", "a"), ("--as", "frozen"), ("--window", "3"))
        ),
    ],
)
def test_what_does_not_fit_is_refused_before_any_work(
    call: Call, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    Path("log.csv").write_text(LOG)
    Path("d.png").mkdir()
    Path("shut").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "shut")  # for root, all can be written
    answer = call(*words)
    assert (answer.code, answer.out) == (2, "")
    assert said in " ".join(answer.err.replace("│", "").split())
    assert sorted(path.name for path in Path().iterdir()) == ["d.png", "log.csv", "shut"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"events": True}, "name a new run directory"),
        ({"events": True, "out": "a", "resume": "w"}, "events are written where they are made"),
        ({"checkpoint_states": True}, "states are kept in a work directory"),
    ],
)
def test_python_refuses_a_run_by_an_error_of_ours(options: dict[str, object], said: str) -> None:
    with pytest.raises(OoSimError, match=said):
        oo_sim.run("quickstart", **options)  # type: ignore[arg-type]


def test_a_dry_run_is_told_as_json(call: Call) -> None:
    told = json.loads(call("run", "quickstart", "backlog", *SIZES, "--policy=greedy", "--dry-run", "--json").out)
    assert [each["name"] for each in told["runs"]] == ["quickstart", "backlog"]
    assert told["runs"][0]["decisions"] == 24
    assert told["runs"][0]["too_much"] == ""
    assert told["runs"][0]["memory"] > 0
