"""What a comparison says in words: the estimand, what each pair means, and what its numbers rest on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from oo_sim.logs import Manifest
from oo_sim.results.summary import dynamics_of, unchecked_notes
from oo_sim.show import count, minus, plain
from oo_sim.stats import users_for
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
    if any(dynamics_of(each.manifest).churn for each in scenarios):
        yield (
            "Users leave, and stop counting: a policy that drives them away may have more reward a decision. "
            "`oo-sim run` says who stayed."
        )
    yield from unchecked_notes([label for each in scenarios for label in each.manifest.unchecked])
    yield from map(_unchanged, (pair for pair in pairs if pair.changed == 0))
    if pairs and all(pair.users < 2 for pair in pairs):
        yield "No interval with one user: intervals are over users, never over rounds."
    elif looks:
        yield from _sequential(looks, len(pairs), len(scenarios))
    elif pairs:
        yield (
            "±: 95 % interval (Student's, widened for skewness) of the mean difference over users (the clusters), "
            "paired by user under common random numbers; never over rounds. Shares of users: exact 95 % bounds "
            "(Clopper-Pearson)."
        )
        yield from _together(pairs, len(scenarios))
        yield from _enough(pairs)
    yield from _pairing(pairs)
    if pairs:
        yield (
            "P(better): the chance that a user drawn under the candidate does better than another one drawn under the "
            "baseline, ties half."
        )


def _together(pairs: Sequence[Pair], scenarios: int) -> Iterator[str]:
    """What is said of all pairs at once, and whether users are many enough for that."""
    if len(pairs) < 2:
        return
    yield (
        "All pairs at once: intervals that hold together with 95 %, and p-values to match (max-t, by flipping users; "
        f"Westfall and Young 1993); p (Holm): the p-values to match ±, adjusted over "
        f"{count(len(pairs), 'comparison')} here."
    )
    users = min(pair.users for pair in pairs)
    if len(pairs) > users / 3:
        yield (
            f"Many pairs for few users: {len(pairs)} comparisons over {count(users, 'user')}. Holm's p-values rest on "
            "far tails of Student's t, which so few users do not bear out; rely on what holds for all pairs at once, "
            "or compare with one reference."
        )
    if scenarios > 1:
        yield f"The {scenarios} scenarios share the 5 % error of what holds at once."


def _enough(pairs: Sequence[Pair]) -> Iterator[str]:
    """Whether there are enough users."""
    yield from map(_few, (pair for pair in pairs if pair.few and pair.changed))
    known = [pair for pair in pairs if not pair.few and pair.users > 1 and pair.spread > 0.0]
    if not known:
        return
    hardest = max(known, key=lambda pair: pair.detectable)
    half = hardest.detectable / 2
    yield (
        f"Enough users? Finds from: the difference that {hardest.users:,} users find in four of five such comparisons, "
        f"each pair by itself; at most {hardest.detectable:.4f} here. Half of that takes "
        f"{users_for(half, hardest.spread):,} users."
    )


def _few(pair: Pair) -> str:
    pair_name = f"{minus(pair.candidate, pair.baseline)} ({plain(pair.scenario)})"
    return (
        f"{pair_name}: only {pair.changed} of {count(pair.users, 'user')} changed, too few for Student's interval. The "
        "bounds are exact, from the shares of users who gain and lose and the largest difference that rewards allow; "
        "the p-value is that of the sign test. More users make them narrow."
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
    again = (
        f"; unless work is kept (--resume), each runs all its users again, in all {cost:.2g} times the decisions of "
    )
    again += "the last one"
    yield (
        "±: anytime-valid 95 % interval (asymptotic confidence sequence) of the mean difference over users, paired by "
        f"user; it holds at every look{together}, so stopping early does no harm. "
        + (f"Looks at {seen} users{again}." if len(looks) > 1 else f"One look, at {seen} users.")
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
