"""`sweep`: a scenario and patterns of policies in, what the parameters do out, all on the same users and draws."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from oo_sim.contract import F64
from oo_sim.experiment import run
from oo_sim.results import PolicySummary, Run
from oo_sim.results.result import Result, finite, renamed, spread
from oo_sim.results.summary import LEVEL, dynamics_notes, size, unchecked_notes
from oo_sim.scenario import PolicyKey, PolicySpec, Scenario, SpecError, expand_spec, policy_key
from oo_sim.show import Table, Tables, number, plain, plus_minus
from oo_sim.show.progress import Wanted
from oo_sim.stats import ROUNDING, Interval, few_interval, mean_interval, skewed_interval, sup_t_band
from oo_sim.studies.outcomes import gather
from oo_sim.studies.pairs import largest_difference
from oo_sim.work import Executor

_HEADERS = ("policy", "reward\nper decision", "behind the best\nof its pattern", "realised\nreward", "regret\nper user")
_MOST_PAIRS = 500
"""Up to 32 values; the draws of a band for more would take longer than the sweep."""
_NONE = Interval(math.nan, math.nan, math.nan, 0)


class Point(NamedTuple):
    """One policy of a grid: the values of what is varied, its expected reward per decision, and that minus the best's.

    Both intervals are over users and hold for all values of the pattern at once; the second is paired.
    """

    policy: str
    parameters: Mapping[str, int | float | str]
    reward: Interval
    behind: Interval


class Series(NamedTuple):
    """The points of one pattern; `varied` names the parameters that differ, none for a plain spec."""

    pattern: str
    name: str
    varied: tuple[str, ...]
    points: tuple[Point, ...]


class Sweep(Result):
    """The results of a sweep: its `series`, one for each pattern, and the `run` behind them."""

    kinds = ("parameter",)
    alt = "reward against the parameter"

    def __init__(self, run: Run, series: Sequence[Series]) -> None:
        self.run = run
        self.series = tuple(series)

    @property
    def failures(self) -> dict[str, str]:
        """The policies that failed: label -> message."""
        return self.run.failures

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know."""
        facts = self.run.manifest
        found = [
            "Reward is the true expected reward per decision, averaged over all rounds; all policies meet the same "
            "users and draws (common random numbers)."
        ]
        if facts.users > 1:
            found.append(
                "±: 95 % interval over users, each user one value; never over rounds. The best is known only after "
                "looking, so that the intervals of reward hold for all values of a pattern at once, and those behind "
                "the best, paired by user, for all its pairs (max-t); regret's are each for itself."
            )
        else:
            found.append("No interval with one user: intervals are over users, never over rounds.")
        if facts.own_trajectory:
            found.append("Regret is against the best on each policy's own trajectory: compare rewards, not regrets.")
        return (*found, *dynamics_notes(facts), *unchecked_notes(facts.unchecked))

    def frame(self) -> pd.DataFrame:
        """A row per point: `pattern`, `policy`, a column for each varied parameter, `reward`, `behind_best` and
        `regret_per_user`, each with `_lower` and `_upper`, `realised`, `users` and whether it is the `best`."""
        varied = list(dict.fromkeys(key for series in self.series for key in series.varied))
        return pd.DataFrame([self._row(series, point, varied) for series in self.series for point in series.points])

    def _row(self, series: Series, point: Point, varied: Sequence[str]) -> dict[str, Any]:
        summary = self._summaries[point.policy]
        row: dict[str, Any] = {"pattern": series.pattern, "policy": point.policy}
        row |= {key: point.parameters.get(key, math.nan) for key in varied}
        behind = point.behind if series.varied else _NONE
        intervals = {"reward": point.reward, "behind_best": behind, "regret_per_user": summary.regret_per_user}
        for name, interval in intervals.items():
            row |= spread(name, interval)
        row |= {"realised": summary.reward.estimate, "users": point.reward.n}
        return row | {"best": bool(series.varied) and point.behind.estimate == 0.0}

    @cached_property
    def _summaries(self) -> dict[str, PolicySummary]:
        return {row.policy: row for row in self.run.rows}

    def table(self) -> Tables:
        """A row per point, a block of rows per pattern."""
        rows = [self._cells(series) for series in self.series]
        ends = itertools.accumulate(map(len, rows[:-1]))
        failed = [f"{plain(label, 60)} failed: {plain(why)}" for label, why in self.failures.items()]
        table = Table(_HEADERS, [row for some in rows for row in some], self._title, breaks=frozenset(ends))
        return Tables([table], failed, self.notes)

    def console(self) -> Tables:
        """Deprecated: `table`."""
        renamed("Sweep.console()", "Sweep.table()")
        return self.table()

    @property
    def _title(self) -> str:
        return f"{plain(self.run.manifest.name)}: {size(self.run.manifest)}"

    @property
    def drawable(self) -> bool:
        """Whether a policy of a pattern that varies has results."""
        return any(series.varied and series.points for series in self.series)

    def _cells(self, series: Series) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = []
        for point in series.points:
            summary = self._summaries[point.policy]
            behind = "-" if not series.varied else "best" if point.behind.estimate == 0.0 else plus_minus(point.behind)
            reward, regret = plus_minus(point.reward), plus_minus(summary.regret_per_user, 2)
            rows.append((plain(point.policy, 60), reward, behind, number(summary.reward.estimate), regret))
        return rows

    def as_dict(self) -> dict[str, Any]:
        """The sweep as plain data: `name`, `users`, `rounds`, `replicates`, `seed`, `level`, `rows` (as in
        `frame`, with null for what is not there), `failures` and `notes`."""
        keys = ("name", "users", "rounds", "replicates", "seed")
        rows = [{key: finite(value) for key, value in row.items()} for row in self.frame().to_dict("records")]
        facts = {key: getattr(self.run.manifest, key) for key in keys}
        return {**facts, "level": LEVEL, "rows": rows, "failures": self.failures, "notes": list(self.notes)}

    def __repr__(self) -> str:
        return f"<Sweep of {self._title}: {sum(len(series.points) for series in self.series)} policies>"


def sweep(
    scenario: str | Path | Scenario,
    *,
    policies: Sequence[str],
    users: int | None = None,
    rounds: int | None = None,
    replicates: int | None = None,
    seed: int | None = None,
    workers: int | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
    resume: str | Path | None = None,
    unchecked: bool = False,
    progress: Wanted = None,
) -> Sweep:
    """Run all policies that the patterns stand for, once, and return what each earned; `.table()` is the frame.

    A pattern is a spec with lists or ranges: `linucb:alpha=[0.1,0.3,1,3]`, `linucb:alpha=log(0.1,10,5)`; a plain spec
    among them is a line to compare with. `workers`, `executor`, `resume`, `unchecked` and
    `progress` are those of `run`.

    Raises SpecError, and what `run` raises.
    """
    if isinstance(policies, str):
        raise SpecError(f"policies must be a list of patterns, such as [{policies!r}]")
    grids = [(pattern, expand_spec(pattern)) for pattern in policies]
    if all(len(specs) == 1 for _, specs in grids):
        raise SpecError("nothing varies; write a list of values, such as linucb:alpha=[0.1,0.3,1,3]")
    labels: dict[PolicyKey, str] = {}  # a policy that two patterns stand for runs once, under its first spelling
    for _, specs in grids:
        for spec in specs:
            labels.setdefault(policy_key(str(spec)), str(spec))
    result = run(
        scenario,
        policies=list(labels.values()),
        users=users,
        rounds=rounds,
        replicates=replicates,
        seed=seed,
        workers=workers,
        threads=threads,
        executor=executor,
        resume=resume,
        unchecked=unchecked,
        progress=progress,
    )
    [outcomes] = gather([result])
    decided = result.users.groupby("user_id", sort=True)["decisions"].max().to_numpy() > 0  # they came before the end
    finals = {policy_key(label): (label, values[-1][decided]) for label, values in outcomes.values.items()}
    largest = largest_difference(result.manifest.scenario, "expected")
    return Sweep(result, tuple(_series(pattern, specs, finals, largest) for pattern, specs in grids))


def _series(
    pattern: str, specs: Sequence[PolicySpec], finals: Mapping[PolicyKey, tuple[str, F64]], largest: float
) -> Series:
    """The points of one pattern that did not fail, each with its distance from the best of them."""
    varied = tuple(key for key, _ in specs[0].parameters if len({dict(spec.parameters)[key] for spec in specs}) > 1)
    found = [(spec, *finals[key]) for spec in specs if (key := policy_key(str(spec))) in finals]
    behind = behind_best([own for _, _, own in found], largest)
    rewards = at_once([own for _, _, own in found])
    points = [
        Point(label, {key: dict(spec.parameters)[key] for key in varied}, reward, step)
        for (spec, label, _), reward, step in zip(found, rewards, behind, strict=True)
    ]
    return Series(pattern, specs[0].name, varied, tuple(points))


def at_once(values: Sequence[F64]) -> list[Interval]:
    """The mean of each vector (n,) with an interval; all hold together, so that of the best one too, which is known to
    be the best only after looking (max-t over the vectors, by flipping users)."""
    if len(values) < 2 or len(values[0]) < 2:
        return [mean_interval(each, LEVEL) for each in values]
    band = sup_t_band(np.stack(values, axis=1), LEVEL, seed=0)
    bounds = zip(band.estimate.tolist(), band.lower.tolist(), band.upper.tolist(), strict=True)
    return [Interval(*three, len(values[0])) for three in bounds]


def behind_best(values: Sequence[F64], largest: float = math.nan) -> list[Interval]:
    """Each one's mean minus that of the best, paired by user; `values` holds a vector (n,) for each.

    The best is known only after looking, so the intervals hold for all m(m-1)/2 pairs at once: max-t, by drawing users
    again, for differences of near values are skewed (most users gain a little, few lose much). Where nearly no user
    differs, bounds are exact and follow from `largest`, the largest difference that rewards allow (nan: not known, and
    no bounds); those, and all where there are more pairs than `_MOST_PAIRS`, hold at once by Bonferroni. The best one's
    own is exactly 0.
    """
    if not values or not len(values[0]):
        return [mean_interval(each, LEVEL) for each in values]  # nobody decided
    n, top = len(values[0]), int(np.argmax([each.mean() for each in values]))
    pairs = list(itertools.combinations(range(len(values)), 2))
    level = 1 - (1 - LEVEL) / max(len(pairs), 1)
    if n < 2 or not pairs or len(pairs) > _MOST_PAIRS:
        return [skewed_interval(each - values[top], level) for each in values]
    band = sup_t_band(np.stack([values[j] - values[i] for i, j in pairs], axis=1), LEVEL, seed=0)
    half = dict(zip(pairs, ((band.upper - band.lower) / 2).tolist(), strict=True))
    found = []
    for i, each in enumerate(values):
        step = each - values[top]
        mean, wide = float(step.mean()), half.get((min(i, top), max(i, top)), 0.0)
        gain, lose = int((step > ROUNDING).sum()), int((step < -ROUNDING).sum())
        exact = math.isnan(wide)
        found.append(
            few_interval(mean, gain, lose, n, largest, level) if exact else Interval(mean, mean - wide, mean + wide, n)
        )
    return found
