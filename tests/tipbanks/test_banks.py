"""From a scenario to a tip bank: contexts, grounding, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from oo_sim.errors import GeneratorInputError
from oo_sim.generator.appeal.keywords import about, contradicts
from oo_sim.scenario import validate
from oo_sim.tipbanks import scenario_work, tip_banks

from .conftest import ROUNDS, SMALL, USERS, changed, play, records


def test_contexts_go_user_by_user_and_the_prompt_shows_what_is_offered() -> None:
    work = scenario_work(SMALL)
    assert [one.user_id for one in work] == [f"user-{u}" for u in range(USERS) for _ in range(ROUNDS)]
    world = SMALL.canonical()["world"]
    for one in work:
        tasks = one.context.tasks
        assert 3 <= len(tasks) <= 5
        assert {task.content for task in tasks} <= set(world["tasks"]["titles"])
        urgency = [(not task.is_overdue, -task.priority) for task in tasks]
        assert urgency == sorted(urgency)
        assert world["clock"]["hours"][one.context.hour_of_day] > 0


def test_fewer_contexts_are_the_first_of_all() -> None:
    whole = scenario_work(SMALL)
    assert scenario_work(SMALL, 17) == whole[:17]
    fewer_users = scenario_work(SMALL.with_(users=2))
    assert [one[:3] for one in fewer_users] == [one[:3] for one in whole[: 2 * ROUNDS]]
    assert scenario_work(SMALL.with_(seed=2)) != whole


def test_tips_are_grounded_in_the_tasks_of_their_own_round(banks: Path) -> None:
    """The row that a bank names is that of a task whose title the text names; failures have no tips."""
    (bank,) = tip_banks(SMALL, [banks / "small.parquet"])
    seen = set()
    for (user, t), record in records(banks / "small.parquet").items():
        u, context = int(user.removeprefix("user-")), record.parsed_context
        titles = {int(task.id): task.content for task in context.tasks}
        assert bank.usable[t, u] == (min(2, len(record.tips)) if record.status == 200 else 0)
        for j in range(bank.usable[t, u]):
            text = record.tips[j].content
            named = about(text, [task.content for task in context.tasks])
            row = int(bank.about[t, j, u])
            assert (row < 0) == (named is None)
            if named is not None:
                assert titles[sorted(titles)[row]] == context.tasks[named].content
            assert bank.contradicts[t, j, u] == contradicts(text, context.hour_of_day, list(titles.values()))
            seen.add((named is None, bool(bank.contradicts[t, j, u])))
    assert len(seen) == 4


REFUSED = {
    "backlog": (changed({"tasks": {"count": 3, "mode": "backlog"}}), "depends on what was served"),
    "linear": (validate(SMALL.canonical() | {"world": {"kind": "linear"}}), "no tasks to write tips about"),
    "no tips": (changed({"tips": {"count": 0}}), "offers no tips"),
    "no task": (changed({"tasks": {"count": {"min": 0, "max": 3}}, "tips": {"count": 1}}), "may offer no task"),
    "replicates": (SMALL.with_(replicates=2), "2 replicates"),
    "more users": (SMALL.with_(users=USERS + 1), f"no generation for round 1 of user-{USERS}"),
    "more rounds": (SMALL.with_(rounds=ROUNDS + 1), f"no generation for round {ROUNDS + 1} of user-0"),
    "another seed": (SMALL.with_(seed=2), "round 1 of user-0 has other tasks"),
    "other titles": (changed({"tasks": SMALL.canonical()["world"]["tasks"] | {"titles": ["nap"]}}), "other tasks"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_bank_that_does_not_fit_is_refused_before_anything_runs(why: str, banks: Path, tmp_path: Path) -> None:
    scenario, says = REFUSED[why]
    with pytest.raises(GeneratorInputError, match=says):
        play([banks / "good.parquet"], scenario, policies=["random"], out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_files_that_are_no_banks_and_names_that_do_not_tell_apart(banks: Path, tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("no bank")
    shutil.copy(banks / "good.parquet", tmp_path / "small.parquet")
    wrong: list[tuple[Any, str]] = [
        ([tmp_path / "gone.parquet"], "does not exist"),
        ([tmp_path], "is a directory; a tip bank is one file"),
        ([tmp_path / "text.parquet"], "not a readable Parquet"),
        ([banks / "small.parquet", tmp_path / "small.parquet"], "two tip banks are called small"),
        ([], "a list of files"),
        (str(banks / "small.parquet"), "a list of files"),
    ]
    for llm, says in wrong:
        with pytest.raises(GeneratorInputError, match=says):
            play(llm)
