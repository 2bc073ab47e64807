"""Small worlds that exercise every mechanism within 60 rounds, and every built-in policy at telling parameters.

A shipped scenario whose taste turns in round 200 says nothing in 60 rounds, so these are written for the matrix alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from oo_sim.scenario import Scenario, validate
from oo_sim.worlds import TipBank

ROUNDS = 60
USERS = 64

POLICIES = (
    "linucb",
    "linucb:alpha=0.3,prior=0.5,features=oo7x",
    "egreedy",
    "egreedy:epsilon=0.4,decay=0.05,schedule=sqrt",
    "egreedy:epsilon=0.4,decay=0.05,schedule=cbrt",
    "egreedy:epsilon=0.4,decay=0.05,schedule=exponential",
    "greedy:prior=2",
    "softmax",
    "squarecb",
    "thompson",
    "thompson:samples=6,scale=0.3",
    "logistic_ts",
    "logistic_ts:samples=4",
    "bootstrap_ts",
    "linucb_disjoint",
    "linucb_hybrid:sharing=2",
    "dlinucb:gamma=0.9,prior=2",
    "swlinucb:window=15,prior=0.5",
    "restart_linucb:period=20",
    "random",
    "oracle",
)
"""Every built-in policy; those with another model at other parameters too."""
_NO_KINDS = ("linucb_disjoint", "linucb_hybrid", "features=oo7x")

_WALK = {"mode": "walk", "decisions_per_day": 6}
_TWO = [
    {"name": "planners", "weight": 2, "preferences": {"priority": {"mean": 1.5, "sd": 0.6}, "is_overdue": 0.8}},
    {"name": "grazers", "preferences": {"intercept": 0.4, "priority": -1, "is_llm": 0.7, "hour_sin*task_age": 0.5}},
]
_APPEAL = {"about_task": 0.6, "names_no_task": -0.6, "contradicts_hour": -1.5}
_BACKLOG = {"count": 5, "mode": "backlog", "due_in_days": {"uniform": [-4, 6]}, "no_due_date": 0.2}


def _tips(feedback: dict[str, Any] | None = None, **world: Any) -> dict[str, Any]:
    base = {"kind": "tips", "tasks": {"count": 5}, "tips": {"count": 2}, "segments": _TWO}
    return {"world": base | world} | ({} if feedback is None else {"feedback": feedback})


def _linear(feedback: dict[str, Any] | None = None, **world: Any) -> dict[str, Any]:
    base = {"kind": "linear", "dimension": 4, "candidates": 5}
    return {"world": base | world} | ({} if feedback is None else {"feedback": feedback})


WORLDS: dict[str, dict[str, Any]] = {
    "plain": _tips(reactions={"no_reaction": 0.15}),
    "masks": _tips(tasks={"count": {"min": 0, "max": 5}}, tips={"count": {"min": 1, "max": 3}, "features": "task"}),
    "ties": _tips(
        tasks={"count": 6, "priority": {2: 1, 3: 1}, "due_in_days": {"weights": {-3: 1, 2: 1}}},
        clock={"hours": {9: 1}, "weekdays": {3: 1}},
    ),
    "tips_alone": _tips(tasks={"count": 0}, tips={"count": {"min": 1, "max": 4}}),
    "late": _tips({"delay": {"geometric": {"mean": 3}}, "window": 12}),
    "expired": _tips(
        {
            "delay": {"lognormal": {"median": 4, "sigma": 1}},
            "window": 6,
            "missing": {"rate": 0.1, "by_reaction": {"dismiss": 0.5}, "by_source": {"llm": 0.3}},
        }
    ),
    "punctual": _tips({"delay": {"uniform": [1, 4]}, "window": 4}, tasks={"count": 4, "whole_days": False}),
    "weekend": _tips(
        clock={"weekdays": {0: 1, 5: 1, 6: 1}},
        drift=[{"periodic": {"days": [6]}, "preferences": {"is_llm": 2}}],
        tasks={"count": 4, "due_in_days": {"normal": {"mean": 1, "sd": 5}}},
    ),
    "backlog": _tips(clock=_WALK | {"from_hour": 9, "to_hour": 20}, tasks=_BACKLOG),
    "fatigue": _tips(
        clock=_WALK,
        tasks=_BACKLOG,
        fatigue={"task": 0.4, "source": 0.1, "half_life": 5, "novelty": 0.6, "novelty_showings": 6},
    ),
    "drift": _tips(
        clock=_WALK,
        drift=[
            {"segments": ["planners"], "share": 0.5, "abrupt": {"at": 25}, "become": "grazers"},
            {"gradual": {"start": 10, "end": 40}, "preferences": {"is_overdue": {"mean": 2, "sd": 0.3}}},
            {"periodic": {"days": [5, 6]}, "preferences": {"is_llm": 1.5}},
            {"random_walk": {"sd_per_day": 0.3}},
        ],
    ),
    "come_and_go": _tips(
        {"delay": {"constant": 2}, "window": 5},
        clock=_WALK,
        tasks=_BACKLOG,
        arrivals={"over": 30},
        churn={"bad_reactions": 12, "hazard": 0.01},
    ),
    "bank": _tips(
        tasks={"count": {"min": 2, "max": 4}},
        tips={"count": 2, "features": "task", "appeal": _APPEAL},
    ),
    "linear": _linear({"delay": {"constant": 1}, "window": 3}, contexts="gaussian"),
    "bernoulli": _linear(noise="bernoulli"),
}  # fmt: skip
"""A world for each mechanism."""


def scenario(name: str) -> Scenario:
    """One of the worlds as a scenario."""
    sizes = {"users": USERS, "rounds": ROUNDS, "seed": 11}
    return validate({"version": 1, "name": name, "policies": ["random"]} | sizes | WORLDS[name])


def policies(name: str) -> list[str]:
    """The policies that can live in a world."""
    linear = WORLDS[name]["world"]["kind"] == "linear"
    return [spec for spec in POLICIES if not (linear and any(part in spec for part in _NO_KINDS))]


def bank(name: str) -> TipBank | None:
    """The tips of the world `bank`, without a text: which there are, what each is about, and who wrote it."""
    if name != "bank":
        return None
    r, j, u = np.ogrid[:ROUNDS, :2, :USERS]
    mixed = (r * 7 + j * 3 + u * 5) % 11
    return TipBank(
        "made",
        "v1",
        ("first", "second"),
        usable=((r * 3 + u) % 4).clip(max=2)[:, 0],
        about=np.where(mixed < 7, mixed % 2, -1),  # two tasks are always on offer
        contradicts=mixed % 3 == 0,
        model=((r + u) % 2)[:, 0],
    )
