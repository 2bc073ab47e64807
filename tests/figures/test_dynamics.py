"""Runs whose users come and go, or answer late: their counts, tables, notes and figures."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from results.made import BuildRun
from rich.console import Console

from oo_sim import Run, load_run, run
from oo_sim.figures import curves_figure
from oo_sim.figures.curves import loglog_figure
from oo_sim.results.run import fates
from oo_sim.results.series import regret_lines
from oo_sim.scenario import validate

from .painted import assert_drawn

PEOPLE = [{"name": "all", "preferences": {"intercept": -1, "priority": 2}}]
USERS, ROUNDS, REPLICATES = 40, 30, 2
CHURN: dict[str, Any] = {"bad_reactions": 8}
ARRIVALS: dict[str, Any] = {"over": ROUNDS + 10}  # so that some never come
FEEDBACK: dict[str, Any] = {"delay": {"uniform": [0, 12]}, "window": 9, "missing": {"rate": 0.2}}


def played(feedback: dict[str, Any] | None = None, out: Path | None = None, **world: Any) -> Run:
    base = {"version": 1, "name": "t", "users": USERS, "rounds": ROUNDS, "replicates": REPLICATES}
    base |= {"policies": ["egreedy", "random"], "world": {"kind": "tips", "tasks": {"count": 3}, "segments": PEOPLE}}
    base["world"] |= world  # type: ignore[operator]
    return run(validate(base | ({"feedback": feedback} if feedback else {})), threads=1, plot=False, out=out)


def shown(result: Run) -> str:
    stream = io.StringIO()
    Console(file=stream, width=100).print(result.table())
    return stream.getvalue()


def test_the_summary_counts_what_became_of_decisions_as_the_curves_do() -> None:
    result = played(FEEDBACK, churn=CHURN, arrivals=ARRIVALS)
    last = result.curves[result.curves["round"] == ROUNDS].groupby("policy")
    for row in result.rows:
        sums = last.get_group(row.policy).sum(numeric_only=True)
        counts = (row.rewarded, row.pending, row.expired, row.never)
        assert counts == tuple(sums[["rewarded", "pending", "expired", "never"]])
        assert sum(counts) == row.decisions
        assert min(counts) > 0
        assert row.users_at_the_end == sums["users"] / REPLICATES < USERS
    frame = result.frame()
    assert frame["pending"].tolist() == [row.pending for row in result.rows]


def test_without_dynamics_there_is_one_table_and_no_note_of_them(build: BuildRun) -> None:
    result = played()
    assert fates(result.manifest, result.rows) is None
    assert result.rows[0].users_at_the_end == USERS
    for text in (shown(result), result._repr_html_(), shown(build())):
        assert "pending" not in text
        assert "at the end" not in text
        assert "dynamic regret" not in text
    assert result._repr_html_().count("<table>") == 1
    assert curves_figure([result]).axes[0].get_xlabel() == "round, logarithmic; band: 95 % over users"


@pytest.mark.parametrize(
    ("parts", "headers"),
    [
        ({"churn": CHURN}, ["users\nat the end", "decisions\nper user"]),
        ({"arrivals": ARRIVALS}, ["users\nat the end", "decisions\nper user"]),
        ({"feedback": FEEDBACK}, ["rewarded", "pending", "expired", "never\nreported"]),
        ({"drift": [{"random_walk": {"sd_per_day": 1}}]}, []),
    ],
)
def test_the_second_table_has_what_the_dynamics_make_interesting(parts: dict[str, Any], headers: list[str]) -> None:
    result = played(**parts)
    found = fates(result.manifest, result.rows)
    assert (found.headers[1:] if found else []) == headers
    assert found is None or [len(row) for row in found.rows] == [len(headers) + 1] * 2
    for text in (shown(result), result._repr_html_()):
        assert ("at the end" in text) == ("churn" in parts or "arrivals" in parts)
        assert ("lost after the window" in text) == ("feedback" in parts)
        assert ("dynamic regret" in text) == ("drift" in parts)


def test_shares_are_of_decisions_and_of_users() -> None:
    result = played(FEEDBACK, churn=CHURN)
    found = fates(result.manifest, result.rows)
    assert found is not None
    row, [_, *cells] = result.rows[0], found.rows[0]
    assert cells[0] == f"{row.users_at_the_end / USERS:.1%}"
    assert cells[1] == f"{row.decisions / USERS / REPLICATES:.1f}"
    assert sum(float(cell.rstrip("%")) for cell in cells[2:]) == pytest.approx(100, abs=0.2)


def test_figures_say_whom_the_mean_is_over_and_end_where_the_table_does() -> None:
    result = played(churn=CHURN, arrivals=ARRIVALS)
    assert "users there in a round" in curves_figure([result]).axes[0].get_xlabel()
    for line, row in zip(regret_lines(result.manifest, result.curves, result.users), result.rows, strict=True):
        assert row.regret_per_user.n < USERS
        assert line.y[-1] == pytest.approx(row.regret_per_user.estimate)
        assert line.half[-1] == pytest.approx(row.regret_per_user.width / 2)


def test_a_run_whose_users_all_left_is_read_back(tmp_path: Path) -> None:
    result = played(churn={"hazard": 1}, out=tmp_path / "run")
    again = load_run(tmp_path / "run")
    assert again.rows == result.rows
    assert again.rows[0].users_at_the_end == 0
    assert again.rows[0].decisions == USERS * REPLICATES


def test_a_run_in_which_nobody_came_is_shown_as_it_is() -> None:
    base = {"version": 1, "name": "t", "users": 2, "rounds": 1, "policies": ["random"]}
    world = {"kind": "tips", "tasks": {"count": 3}, "segments": PEOPLE, "arrivals": {"over": 1_000_000}}
    result = run(validate(base | {"world": world}), threads=1, plot=False)
    assert result.rows[0].decisions == 0
    [line] = regret_lines(result.manifest, result.curves, result.users)
    assert line.y.tolist() == [0.0]
    found = fates(result.manifest, result.rows)
    assert found is not None
    assert found.rows == [["random", "0.0%", "0.0"]]
    for figure in (curves_figure([result]), curves_figure([result], log=True), loglog_figure(result)):
        assert_drawn(figure)
