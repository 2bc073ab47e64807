"""Work that travels: units that can be done in this process, in another one or on another machine, and kept."""

from oo_sim.work.executors import Executor, done, must_travel
from oo_sim.work.store import Store
from oo_sim.work.unit import (
    NOBODY,
    Failure,
    Played,
    Recipe,
    Unit,
    cut,
    play,
    prepare,
    recipe,
    remember,
    versions,
    warm_up,
)

__all__ = [
    "NOBODY",
    "Executor",
    "Failure",
    "Played",
    "Recipe",
    "Store",
    "Unit",
    "cut",
    "done",
    "must_travel",
    "play",
    "prepare",
    "recipe",
    "remember",
    "versions",
    "warm_up",
]
