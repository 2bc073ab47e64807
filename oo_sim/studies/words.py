"""What a comparison says in words: the estimand, what each pair means, and what its numbers rest on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from oo_sim.logs import Manifest
from oo_sim.show import count, minus, plain
from oo_sim.studies.outcomes import Metric, Outcomes
from oo_sim.studies.pairs import Pair
from oo_sim.studies.sequential import Look

MEANING: Mapping[Metric, str] = {
    "expected": "true expected reward",
    "realised": "realised reward",
    "regret": "pseudo-regret (best expected reward on offer minus the chosen one's)",
}
SHORT: Mapping[Metric, str] = {"expected": "expected reward", "realised": "realised reward", "regret": "regret"}


def estimands(scenarios: Sequence[Outcomes], metric: Metric) -> Iterator[str]:
    """What the differences estimate, a sentence for all scenarios of which it is true."""
    said: dict[str, list[str]] = {}
    for outcomes in scenarios:
        said.setdefault(_estimand(outcomes.manifest, metric), []).append(plain(outcomes.name))
    for sentence, names in said.items():
        yield f"Estimand ({', '.join(names)}): {sentence}"


def _estimand(manifest: Manifest, metric: Metric) -> str:
    replicates = f" and {manifest.replicates:,} replicates" if manifest.replicates > 1 else ""
    own = ", each policy on its own trajectory" if manifest.own_trajectory else ""
    better = "; below 0 the candidate is better" if metric == "regret" else ""
    world = manifest.scenario.get("world", {})
    some = ", a user's own decisions alone (0 for a user without any)" if {"churn", "arrivals"} & world.keys() else ""
    rounds = f"averaged over rounds 1 to {manifest.rounds:,}{replicates}{some}{own}{better}"
    return f"the mean over users of candidate minus baseline in {MEANING[metric]} per decision, {rounds}."


def notes(scenarios: Sequence[Outcomes], pairs: Sequence[Pair], metric: Metric, looks: Sequence[Look]) -> Iterator[str]:
    """What a reader must know, one note each."""
    yield from estimands(scenarios, metric)
    yield from map(_unchanged, (pair for pair in pairs if pair.changed == 0))
    if pairs and all(pair.users < 2 for pair in pairs):
        yield "No interval with one user: intervals are over users, never over rounds."
    elif looks:
        yield from _sequential(looks, len(pairs), len(scenarios))
    elif pairs:
        yield (
            "±: 95 % Student t interval of the mean difference over users (the clusters), paired by user under common "
            "random numbers; never over rounds. p: two-sided, by Holm over "
            f"{count(len(pairs), 'comparison')} here. Shares of users: exact 95 % bounds (Clopper-Pearson)."
        )
    yield from _pairing(pairs)
    if pairs:
        yield (
            "P(better): the chance that a user drawn under the candidate does better than another one drawn under the "
            "baseline, ties half."
        )


def _unchanged(pair: Pair) -> str:
    pair_name = f"{minus(pair.candidate, pair.baseline)} ({plain(pair.scenario)})"
    return (
        f"{pair_name}: 0 of {count(pair.users, 'user')} changed. That is not 'no effect': up to "
        f"{(1 - pair.paired.same.lower) * 100:.2f} % of all users may still change (exact 95 % bound)."
    )


def _sequential(looks: Sequence[Look], pairs: int, scenarios: int) -> Iterator[str]:
    seen = ", ".join(f"{each.users:,}" for each in looks)
    cost = sum(each.users for each in looks) / looks[-1].users
    together = f" for all {pairs} comparisons together" if pairs > 1 else ""
    yield (
        "±: anytime-valid 95 % interval (asymptotic confidence sequence) of the mean difference over users, paired by "
        f"user; it holds at every look{together}, so stopping early does no harm. Looks at {seen} users; each look "
        f"ran all its users again, in all {cost:.2g} times the decisions of the last one."
    )
    yield "Shares of users and P(better) are for a fixed number of users; they do not allow for the stopping rule."
    if scenarios > 1:
        yield "No interquartile mean over scenarios: its bootstrap requires that users are fixed beforehand."


def _pairing(pairs: Sequence[Pair]) -> Iterator[str]:
    kept = sorted(pair.paired.variance_kept for pair in pairs if not math.isnan(pair.paired.variance_kept))
    if not kept:
        return
    if len(kept) > 1:
        yield (
            "Variance kept: that of the paired difference over that of two separate groups of users; 10 % means that a "
            f"tenth of the users do. Here {kept[0] * 100:.2f} % to {kept[-1] * 100:.2f} %."
        )
        return
    saving = f", so {1 / kept[0]:,.1f} times fewer users do" if 0 < kept[0] < 1 else ""
    yield (
        f"Pairing by user leaves {kept[0] * 100:.2f} % of the variance that two separate groups of users would "
        f"give{saving}."
    )
