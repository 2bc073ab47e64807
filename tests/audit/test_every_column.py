"""No column of a log can be changed unseen: one value of each, in a simulated log, one of tips out of a bank, and in a
served one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import oo_sim
from oo_sim.audit import Report, Wrong, audit_tables
from oo_sim.generator import Options, TipGenerator, open_gateway
from oo_sim.generator.bank import generate_bank
from oo_sim.logs.schema import CANDIDATE, DECISIONS, LEARNINGS
from oo_sim.serving import create_app
from oo_sim.serving.export import export_log
from oo_sim.tipbanks import scenario_work

Row = dict[str, Any]
BANKS = ("bank of egreedy", "bank of thompson")
SCHEMAS = {"decisions": DECISIONS, "learnings": LEARNINGS}
BELIEVED = {
    "served decisions.candidates.id", "served decisions.candidates.task_id", "served decisions.candidates.source",
    "served decisions.candidates.task_age_days", "served decisions.prompt_version", "served decisions.llm_model",
    "served decisions.tip_kind", "served learnings.reaction",
}  # fmt: skip
"""Where docs/audit.md says that another value is taken from the log."""


class Log(NamedTuple):
    """The rows of a log, and its audit."""

    kind: str
    tables: dict[str, list[Row]]
    manifest: Row

    @classmethod
    def read(cls, kind: str, path: Path) -> Log:
        tables = {name: pq.read_table(path / f"{name}.parquet").to_pylist() for name in SCHEMAS}
        return cls(kind, tables, json.loads((path / "manifest.json").read_text()))

    def audit(self) -> Report:
        decided, learned = (pa.Table.from_pylist(self.tables[name], schema) for name, schema in SCHEMAS.items())
        return audit_tables(decided, learned, self.manifest, full=True)


async def _serve(state: Path) -> None:
    app = create_app(state, policies=("egreedy", "thompson:samples=5"), seed=5)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
    ):
        for step in range(24):
            offered = [
                {"id": f"t{k}", "content": "", "source": "llm" if (k + step) % 3 == 0 else "todoist"}
                | {"features": {"priority": 1 + (k + step) % 4, "task_age_days": k - 2.0, "is_overdue": k > 2}}
                for k in range(4)
            ]
            body = {"user_id": f"user {step % 3}", "candidates": offered}
            context = {"context": {"hour_of_day": step % 24, "day_of_week": step % 7}}
            answer = await client.post(f"/score/{('egreedy', 'thompson')[step % 2]}", json=body | context)
            assert answer.status_code == 200, answer.text
            decision = answer.json()["decision_id"]
            if step % 4 != 1:
                reaction = ("done", "dismiss", "helpful")[step % 3]
                await client.post("/react", json={"decision_id": decision, "reaction": reaction})


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Log]:
    """A right log of each kind; changes are made in copies."""
    path = tmp_path_factory.mktemp("columns")
    policies = ["egreedy", "thompson:samples=5"]
    oo_sim.run("quickstart", policies=policies, users=6, rounds=4, events=True, out=path / "run", plot=False)
    asyncio.run(_serve(path / "state"))
    tips = oo_sim.load_scenario("llm_tips").with_(users=8, rounds=4)
    with TipGenerator(open_gateway("mock:perfect"), None, Options()) as client:
        generate_bank(client, scenario_work(tips), 3, path / "tips.parquet")
    choosers = ["egreedy:epsilon=0.9", "thompson:samples=5,features=oo7x,scale=3"]  # of tips too
    for chooser in choosers:
        bank = path / f"bank of {chooser.partition(':')[0]}"
        oo_sim.run(tips, policies=[chooser], llm=[path / "tips.parquet"], events=True, out=bank, plot=False)
    export_log(path / "state", path / "served")
    return {
        "simulated": Log.read("simulated", path / "run"),
        "served": Log.read("served", path / "served"),
        **{kind: Log.read(kind, path / kind) for kind in BANKS},
    }


@pytest.mark.parametrize("kind", ["simulated", *BANKS, "served"])
def test_right_logs_are_clean(kind: str, logs: dict[str, Log]) -> None:
    assert logs[kind].audit().clean, logs[kind].audit()


def _other(column: str, value: Any) -> Iterator[Any]:
    """Other values of a column that are as possible by themselves."""
    words = {
        "tip_kind": ("task", "advice"), "probs_kind": ("exact", "estimated"), "source": ("llm", "todoist"),
        "reaction": ("done", "helpful", "snooze"), "kind": ("reset",), "policy": ("egreedy", "thompson:samples=5"),
    }  # fmt: skip
    if column in words:
        yield from (word for word in words[column] if word != value)
    elif column == "ts":
        yield 1_790_000_000_000_000
    elif isinstance(value, bool) or column == "explored":
        yield not value
    elif column == "day":
        yield (value + 1) % 7
    elif column == "chosen":
        yield (value + 1) % 4
    elif column == "priority":
        yield value % 4 + 1
    elif isinstance(value, int):
        yield value + 1
    elif isinstance(value, float):
        yield value + 0.01 if value < 0.5 else value - 0.01
    elif isinstance(value, list):
        yield [next(_other("", value[0])), *value[1:]]
    elif isinstance(value, str):
        yield f"{value}0"
    elif column in ("expected_reward", "best_expected_reward", "propensity", "probs_samples", "t_decided"):
        yield 1
    elif column in ("prompt_version", "llm_model", "tip_id", "task_id", "decision_id"):
        yield "task-99"


def _changes(log: Log, table: str, column: str) -> Iterator[tuple[str, Log]]:
    """The log with one other value, of a row in the middle of each policy; with a bank, of one that chose a
    tip, and of that."""
    rows, bank = log.tables[table], log.kind in BANKS
    for policy in dict.fromkeys(row["policy"] for row in rows):
        own = [i for i, row in enumerate(rows) if row["policy"] == policy]
        own = [i for i in own if not bank or rows[i].get("tip_kind", "advice") == "advice"]
        i = own[len(own) // 2]
        outer, _, inner = column.partition(".")
        k = rows[i]["chosen"] if bank and inner else 1
        value = rows[i][outer][k][inner] if inner else rows[i][column]
        nothing = [None] if value is not None and not inner and SCHEMAS[table].field(column).nullable else []
        for other in (*_other(inner or column, value), *nothing):
            row = deepcopy(rows[i])
            if inner:
                row[outer][k][inner] = other
            else:
                row[column] = other
            changed = log._replace(tables=log.tables | {table: [*rows[:i], row, *rows[i + 1 :]]})
            yield f"{policy} row {i}: {value!r} -> {other!r}", changed


COLUMNS = [
    *(("decisions", name) for name in DECISIONS.names if name != "candidates"),
    *(("decisions", f"candidates.{field.name}") for field in CANDIDATE),
    *(("learnings", name) for name in LEARNINGS.names),
]


@pytest.mark.parametrize("kind", ["simulated", *BANKS, "served"])
@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_another_value_is_named(table: str, column: str, kind: str, logs: dict[str, Log]) -> None:
    seen = [(what, copy.audit()) for what, copy in _changes(logs[kind], table, column)]
    assert seen
    unseen = [what for what, report in seen if report.clean]
    assert bool(unseen) == (f"{kind} {table}.{column}" in BELIEVED), unseen


def _first(log: Log) -> Wrong:
    (found,) = (policy.first for policy in log.audit().policies if policy.first is not None)
    return found


@pytest.mark.parametrize("kind", ["simulated", "served"])
class TestTheFirstThatIsPrinted:
    """The row that was changed, and what is wrong with it, come before what follows from it."""

    def _row(self, log: Log, which: int = 0) -> tuple[list[Row], Row]:
        """One of egreedy's decisions, from which something was learned, in the middle of the log."""
        rows, heard = log.tables["decisions"], {row["decision_id"] for row in log.tables["learnings"]}
        own = [row for row in rows if row["policy"] == "egreedy" and row["t"] == 2 and row["decision_id"] in heard]
        return rows, own[which]

    def test_a_decision_that_is_missing(self, kind: str, logs: dict[str, Log]) -> None:
        log = logs[kind]._replace(tables=deepcopy(logs[kind].tables))
        rows, row = self._row(log)
        rows.remove(row)
        first = _first(log)
        assert (first.user_id, first.t) == (row["user_id"], 2)
        said = {"simulated": "presence: logged no decision", "served": "there is no decision 3 (t=2)"}
        assert said[kind] in str(first)

    def test_an_id_of_another_user(self, kind: str, logs: dict[str, Log]) -> None:
        log = logs[kind]._replace(tables=deepcopy(logs[kind].tables))
        _, row = self._row(log)
        right, row["decision_id"] = row["decision_id"], self._row(log, 1)[1]["decision_id"]
        first = _first(log)
        assert (first.check, first.user_id, first.t) == ("id", row["user_id"], 2)
        assert (first.logged, first.expected) == (f"decision_id {row['decision_id']}", f"decision_id {right}")
        (count,) = (policy.checks["id"] for policy in log.audit().policies if policy.first is not None)
        assert count.wrong == 1

    def test_another_candidate(self, kind: str, logs: dict[str, Log]) -> None:
        log = logs[kind]._replace(tables=deepcopy(logs[kind].tables))
        _, row = self._row(log)
        right, row["chosen"] = row["chosen"], (row["chosen"] + 1) % len(row["candidates"])
        first = _first(log)
        assert (first.check, first.user_id, first.t) == ("draw", row["user_id"], 2)
        assert first.logged == f"candidate {row['chosen']}"
        assert first.expected.startswith(f"candidate {right} at uniform")
