"""The fitted people and what was on offer as a scenario file: plain YAML with comments, which `validate` accepts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np

from oo_sim.contract import I64, MAX_CANDIDATES
from oo_sim.errors import FitError
from oo_sim.fitting.log import Offers
from oo_sim.fitting.people import Population

_NOT_FITTED = """\
# Not fitted, and so not in here: how texts appeal, drift, fatigue, churn, arrivals, and backlogs (tasks are drawn
# afresh in every round). A missing reaction, one that is pending and one that was lost are one rate, no_reaction, where
# the log does not tell them apart.
# The intercept and the cut points share one shift, which no log can tell: the mean intercept over all people is put
# at 0. Terms that all candidates share (intercept, hour_sin, hour_cos, dow_sin, dow_cos) move reactions, never which
# candidate is best. A task without a due date and one that is due today look alike: both count as no due date.
"""
DIGITS = 4


class Shape:
    """What of the offers a scenario can say, and in which respects it says less than the log."""

    def __init__(self, offers: Offers) -> None:
        self.offers = offers
        self.warnings: list[str] = []
        self.tasks = self._span(offers.tasks, "tasks")
        self.tips = self._span(offers.tips, "tips")
        if self.tasks[1] + self.tips[1] > MAX_CANDIDATES:
            most = self.tasks[1] + self.tips[1]
            raise FitError(f"up to {most} tasks and tips were on offer; a scenario offers at most {MAX_CANDIDATES}")
        if self.tasks[0] + self.tips[0] < 1:
            self.warnings.append("some decisions had tasks alone and others tips alone; here there is always a task")
            self.tasks = (1, self.tasks[1]) if self.tasks[1] else self.tasks
            self.tips = self.tips if self.tasks[1] else (1, self.tips[1])
        tips = int((offers.tips * np.arange(len(offers.tips))).sum())
        self.about_tasks = bool(tips and offers.default_tips < tips / 2 and self.tasks[1])

    def _span(self, counts: I64, what: str) -> tuple[int, int]:
        seen = np.flatnonzero(counts)
        low, high = int(seen[0]), int(seen[-1])
        share = counts[low : high + 1] / counts.sum()
        if low < high and np.abs(share - 1.0 / len(share)).max() > 0.1:
            self.warnings.append(f"the number of {what} a decision was not uniform over {low} to {high}; here it is")
        return low, high

    def due(self) -> tuple[dict[float, float], float]:
        """Weights of days until due, and the share of tasks without a due date (age 0)."""
        ages, total = self.offers.ages, sum(self.offers.ages.values()) + self.offers.ageless
        if not ages:
            return {0.0: 1.0}, 1.0
        half = 0.0 if self.offers.whole else 0.5
        days = {-(age + half) + 0.0: ages[age] / total for age in sorted(ages, reverse=True)}
        return days, self.offers.ageless / total


def yaml_of(
    name: str,
    people: Population,
    terms: Sequence[str],
    shape: Shape,
    no_reaction: float,
    users: int,
    rounds: int,
    policies: Sequence[str],
    description: str,
) -> str:
    """The text of the scenario file."""
    low, high = shape.tasks
    lines = [
        "# Fitted to a log by `oo-sim fit`; the file beside it says how surely each number is known.",
        *_NOT_FITTED.rstrip().splitlines(),
        "version: 1",
        f"name: {name}",
        f"description: {json.dumps(description)}",
        f"users: {users}",
        f"rounds: {rounds}",
        "policies:",
        *(f"  - {json.dumps(spec)}" for spec in policies),
        "world:",
        "  kind: tips",
        "  clock:",
        "    mode: random",
        f"    hours: {_mapping(dict(enumerate(shape.offers.hours)))}",
        f"    weekdays: {_mapping(dict(enumerate(shape.offers.weekdays)))}",
        "  tasks:",
        f"    count: {_count(low, high)}",
    ]
    if high:
        days, undated = shape.due()
        lines += [
            f"    priority: {_mapping(dict(enumerate(shape.offers.priority, start=1)))}",
            f"    due_in_days: {{weights: {_mapping(days)}}}",
            f"    no_due_date: {_number(undated)}",
            f"    whole_days: {'true' if shape.offers.whole else 'false'}",
        ]
    lines += ["  tips:", f"    count: {_count(*shape.tips)}"]
    lines += ["    features: task"] if shape.about_tasks else []
    cuts = ", ".join(_number(cut) for cut in people.cuts)
    lines += ["  reactions:", f"    cut_points: [{cuts}]", f"    no_reaction: {_number(no_reaction)}", "  segments:"]
    for s in range(people.segments):
        lines += [f"    - name: segment-{s + 1}", f"      weight: {_number(people.share[s])}", "      preferences:"]
        lines += [
            f"        {json.dumps(term) if '*' in term else term}: {{mean: {_number(mean)}, sd: {_number(sd)}}}"
            for term, mean, sd in zip(terms, people.mean[s], people.sd[s], strict=True)
        ]
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    rounded = round(float(value), DIGITS) + 0.0
    return f"{rounded:.{DIGITS}f}".rstrip("0").rstrip(".") if rounded else "0"


def _mapping(weights: Mapping[int, float] | Mapping[float, float]) -> str:
    total = float(sum(weights.values()))
    kept = {float(key): float(weight) / total for key, weight in weights.items() if weight}
    return "{" + ", ".join(f"{_number(key)}: {max(weight, 1e-6):.6f}" for key, weight in kept.items()) + "}"


def _count(low: int, high: int) -> str:
    return str(low) if low == high else f"{{min: {low}, max: {high}}}"
