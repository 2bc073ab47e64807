"""Scenes: what a run will offer, in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from oo_sim.scenario import TipsWorld
from oo_sim.worlds import Scene, build, scenes

from .cases import lanes, scenario, walk

TITLES = ["write", "call", "pay", "book"]
SEGMENTS = [{"name": "all", "preferences": {"priority": 1}}]
TASKS = {"count": {"min": 1, "max": 5}, "titles": TITLES, "no_due_date": 0.3, "whole_days": False}


def spec(**parts: Any) -> TipsWorld:
    found = scenario({"kind": "tips", "tasks": TASKS, "tips": {"count": 2}, "segments": SEGMENTS} | parts).world
    assert isinstance(found, TipsWorld)
    return found


def seen(seed: int = 1, users: int = 5, rounds: int = 6, **parts: Any) -> list[Scene]:
    return list(scenes(spec(**parts), seed=seed, users=users, rounds=rounds))


@pytest.mark.parametrize(
    "clock", [{"mode": "random"}, {"mode": "walk", "decisions_per_day": 3}], ids=["random", "walk"]
)
def test_scenes_are_what_a_run_offers(clock: dict[str, Any]) -> None:
    """User by user and round by round: the same tasks in the same rows, the same hour and weekday."""
    place = build(
        scenario({"kind": "tips", "tasks": TASKS, "tips": {"count": 2}, "segments": SEGMENTS, "clock": clock})
    )
    played = walk(place, lanes(5), 6)
    found = iter(seen(clock=clock))
    for i in range(5):
        for t in range(6):
            scene, c = next(found), played[t][0].candidates
            assert scene[:4] == (f"user-{i}", t, c.hour[i], c.day[i])
            rows = np.flatnonzero(c.mask[:, i] & (c.is_llm[:, i] == 0))
            assert [task.serial for task in scene.tasks] == list(c.serial[rows, i])
            assert [task.priority for task in scene.tasks] == list(c.priority[rows, i])
            assert [task.age or 0.0 for task in scene.tasks] == list(c.task_age_days[rows, i])


def test_scenes_depend_on_the_user_the_round_and_the_seed_alone() -> None:
    whole = {(scene.user_id, scene.t): scene for scene in seen(users=300, rounds=3)}
    assert all(scene == whole[scene.user_id, scene.t] for scene in seen(users=7, rounds=2))
    assert seen(seed=2) != seen(seed=1)


def test_titles_are_drawn_evenly_and_belong_to_the_task() -> None:
    """Chi-squared over some 2,700 tasks, error rate 1e-6; undated tasks have no age (binomial, 1e-6)."""
    tasks = [task for scene in seen(users=30, rounds=30) for task in scene.tasks]
    counts = [sum(task.title == title for task in tasks) for title in TITLES]
    assert sum(counts) == len(tasks)
    assert stats.chisquare(counts).pvalue > 1e-6
    assert stats.binomtest(sum(task.age is None for task in tasks), len(tasks), 0.3).pvalue > 1e-6
