"""What a tips world offers, in words: each user's tasks with their titles, round by round."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from oo_sim.contract import Lanes
from oo_sim.kernels.draws import hash_users
from oo_sim.kernels.tips import draw_titles
from oo_sim.scenario import TipsWorld
from oo_sim.worlds import tips

_BLOCK = 256


class SceneTask(NamedTuple):
    """A task on offer; `age` is in days since the due date, None where it has none."""

    serial: int
    title: str
    priority: int
    age: float | None


class Scene(NamedTuple):
    """A user's tasks in one round, in the order in which they are offered."""

    user_id: str
    t: int
    hour: int
    day: int
    tasks: tuple[SceneTask, ...]


def scenes(spec: TipsWorld, *, seed: int, users: int, rounds: int) -> Iterator[Scene]:
    """All rounds of user-0, then those of user-1, and so on, as replicate 0 of a run offers them.

    The tasks must be fresh in every round: those of a backlog depend on what is served.
    """
    world = tips.build(spec)
    for first in range(0, users, _BLOCK):
        ids = [f"user-{j}" for j in range(first, min(first + _BLOCK, users))]
        lanes = Lanes(hash_users(ids), first, seed, 0)
        state = world.init(lanes)
        seen = []
        for t in range(rounds):
            world.observe(state, t)
            titles = _titles(spec, state)
            seen.append([_scene(state, titles[:, i], t, i) for i in range(len(ids))])
        for i in range(len(ids)):
            yield from (Scene(ids[i], *at[i]) for at in seen)


def _titles(spec: TipsWorld, state: tips.TipsState) -> NDArray[np.object_]:
    serial = state.tasks.serial
    title = np.empty(serial.shape, np.int64)
    draw_titles(*state.draws, np.maximum(serial, 0), len(spec.tasks.titles), title)
    return np.array(spec.tasks.titles, dtype=object)[title]


def _scene(state: tips.TipsState, titles: NDArray[np.object_], t: int, i: int) -> tuple[Any, ...]:
    c, known = state.candidates, state.tasks
    tasks = tuple(
        SceneTask(
            serial=int(c.serial[k, i]),
            title=str(titles[k]),
            priority=int(c.priority[k, i]),
            age=float(c.task_age_days[k, i]) if known.dated[k, i] else None,
        )
        for k in np.flatnonzero(c.mask[:, i] & (c.is_llm[:, i] == 0))
    )
    return t, int(c.hour[i]), int(c.day[i]), tasks
