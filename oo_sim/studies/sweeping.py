"""`sweep`: a scenario and patterns of policies in, what the parameters do out, all on the same users and draws."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from oo_sim.contract import F64
from oo_sim.experiment import Progress, run
from oo_sim.results.summary import LEVEL
from oo_sim.scenario import PolicyKey, PolicySpec, Scenario, SpecError, expand_spec, policy_key
from oo_sim.stats import Interval, mean_interval
from oo_sim.studies.outcomes import gather
from oo_sim.studies.swept import Point, Series, Sweep


def sweep(
    scenario: str | Path | Scenario,
    *,
    policies: Sequence[str],
    users: int | None = None,
    rounds: int | None = None,
    replicates: int | None = None,
    seed: int | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Sweep:
    """Run all policies that the patterns stand for, once, and return what each earned; `.table()` is the frame.

    A pattern is a spec with lists or ranges: `linucb:alpha=[0.1,0.3,1,3]`, `linucb:alpha=log(0.1,10,5)`; a plain spec
    among them is a line to compare with. Raises SpecError, and what `run` raises.
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
        threads=threads,
        progress=progress,
    )
    [outcomes] = gather([result])
    decided = result.users.groupby("user_id", sort=True)["decisions"].max().to_numpy() > 0  # who came before the end
    finals = {policy_key(label): (label, values[-1][decided]) for label, values in outcomes.values.items()}
    return Sweep(result, tuple(_series(pattern, specs, finals) for pattern, specs in grids))


def _series(pattern: str, specs: Sequence[PolicySpec], finals: Mapping[PolicyKey, tuple[str, F64]]) -> Series:
    """The points of one pattern that did not fail, each with its distance from the best of them."""
    varied = tuple(key for key, _ in specs[0].parameters if len({dict(spec.parameters)[key] for spec in specs}) > 1)
    found = [(spec, *finals[key]) for spec in specs if (key := policy_key(str(spec))) in finals]
    behind = behind_best([own for _, _, own in found])
    points = [
        Point(label, {key: dict(spec.parameters)[key] for key in varied}, mean_interval(own, LEVEL), step)
        for (spec, label, own), step in zip(found, behind, strict=True)
    ]
    return Series(pattern, specs[0].name, varied, tuple(points))


def behind_best(values: Sequence[F64]) -> list[Interval]:
    """Each one's mean minus that of the best, paired by user; `values` holds a vector (n,) for each.

    The best is known only after looking, so the intervals hold for all pairs at once: Bonferroni over m(m-1)/2. The
    best one's own is exactly 0.
    """
    if not values or not len(values[0]):
        return [mean_interval(each, LEVEL) for each in values]  # nobody decided
    best = values[int(np.argmax([each.mean() for each in values]))]
    pairs = sum(1 for _ in itertools.combinations(values, 2))
    level = 1 - (1 - LEVEL) / max(pairs, 1)
    return [mean_interval(each - best, level) for each in values]
