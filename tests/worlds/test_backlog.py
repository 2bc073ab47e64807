"""A backlog: tasks age, leave when they are done, and the next arrival takes their place."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest

from oo_sim.contract import REACTIONS

from .cases import Chooser, anything, first_of_all, lanes, tips, walk

TASKS, USERS, ROUNDS, PER_DAY = 4, 25, 60, 5
DONE = REACTIONS.index("done")
EAGER = [{"name": "all", "preferences": {"intercept": 0.5, "priority": {"mean": 0, "sd": 1}}}]


class Sight(NamedTuple):
    """A task as it was seen: in which round and slot, and its columns."""

    t: int
    slot: int
    age: float
    overdue: float
    priority: float


def seen(choose: Chooser, **tasks: Any) -> tuple[dict[tuple[int, int], list[Sight]], list[Any]]:
    """Every sight of every task by (user, serial); and the rounds themselves."""
    spec = {"count": TASKS, "mode": "backlog", "whole_days": False, "no_due_date": 0.2} | tasks
    world = tips(tasks=spec, tips={"count": 1}, clock={"mode": "random", "decisions_per_day": PER_DAY}, segments=EAGER)
    assert world.own_trajectory
    played = walk(world, lanes(USERS), ROUNDS, choose)
    found: dict[tuple[int, int], list[Sight]] = {}
    for t, (offer, _, _) in enumerate(played):
        c = offer.candidates
        for i in range(USERS):
            for k in range(TASKS):
                sight = Sight(t, k, float(c.task_age_days[k, i]), float(c.is_overdue[k, i]), float(c.priority[k, i]))
                found.setdefault((i, int(c.serial[k, i])), []).append(sight)
    return found, played


@pytest.mark.parametrize("choose", [first_of_all, anything(1)], ids=["first", "any"])
def test_a_task_stays_in_its_slot_and_ages_until_it_is_done(choose: Chooser) -> None:
    found, played = seen(choose)
    for (user, _), sights in found.items():
        rounds = [s.t for s in sights]
        assert rounds == list(range(rounds[0], rounds[-1] + 1))
        assert len({(s.slot, s.priority) for s in sights}) == 1
        undated = all(s.age == 0.0 for s in sights)
        for earlier, later in pairwise(sights):
            assert undated or later.age - earlier.age == pytest.approx(1 / PER_DAY, abs=1e-12)
            assert later.overdue == (later.age > 0)
        if rounds[-1] < ROUNDS - 1:
            _, chosen, response = played[rounds[-1]]
            assert chosen[user] == sights[0].slot
            assert response.reaction[user] == DONE


def test_what_is_done_leaves_and_the_next_serial_arrives() -> None:
    """Serials of a user are 0, 1, 2, ...: the first tasks, then one for each task done, tips done not counted."""
    _, played = seen(anything(2))
    arrived = np.full(USERS, TASKS)
    left = 0
    for (offer, chosen, response), (following, _, _) in pairwise(played):
        before, after = offer.candidates.serial[:TASKS], following.candidates.serial[:TASKS]
        done = (response.reaction == DONE) & (chosen < TASKS)
        left += int(done.sum())
        for i in range(USERS):
            want = before[:, i].copy()
            if done[i]:
                want[chosen[i]] = arrived[i]
                arrived[i] += 1
            np.testing.assert_array_equal(after[:, i], want)
    assert left > 50


def test_the_same_serial_is_the_same_task_whatever_happened_before() -> None:
    """Priority and due date (counted from the arrival) on two trajectories that part."""
    one, _ = seen(first_of_all)
    two, _ = seen(anything(3))
    shared = one.keys() & two.keys()
    assert sum(serial >= TASKS for _, serial in shared) > 50
    parted = 0
    for key in shared:
        mine, theirs = one[key][0], two[key][0]
        assert mine.priority == theirs.priority
        assert mine.age == pytest.approx(theirs.age, abs=1e-12)
        parted += mine.t != theirs.t
    assert parted > 20


def test_a_new_task_is_due_from_its_arrival() -> None:
    """When first seen, one decision after it arrived, it is as old as 1 / PER_DAY days minus the days it had."""
    found, _ = seen(anything(4), due_in_days={"uniform": [3.0, 3.0]}, no_due_date=0.0)
    for (_, serial), sights in found.items():
        if serial >= TASKS:
            assert sights[0].age == pytest.approx(1 / PER_DAY - 3.0, abs=1e-9)
        else:
            assert sights[0].age == pytest.approx(-3.0, abs=1e-9)


def test_walking_clocks_age_tasks_by_the_hour() -> None:
    world = tips(
        tasks={"count": 2, "mode": "backlog", "whole_days": False, "due_in_days": {"uniform": [0.0, 0.0]}},
        clock={"mode": "walk", "decisions_per_day": 3, "from_hour": 8, "to_hour": 22},
        segments=[{"name": "all", "preferences": {"intercept": -50}}],
    )
    ages = np.array([offer.candidates.task_age_days[0, 0] for offer, _, _ in walk(world, lanes(2), 6)])
    np.testing.assert_allclose(ages, np.array([0, 5, 10, 24, 29, 34]) / 24, rtol=0, atol=1e-12)


CLOCKS: list[dict[str, Any]] = [
    {"decisions_per_day": 3},
    *({"mode": "walk", "decisions_per_day": 5, "from_hour": f, "to_hour": t} for f, t in ((0, 23), (8, 22), (17, 23))),
]


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("due", [{"uniform": [-3, 3]}, {"weights": {-1: 1, 0: 1, 2: 1}}], ids=["uniform", "weights"])
@pytest.mark.parametrize("over", [None, 40])
def test_in_its_first_round_a_users_task_is_as_old_as_it_was_drawn(
    clock: dict[str, Any], whole: bool, due: dict[str, Any], over: int | None
) -> None:
    """Whatever the clock says and whenever the user comes; ages of fresh tasks, drawn alike, are minus the days due."""
    n, rounds, tasks = 50, 45, {"count": 3, "due_in_days": due, "whole_days": whole}
    quiet = [{"name": "all", "preferences": {"intercept": -50}}]  # nothing is ever done
    parts: dict[str, Any] = {"segments": quiet, "clock": clock} | ({"arrivals": {"over": over}} if over else {})
    drawn = walk(tips(tasks=tasks, segments=quiet, clock=clock), lanes(n), 1)[0][0].candidates.task_age_days
    played = walk(tips(tasks=tasks | {"mode": "backlog"}, **parts), lanes(n), rounds)
    there = [np.full(n, True) if offer.active is None else offer.active for offer, _, _ in played]
    first = np.array(there).argmax(axis=0)
    assert over is None or first.max() > 30
    ages = np.array([offer.candidates.task_age_days for offer, _, _ in played])  # (rounds, K, n)
    np.testing.assert_array_equal(ages[first, :, np.arange(n)].T, drawn)
