"""What each policy earned from each user, gathered from runs that fit together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np

from oo_sim.contract import F64
from oo_sim.errors import ComparisonError
from oo_sim.logs import Manifest
from oo_sim.scenario import Scenario, SpecError, parse_spec, policy_key
from oo_sim.show.text import plain
from oo_sim.stats import ROUNDING

if TYPE_CHECKING:
    import pandas as pd

    from oo_sim.results import Run

Metric: TypeAlias = Literal["expected", "realised", "regret"]
COLUMNS: Mapping[Metric, str] = {"expected": "expected_reward", "realised": "reward", "regret": "regret"}
"""The column of a run's users table behind each metric."""


class Outcomes(NamedTuple):
    """One scenario. `values` maps each policy's label to (C, n): the mean per decision of each of n users, over
    replicates and over all rounds up to each of the checkpoints `marks` (C,). `failures` maps label to message."""

    manifest: Manifest
    marks: F64
    values: Mapping[str, F64]
    failures: Mapping[str, str]

    @property
    def name(self) -> str:
        """The scenario's name."""
        return str(self.manifest.name)

    def difference(self, baseline: str, candidate: str) -> F64:
        """(C, n): candidate minus baseline, 0 where it is no more than rounding."""
        step = self.values[candidate] - self.values[baseline]
        return np.where(np.abs(step) > ROUNDING, step, 0.0)

    def named(self, wanted: str) -> list[str]:
        """The labels that a spec means: its own, or all that one label has in several runs. Raises
        ComparisonError."""
        known = [*self.values, *(label for label in self.failures if label not in self.values)]
        for spelling in (spelled, policy_key):  # as it is written, else any other spelling of the same policy
            spec = spelling(wanted)
            found = [
                each for each in known if each == wanted or spec in (spelling(each), spelling(each.rpartition("@")[0]))
            ]
            if found:
                return found
        raise ComparisonError(f"{plain(self.name)}: no policy {plain(wanted, 60)}; there are {plain(', '.join(known))}")


def gather(runs: Sequence[Run], metric: Metric = "expected", names: Sequence[str] | None = None) -> list[Outcomes]:
    """The outcomes of each scenario, in order. Runs of one scenario's name are taken together; `names` are what the
    runs are called, their directories unless given.

    A policy that is in several of them with the same results counts once; with other results each stands by
    itself, as `label@run`. Where their checkpoints differ, those count that all have. Raises ComparisonError when
    runs of one scenario differ in more than their policies, and for regret where it can't be compared; RunLogError
    for a run without rows by user.
    """
    groups: dict[str, list[tuple[str, Run]]] = {}
    for number, run in enumerate(runs, 1):
        source = names[number - 1] if names else f"run {number}" if run.path is None else str(run.path)
        groups.setdefault(run.manifest.name, []).append((source, run))
    return [_joined(group, metric) for group in groups.values()]


def check_metric(scenario: str, metric: str, *, own_trajectory: bool) -> None:
    """Raise ComparisonError unless the metric exists and compares policies in that scenario."""
    if metric not in COLUMNS:
        raise ComparisonError(f"there is no metric {plain(metric, 60)!r}; there are {', '.join(COLUMNS)}")
    if metric == "regret" and own_trajectory:
        raise ComparisonError(
            f"{plain(scenario)}: regret can't be compared between policies here: what is on offer depends on what was "
            "served before, so each policy's regret is against the best on its own trajectory; compare the reward "
            "instead (metric expected)"
        )


def check_same(settings: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """Raise ComparisonError where what stands under one scenario's name differs; each with what it is called."""
    firsts: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for source, setting in settings:
        first_source, first = firsts.setdefault(setting["name"], (source, setting))
        if difference := _difference(first, setting):
            where, a, b = difference
            raise ComparisonError(
                f"{plain(first_source)} and {plain(source)} are not the same scenario: {plain(where)} is "
                f"{plain(a, 60)} and {plain(b, 60)}; only the policies may differ"
            )


def _joined(runs: Sequence[tuple[str, Run]], metric: Metric) -> Outcomes:
    check_same([(source, setting_of(run)) for source, run in runs])
    first = runs[0][1]
    manifest = replace(
        first.manifest,
        own_trajectory=any(run.manifest.own_trajectory for _, run in runs),
        unchecked=tuple(dict.fromkeys(label for _, run in runs for label in run.manifest.unchecked)),
    )
    check_metric(manifest.name, metric, own_trajectory=manifest.own_trajectory)
    tables = [(source, run, run.require_users()) for source, run in runs]
    rounds = [np.unique(table["round"].to_numpy(float)) for _, _, table in tables if len(table)]  # or all failed
    marks = reduce(np.intersect1d, rounds) if rounds else np.empty(0)
    found = [
        (label, source, table[table["round"].isin(marks)])
        for source, run, table in tables
        for label in run.manifest.labels
        if label not in run.failures
    ]
    values, failures = _by_label(found, metric), {}
    for source, run in runs:
        for label, why in run.failures.items():
            failures[f"{label}@{source}" if label in values else label] = why
    return Outcomes(manifest, marks, values, failures)


def _by_label(found: Sequence[tuple[str, str, pd.DataFrame]], metric: Metric) -> dict[str, F64]:
    tables: dict[str, dict[str, F64]] = {}
    people: list[pd.Index[Any]] = []
    for label, source, table in found:
        values, users = _per_decision(table, label, COLUMNS[metric])
        people.append(users)
        if not users.equals(people[0]):
            raise ComparisonError(f"{plain(source)}: {plain(label, 60)} met other users than the first policy did")
        known = tables.setdefault(label, {})
        if not any(np.array_equal(values, other) for other in known.values()):
            known[source] = values
    return {
        label if len(known) == 1 else f"{label}@{source}": values
        for label, known in tables.items()
        for source, values in known.items()
    }


def _per_decision(users: pd.DataFrame, label: str, column: str) -> tuple[F64, pd.Index[Any]]:
    """(C, n) means over the user's own decisions up to each checkpoint, 0 before the first, and the users in order."""
    own = users[users["policy"] == label]
    sums = own.groupby(["round", "user_id"], sort=True)[[column, "decisions"]].mean().unstack("user_id")
    totals = sums[column]
    values = totals.to_numpy(float) / np.maximum(sums["decisions"].to_numpy(float), 1.0)
    if not np.isfinite(values).all():
        raise ComparisonError(f"{plain(label, 60)}: some users lack a checkpoint; the run is damaged")
    return values, totals.columns


def setting_of(source: Run | Scenario) -> dict[str, Any]:
    """All that two runs must share, of one or of a scenario that is to be run."""
    told, sizes = (
        (source.canonical(), source) if isinstance(source, Scenario) else (source.manifest.scenario, source.manifest)
    )
    setting = {k: v for k, v in told.items() if k not in ("policies", "description")}
    return setting | {key: getattr(sizes, key) for key in ("name", "users", "rounds", "replicates", "seed")}


def _difference(a: Any, b: Any, path: str = "") -> tuple[str, Any, Any] | None:
    """The first place where two plain values differ, and both values there."""
    return next(_differences(a, b, path), None)


def _differences(a: Any, b: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in [*a, *(key for key in b if key not in a)]:
            yield from _differences(a.get(key, "absent"), b.get(key, "absent"), f"{path}.{key}" if path else str(key))
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, (one, other) in enumerate(zip(a, b, strict=True)):
            yield from _differences(one, other, f"{path}[{i}]")
    elif a != b:
        yield path, a, b


def spelled(text: str) -> str:
    """A spec in its one spelling; what is not a spec, such as a label with a bank, as it stands."""
    try:
        return str(parse_spec(text))
    except SpecError:
        return text
