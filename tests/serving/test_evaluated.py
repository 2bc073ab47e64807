"""From a server in a process of its own to an answer: serve 50 users, export, evaluate, as a new user would."""

from __future__ import annotations

import csv
import random
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from oo_sim.cli.evaluate import app as evaluate
from oo_sim.cli.serve import app as serve
from oo_sim.serving import bench

from .conftest import Client, task

USERS, ROUNDS, WINDOW = 50, 12, 2.0
RUN = CliRunner()


@pytest.mark.slow
def test_a_served_log_is_exported_and_evaluated(tmp_path: Path) -> None:
    """People like what is urgent: what learned it would have earned more than what explores in every third decision."""
    chance = random.Random(5)
    with bench.started(tmp_path / "state", "--policy", "egreedy:epsilon=0.3") as (port, _):
        client = Client(port)
        for t in range(ROUNDS):
            for user in range(USERS):
                offered = [task(f"t{k}", priority=1 + (k + t + user) % 4) for k in range(3)]
                body = {"user_id": f"u{user}", "candidates": offered, "context": {"hour_of_day": 9, "day_of_week": 1}}
                reply = client.post("/score/egreedy", body)
                served = next(each for each in offered if each["id"] == reply["tip_id"])
                urgent = served["features"]["priority"] > 2  # type: ignore[index]
                if chance.random() < 0.8:
                    reaction = "done" if urgent == (chance.random() < 0.9) else "dismiss"
                    client.post("/react", {"decision_id": reply["decision_id"], "reaction": reaction})
        client.close()
    time.sleep(WINDOW)
    log = tmp_path / "served-log"
    said = RUN.invoke(serve, ["export-log", str(tmp_path / "state"), str(log), "--independent"])
    assert said.exit_code == 0, said.output
    asked = [str(log), "--policy", "greedy", "--policy", "softmax:temperature=0.2", "--policy", "random"]
    without = RUN.invoke(evaluate, asked)
    assert without.exit_code == 1  # nothing could be answered
    assert "requires a reward window" in without.output
    for name in ("found.csv", "found.tex"):
        said = RUN.invoke(evaluate, [*asked, "--window", f"{WINDOW:g}s", "--anytime", "--out", str(tmp_path / name)])
        assert said.exit_code == 0, said.output
    rows = {
        (row["policy"], row["estimator"]): row
        for row in csv.DictReader((tmp_path / "found.csv").read_text().splitlines())
    }
    assert {policy for policy, _ in rows} == {"(logged)", "greedy", "softmax:temperature=0.2", "random"}
    assert float(rows["random", "ips"]["difference_upper"]) < 0.0
    wide, own = rows["random", "ips, anytime"], rows["random", "ips"]
    assert float(wide["estimate_lower"]) < float(own["estimate_lower"])
    assert (tmp_path / "found.tex").read_text().count("\\begin{tabular}") == 2
