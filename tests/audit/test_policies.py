"""Every built-in policy is derived again in full, and each of its parameters and lessons matters to the audit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import oo_sim
from oo_sim.audit import PolicyReport, audit_directory, audit_tables
from oo_sim.audit.rules import KNOWN
from oo_sim.policies.registry import POLICIES

SPECS = {
    "linucb": "linucb:alpha=0.7,prior=0.5",
    "egreedy": "egreedy:decay=0.05,epsilon=0.3",
    "greedy": "greedy:prior=2",
    "softmax": "softmax:temperature=0.2",
    "squarecb": "squarecb:gamma=5,exponent=0.3",
    "thompson": "thompson:scale=0.4",
    "thompson of many": "thompson:samples=40",
    "logistic_ts": "logistic_ts:scale=0.8",
    "logistic_ts of many": "logistic_ts:samples=40",
    "bootstrap_ts": "bootstrap_ts:replicates=40,spread=0.3",
    "linucb_disjoint": "linucb_disjoint:alpha=0.4",
    "linucb_hybrid": "linucb_hybrid:alpha=0.4,sharing=2",
    "dlinucb": "dlinucb:gamma=0.9",
    "swlinucb": "swlinucb:window=8",
    "restart_linucb": "restart_linucb:period=25",
    "random": "random",
    "oracle": "oracle",
}
AT = 3
"""The lesson that is tampered with: an early one of the first user, so that much depends on it."""
LEARNERS = [name for name in SPECS if name not in ("random", "oracle")]
SCENARIOS = ["quickstart", "exact_ties", "late_answers", "silent_users", "newcomers", "linear"]


def logged(spec: str, scenario: str, out: Path, users: int = 6, rounds: int = 40, **changes: Any) -> Path:
    oo_sim.run(scenario, policies=[spec], users=users, rounds=rounds, events=True, out=out, plot=False, **changes)
    return out


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A log of each policy, with rewards that come late."""
    base, made = tmp_path_factory.mktemp("logs"), dict[str, Path]()

    def log(name: str) -> Path:
        if name not in made:
            made[name] = logged(SPECS[name], "late_answers", base / name)
        return made[name]

    return log


def test_every_policy_of_the_package_is_known() -> None:
    """A policy that is added is derived again too, or this test says that it is not."""
    assert set(KNOWN) == set(POLICIES) == {spec.partition(":")[0] for spec in SPECS.values()}


@pytest.mark.e2e
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_policy_is_derived_again_in_every_kind_of_world(scenario: str, tmp_path: Path) -> None:
    blind = ("linucb_disjoint", "linucb_hybrid") if scenario == "linear" else ()
    specs = [spec for name, spec in SPECS.items() if name not in blind]
    oo_sim.run(scenario, policies=specs, users=20, rounds=30, events=True, out=tmp_path / "run", plot=False)
    report = audit_directory(tmp_path / "run")
    assert report.clean, [policy.first for policy in report.policies]
    unseen = ("features",) if scenario == "linear" else ()
    for policy in report.policies:
        assert policy.unchecked == (() if policy.label in ("random", "oracle") else unseen)
        assert policy.checks["score"].judged == policy.decisions
        assert "probs" in policy.checks
    assert report.complete == (scenario != "linear")


PARAMETERS = [
    (name, key)
    for name, spec in SPECS.items()
    for key in sorted({pair.partition("=")[0] for pair in spec.partition(":")[2].split(",") if pair} | {"prior"})
    if name in LEARNERS
]


@pytest.mark.parametrize(("name", "key"), PARAMETERS)
def test_every_parameter_matters(name: str, key: str, logs: Callable[[str], Path], tmp_path: Path) -> None:
    """The same log, said to be of a policy with one parameter slightly different, is not that policy's."""
    source = logs(name)
    manifest = json.loads((source / "manifest.json").read_text())
    given = manifest["policies"][0]["parameters"]
    given[key] = given[key] + 1 if isinstance(given[key], int) else given[key] * 1.02
    decisions, learnings = (pq.read_table(source / f"{table}.parquet") for table in ("decisions", "learnings"))
    report = audit_tables(decisions, learnings, manifest)
    assert report.policies[0].wrong, report


def rows_of(source: Path, edit: Callable[[list[dict[str, Any]]], None]) -> PolicyReport:
    """The audit of a log whose learnings were edited, numbered anew afterwards."""
    decisions, learnings = (pq.read_table(source / f"{table}.parquet") for table in ("decisions", "learnings"))
    rows = sorted(learnings.to_pylist(), key=lambda row: (row["user_id"], row["seq"]))
    edit(rows)
    counts: dict[str, int] = {}
    for row in rows:
        row["seq"] = counts[row["user_id"]] = counts.get(row["user_id"], -1) + 1
    manifest = json.loads((source / "manifest.json").read_text()) | {"rows": {}}
    return audit_tables(decisions, pa.Table.from_pylist(rows, learnings.schema), manifest).policies[0]


def drop(rows: list[dict[str, Any]]) -> None:
    del rows[AT]


def twice(rows: list[dict[str, Any]]) -> None:
    rows.insert(AT, dict(rows[AT]))


def other_reward(rows: list[dict[str, Any]]) -> None:
    row = rows[AT]
    row["reaction"], row["reward"] = ("done", 1.0) if row["reaction"] != "done" else ("dismiss", -1.0)


def other_vector(rows: list[dict[str, Any]]) -> None:
    rows[AT]["x"] = [value * 0.5 + 0.1 for value in rows[AT]["x"]]


def other_decision(rows: list[dict[str, Any]]) -> None:
    rows[AT]["t_decided"] -= 1


def other_id(rows: list[dict[str, Any]]) -> None:
    rows[AT]["decision_id"] = rows[0]["decision_id"]


def later(rows: list[dict[str, Any]]) -> None:
    rows[AT : AT + 1] = [
        rows[AT] | {"t_now": rows[AT]["t_now"] + 1},
    ]


@pytest.mark.parametrize("edit", [drop, twice, other_reward, other_vector, other_decision, other_id, later])
@pytest.mark.parametrize("name", ["linucb", "dlinucb", "swlinucb", "restart_linucb", "bootstrap_ts", "logistic_ts"])
def test_tampering_is_named(
    name: str, edit: Callable[[list[dict[str, Any]]], None], logs: Callable[[str], Path]
) -> None:
    """One lesson of one user is changed; the same list for models that forget as for one that does not."""
    found = rows_of(logs(name), edit)
    assert found.first is not None
    named = {twice: "learned", other_vector: "learned", other_decision: "learned", other_id: "id"}
    if edit in named:
        assert named[edit] in found.firsts
    else:
        assert set(found.firsts) & {"score", "argmax", "probs", "order"}


def test_a_log_that_was_cut_off_is_named(logs: Callable[[str], Path]) -> None:
    source = logs("linucb")
    manifest = json.loads((source / "manifest.json").read_text())
    decisions, learnings = (pq.read_table(source / f"{table}.parquet") for table in ("decisions", "learnings"))
    manifest["rows"] = {"decisions": decisions.num_rows, "learnings": learnings.num_rows}
    assert audit_tables(decisions, learnings, manifest).clean
    report = audit_tables(decisions, learnings.slice(0, learnings.num_rows - 1), manifest)
    assert report.cut == (f"learnings: {learnings.num_rows - 1:,} rows; the manifest says {learnings.num_rows:,}",)
    assert not report.clean


def test_a_policy_that_is_not_known_is_named_first(logs: Callable[[str], Path]) -> None:
    """`clean` never means `not looked at`."""
    from oo_sim.audit import lines  # noqa: PLC0415

    source = logs("linucb")
    manifest = json.loads((source / "manifest.json").read_text())
    manifest["policies"][0] |= {"name": "mine:policy", "parameters": {}}
    tables = [pq.read_table(source / f"{table}.parquet") for table in ("decisions", "learnings")]
    report = audit_tables(tables[0], tables[1], manifest)
    said = list(lines(report))
    assert said[0].startswith(
        "Not derived again: scores, probabilities, learned states of linucb:alpha=0.7,prior=0.5 ("
    )
    assert said[-1] == "Nothing wrong was found; what the first lines name was not derived again."
    assert (report.to_dict()["clean"], report.to_dict()["complete"]) == (True, False)
    manifest["policies"][0] |= {"hash": "0123456789abcdef"}
    wrong = audit_tables(tables[0], tables[1], manifest).policies[0]
    assert wrong.checks["id"].wrong == wrong.decisions
