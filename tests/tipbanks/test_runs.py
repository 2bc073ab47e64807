"""Runs with tip banks: the same bits however they are cut, and events that say who wrote what was served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from oo_sim import Run
from oo_sim.audit import audit_directory
from oo_sim.contract import F64, Batch, Policy, Probs
from oo_sim.errors import WorkError
from oo_sim.experiment import estimate, partial, plan, status
from oo_sim.features import FEATURES
from oo_sim.generator import TipGenerator, open_gateway
from oo_sim.generator.appeal.keywords import about
from oo_sim.generator.bank import Record, generate_bank, read_bank, write_bank
from oo_sim.scenario import validate
from oo_sim.tipbanks import scenario_work

from .conftest import POLICIES, ROUNDS, SMALL, USERS, changed, play, records


@pytest.mark.parametrize("llm", [["none"], ["good.parquet"], ["none", "small.parquet", "good.parquet"]])
def test_more_rounds_with_banks_are_those_of_a_run_from_the_start(llm: list[str], banks: Path, tmp_path: Path) -> None:
    names = [name if name == "none" else banks / name for name in llm]
    work: dict[str, Any] = {"resume": tmp_path / "work", "checkpoint_states": True}
    few = play(names, SMALL.with_(rounds=5), **work)
    more_rounds = plan(SMALL, policies=POLICIES, llm=names, ask=False, remembers=True)
    assert estimate(more_rounds, resume=tmp_path / "work").done == 0
    more = play(names, **work)
    assert estimate(more_rounds, resume=tmp_path / "work").done == more_rounds.decisions
    assert not few.failures | more.failures
    assert more.manifest.content_hash == play(names).manifest.content_hash
    for look in (status, partial):
        with pytest.raises(WorkError, match=r"was made with tip banks \(--llm\), files that it does not hold"):
            look(tmp_path / "work")


def test_the_same_texts_are_worth_the_same_whoever_wrote_them(banks: Path, tmp_path: Path) -> None:
    """Another model, prompt and gateway, and no try kept: not one bit of the results moves."""
    made = read_bank(banks / "small.parquet")
    info = made.info._replace(prompt_version="other@1", gateway="elsewhere")
    disguised = [
        one._replace(prompt_version="other@1", llm_model="another", tries=one.tries[:1]) for one in made.records
    ]
    write_bank(tmp_path / "small.parquet", made._replace(info=info, records=tuple(disguised)))
    one, other = play([banks / "small.parquet"]), play([tmp_path / "small.parquet"])
    assert one.manifest.content_hash == other.manifest.content_hash
    assert (other.manifest.policies[0].bank or {})["models"] == ["another"]


def test_a_larger_bank_serves_a_smaller_run(banks: Path) -> None:
    """Users are independent of each other, so fewer of them see what they saw."""
    whole, part = play([banks / "good.parquet"]), play([banks / "good.parquet"], users=2)
    few = whole.users[whole.users["user_id"].isin(["user-0", "user-1"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(few, part.users.reset_index(drop=True), check_exact=True)


def test_one_run_holds_every_policy_with_every_bank(logged: Run, banks: Path) -> None:
    assert list(logged.frame()["policy"]) == [f"{p}+{b}" for b in ("none", "small", "good") for p in POLICIES]
    facts = {entry.label: entry.bank or {} for entry in logged.manifest.policies}["egreedy+small"]
    failed = sum(one.status != 200 for one in records(banks / "small.parquet").values())
    assert 0 < failed == facts["failed"] < facts["generations"] == USERS * ROUNDS
    assert facts["prompt_version"].startswith("tips@")
    assert validate(logged.manifest.scenario).policies == tuple(POLICIES)


@pytest.mark.parametrize("settings", [{}, {"threads": 3}, {"block": 64}, {"block": 1, "threads": 2}])
def test_same_banks_same_bits(banks: Path, logged: Run, settings: dict[str, Any]) -> None:
    again = play(["none", banks / "small.parquet", banks / "good.parquet"], **settings)
    assert again.manifest.content_hash == logged.manifest.content_hash


def test_blocks_of_users_share_one_bank(tmp_path: Path) -> None:
    """More users than a block holds: whatever the cut, the same bits."""
    scenario = SMALL.with_(users=130, rounds=2)
    with TipGenerator(open_gateway("mock:perfect")) as client:
        generate_bank(client, scenario_work(scenario), 2, tmp_path / "many.parquet")
    hashes = {
        play(
            [tmp_path / "many.parquet"], scenario, policies=["random"], threads=threads, block=block
        ).manifest.content_hash
        for threads, block in ((1, 1000), (3, 64))
    }
    assert len(hashes) == 1


def test_a_bank_alone_gives_what_it_gives_beside_others(banks: Path, logged: Run) -> None:
    alone = play([banks / "good.parquet"]).curves
    beside = logged.curves[logged.curves["policy"].str.endswith("+good")].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone.reset_index(drop=True), beside, check_exact=True)


def test_events_say_who_wrote_the_tip_that_was_served(logged: Run, banks: Path) -> None:
    assert logged.path is not None
    rows = pq.read_table(logged.path / "decisions.parquet").to_pylist()
    by_bank = {name: records(banks / f"{name}.parquet") for name in ("small", "good")}
    served = {"none": 0, "small": 0, "good": 0}
    for row in rows:
        name = row["policy"].partition("+")[2]
        record = by_bank[name][row["user_id"], row["t"]] if name != "none" else None
        usable = min(2, len(record.tips)) if record else 0
        assert [c["source"] for c in row["candidates"]].count("llm") == usable
        assert 3 <= len(row["candidates"]) - usable <= 5
        who = (row["prompt_version"], row["llm_model"], row["tip_kind"])
        if row["candidates"][row["chosen"]]["source"] == "llm":
            assert record is not None
            assert who == (record.prompt_version, record.llm_model, "advice")
            served[name] += 1
        else:
            assert who == (None, None, "task")
        _check_tasks_of_tips(row, record)
    assert served["none"] == 0 < min(served["small"], served["good"])


def _check_tasks_of_tips(row: dict[str, Any], record: Record | None) -> None:
    """A tip's task is the one that its text names, and lends it its features."""
    own = {c["task_id"]: c for c in row["candidates"] if c["source"] == "todoist"}
    for j, tip in enumerate(c for c in row["candidates"] if c["source"] == "llm"):
        assert record is not None
        tasks = record.parsed_context.tasks
        named = about(record.tips[j].content, [task.content for task in tasks])
        assert tip["task_id"] == (None if named is None else f"task-{tasks[named].id}")
        if named is not None:
            for column in ("is_overdue", "task_age_days", "priority"):
                assert tip[column] == own[tip["task_id"]][column]


def test_the_audit_is_clean(logged: Run) -> None:
    assert logged.path is not None
    report = audit_directory(logged.path)
    assert report.clean, report
    assert [policy.decisions for policy in report.policies] == [USERS * ROUNDS] * 6
    assert all("features" in policy.checks for policy in report.policies)


def test_banks_meet_the_same_tasks_and_the_same_luck(banks: Path) -> None:
    """Under a policy that serves the first task whatever happens, no bank makes a difference; under others it does."""
    played = play(["none", banks / "small.parquet", banks / "good.parquet"], policies=[always_the_first(), "random"])
    rewards = {label: part["reward"].to_numpy() for label, part in played.curves.groupby("policy")}
    a, b, c = (rewards[f"first+{name}"] for name in ("none", "small", "good"))
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(a, c)
    assert (rewards["random+small"] != rewards["random+good"]).any()


def always_the_first() -> Policy:
    """A policy that serves the first candidate, which is a task."""

    def probs(scores: F64, batch: Batch) -> Probs:
        total = np.zeros(scores.shape)
        total[0] = 1.0
        return Probs(total, np.zeros_like(total))

    return Policy(
        "first",
        FEATURES["oo5"],
        init=np.zeros,
        score=lambda state, batch, noise: np.zeros(batch.mask.shape),
        probs=probs,
        update=lambda state, learning, noise: state,
    )


def test_users_who_come_late_are_offered_the_generations_of_the_rounds_that_they_are_there(
    banks: Path, tmp_path: Path
) -> None:
    """A bank counts rounds, a log the user's own decisions: the two are apart by the round in which the user came."""
    scenario = changed({"arrivals": {"over": 6}, "churn": {"hazard": 0.05}})
    played = play([banks / "good.parquet"], scenario, policies=["random"], events=True, out=tmp_path / "run")
    assert played.path is not None
    assert audit_directory(played.path).clean
    came: dict[str, set[int]] = {}
    rounds = {
        frozenset(task.id for task in one.parsed_context.tasks): at
        for at, one in records(banks / "good.parquet").items()
    }
    for row in pq.read_table(played.path / "decisions.parquet").to_pylist():
        own = frozenset(c["task_id"].removeprefix("task-") for c in row["candidates"] if c["source"] == "todoist")
        tips = {c["task_id"].removeprefix("task-") for c in row["candidates"] if c["source"] == "llm"}
        assert tips <= own
        came.setdefault(row["user_id"], set()).add(rounds[own][1] - row["t"])
    assert all(len(first) == 1 for first in came.values())
    assert len(set.union(*came.values())) > 1
