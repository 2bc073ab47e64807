"""Served logs with resets and late rewards, policies that are not known, and the command."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from oo_sim.audit import audit_tables
from oo_sim.audit.report import Count, PolicyReport, Report
from oo_sim.audit.text import lines
from oo_sim.cli.audit import app

from .faulty import AgeOffByOne, NeverLast, PropensityOne
from .simulator import F64, Row, Simulator

START = datetime(2026, 1, 1, tzinfo=UTC)


class Served(Simulator):
    """Decisions at times; rewards come at another hour than their decision's, and sometimes two rounds late;
    each user is reset once.
    """

    def __init__(self, policy: str, **parameters: Any) -> None:
        super().__init__(policy, **parameters)
        self.late: dict[int, list[tuple[list[float], float, Row]]] = {user: [] for user in range(self.users)}

    def log_decision(self, row: Row) -> Row:
        return row | {"ts": START + timedelta(minutes=len(self.decisions)), "expected_reward": None}

    def decide(self, user: int, t: int, state: list[tuple[F64, F64]]) -> None:
        if t == 20:
            state[user] = self.fresh()
            self._log(user, {"kind": "reset", "t_now": t - 1})
        super().decide(user, t, state)
        if t % 3 == 0:
            for x, reward, row in self.late[user]:
                self.learn(*state[user], x, reward)
                self._log(user, row | {"t_now": t})
            self.late[user] = []

    def update(self, user: int, state: list[tuple[F64, F64]], x: list[float], reward: float) -> None:
        """Every reward waits for its time, when it brings the hour of that time."""
        turn = 2 * np.pi * int(self.rng.integers(24)) / 24
        own = {"hour_sin": float(np.sin(turn)), "hour_cos": float(np.cos(turn))}
        x = [own.get(name, value) for name, value in zip(self.names, x, strict=True)]
        row = {"kind": "reward", "x": x, "reward": reward, "t_decided": None}
        self.late[user].append((x, reward, row))

    def log_learning(self, row: Row) -> list[Row]:
        self.learned[int(row["user_id"].removeprefix("user-"))] -= 1
        return []

    def _log(self, user: int, row: Row) -> None:
        key = {"policy": self.policy, "replicate": 0, "user_id": f"user-{user}", "seq": self.learned[user]}
        self.learnings.append(key | row | {"ts": START + timedelta(minutes=len(self.decisions))})
        self.learned[user] += 1


@pytest.mark.parametrize("policy", ["linucb", "egreedy"])
def test_a_served_log_passes(policy: str) -> None:
    simulator = Served(policy, users=4, rounds=45)
    report = audit_tables(*simulator.run(), simulator.manifest())
    assert report.clean, report
    assert {"score", "draw", "learned", "reward"} <= set(report.policies[0].checks)


def test_a_forgotten_reset_is_found() -> None:
    simulator = Served("linucb", users=4, rounds=45)
    decided, learned = simulator.run()
    rows = [row for row in learned.to_pylist() if row["kind"] == "reward"]
    for user in {row["user_id"] for row in rows}:
        for seq, row in enumerate(row for row in rows if row["user_id"] == user):
            row["seq"] = seq
    report = audit_tables(decided, pa.Table.from_pylist(rows, learned.schema), simulator.manifest())
    first = report.policies[0].first
    assert first is not None
    assert (first.check, first.t) == ("score", 20)


def test_a_reward_with_an_impossible_vector_is_found() -> None:
    simulator = Served("egreedy", users=4, rounds=45)
    decided, learned = simulator.run()
    rows = learned.to_pylist()
    rows[7]["x"] = [0.5] * 7
    report = audit_tables(decided, pa.Table.from_pylist(rows, learned.schema), simulator.manifest())
    assert report.policies[0].checks["learned"].wrong == 1


def test_wire_names_need_no_manifest() -> None:
    """`linucb-v1` and `egreedy-v1` are known by name; with no manifest there is no seed."""
    simulator = Simulator("egreedy", epsilon=0.1)
    tables = [
        table.set_column(0, table.field("policy"), pa.array(["egreedy-v1"] * table.num_rows))
        for table in simulator.run()
    ]
    report = audit_tables(tables[0], tables[1], {})
    assert report.clean
    assert {"score", "features", "probs", "rate"} <= set(report.policies[0].checks)


def test_without_a_manifest_the_notes_promise_no_more_than_is_checked() -> None:
    (found,) = audit_tables(*Simulator("linucb").run(), {}).policies
    assert found.wrong == 0
    assert "features" not in found.checks
    assert found.notes[0].endswith("not described by the manifest: propensities and draws are checked, scores are not")
    assert found.notes[1] == "features are not derived again: no manifest names them"


def _as(name: str, simulator: Simulator, **parameters: Any) -> Row:
    manifest = simulator.manifest()
    manifest["policies"][0] |= {"name": name, "parameters": simulator.parameters | parameters}
    return manifest


@pytest.mark.parametrize(("name", "extra"), [("mine:policy", {}), ("linucb", {"discount": 0.9})])
def test_unknown_policies_are_checked_as_far_as_they_can_be(name: str, extra: dict[str, float]) -> None:
    right = Simulator("linucb", users=4, rounds=20)
    (found,) = audit_tables(*right.run(), _as(name, right, **extra)).policies
    assert found.wrong == 0
    assert set(found.checks) == {"order", "id", "features", "learned", "reward", "probs", "propensity", "draw"}
    assert found.unchecked == ("scores", "probabilities", "learned states")
    assert "features, propensities and draws are checked, scores are not" in found.notes[0]
    for fault, policy, check in (
        (AgeOffByOne, "linucb", "features"),
        (PropensityOne, "egreedy", "propensity"),
        (NeverLast, "softmax", "draw"),
    ):
        wrong = fault(policy, users=4, rounds=20)
        first = audit_tables(*wrong.run(), _as(name, wrong, **extra)).policies[0].first
        assert first is not None
        assert first.check == check


def _write(directory: Path, simulator: Simulator, manifest: Row | None = None) -> str:
    decided, learned = simulator.run()
    directory.mkdir()
    pq.write_table(decided, directory / "decisions.parquet", row_group_size=50)
    pq.write_table(learned, directory / "learnings.parquet")
    (directory / "manifest.json").write_text(json.dumps(manifest or simulator.manifest()))
    return str(directory)


def test_the_command_and_its_exit_codes(tmp_path: Path) -> None:
    run = CliRunner().invoke
    clean = _write(tmp_path / "clean", Simulator("linucb", users=4, rounds=20))
    result = run(app, [clean])
    assert result.exit_code == 0
    assert "Clean: every decision follows from the log." in result.output
    wrong = _write(tmp_path / "wrong", PropensityOne("egreedy", users=4, rounds=20))
    result = run(app, [wrong])
    assert result.exit_code == 5
    assert "first wrong: egreedy: user user-" in result.output
    report = json.loads(run(app, [wrong, "--json"]).output)
    assert report["policies"][0]["first"]["check"] == "propensity"
    assert report["policies"][0]["checks"]["draw"] == {"judged": 80, "wrong": 0}

    class Bad(Simulator):
        def log_decision(self, row: Row) -> Row:
            return row | {"chosen": 40}

    result = run(app, [_write(tmp_path / "bad", Bad("linucb", users=2, rounds=5))])
    assert result.exit_code == 2
    assert (
        "decisions: 10 rows refused, the first is row 0 (from 0): chosen is not among the candidates" in result.output
    )
    result = run(app, [str(tmp_path / "nowhere")])
    assert result.exit_code == 2
    assert "is not a directory" in result.output


def test_a_check_without_rows_does_not_pass() -> None:
    policy = PolicyReport("thompson", 7, {"scores": Count(7), "probs": Count(), "draw": Count(7, 2)}, None, {}, ())
    said = [line.split("checked  ") for line in lines(Report((policy,), ())) if "checked  " in line]
    assert [each[1] for each in said] == ["ok", "the log has none", "2 wrong"]
