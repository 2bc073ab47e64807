"""`Comparison`: what is known of the differences between policies, ready to be looked at; and how it is made."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from oo_sim.logs import Manifest
from oo_sim.results.result import Result, finite, renamed, spread
from oo_sim.results.summary import LEVEL, size
from oo_sim.show import Table, Tables, bracketed, interval_text, minus, number, p_value, plain
from oo_sim.show.text import MINUS
from oo_sim.stats import Interval
from oo_sim.studies import words
from oo_sim.studies.across import Across, across, obstacle
from oo_sim.studies.outcomes import Metric, Outcomes
from oo_sim.studies.pairs import Pair, adjusted, choose, compare_pair
from oo_sim.studies.sequential import Look, sequential
from oo_sim.studies.together import Rank, ranks, together

_HEADERS = (
    f"candidate {MINUS} baseline",
    "difference",
    "all pairs\nat once",
    "p (all\nat once)",
    "p (Holm)",
    "users who\ngain",
    "users who\nlose",
    "users\nunchanged",
    "P(better)",
    "finds\nfrom",
    "variance\nkept",
)
_TOGETHER = range(2, 4)
"""The columns that say something only where several pairs are compared."""


class Comparison(Result):
    """Pairs of policies in one or several scenarios.

    `pairs` has one `Pair` for each two policies and scenario, `across` the scenarios together (None with one, or
    without a common scale), `looks` the anytime-valid intervals of each look where users were added as needed.
    """

    level = LEVEL
    kinds = ("difference", "matrix")
    alt = "differences between policies"

    def __init__(
        self,
        scenarios: Sequence[Outcomes],
        pairs: Sequence[Pair],
        metric: Metric,
        *,
        seed: int | None = 0,
        combined: Across | None = None,
        looks: Sequence[Look] = (),
        remark: str = "",
    ) -> None:
        self.scenarios, self.pairs, self.metric, self.seed = tuple(scenarios), tuple(pairs), metric, seed
        self.across, self.looks = combined, tuple(looks)
        remarks = (remark,) if remark else ()
        self.notes = (*words.notes(self.scenarios, self.pairs, metric, self.looks), *remarks)

    def stopped(self, looks: Sequence[Look], remark: str) -> Comparison:
        """The same after the last of `looks`, with its intervals, which hold however the looks ended."""
        pairs = sequential(self.pairs, looks[-1])
        return Comparison(self.scenarios, pairs, self.metric, seed=self.seed, looks=looks, remark=remark)

    @property
    def failures(self) -> dict[str, str]:
        """The policies that failed: `scenario: label` -> message."""
        return {f"{each.name}: {label}": why for each in self.scenarios for label, why in each.failures.items()}

    def by_scenario(self) -> Iterator[tuple[str, list[Pair]]]:
        """Each scenario's title and its pairs."""
        for each in self.scenarios:
            title = f"{plain(each.name)}: {words.SHORT[self.metric]} per decision, {size(each.manifest)}"
            yield title, [pair for pair in self.pairs if pair.scenario == each.name]

    def ranks(self, scenario: str) -> list[Rank]:
        """The ranks that each policy can have in a scenario; none where not every two policies were compared."""
        [outcomes] = [each for each in self.scenarios if each.name == scenario]
        return ranks(outcomes, [pair for pair in self.pairs if pair.scenario == scenario])

    @property
    def drawable(self) -> bool:
        """Whether two policies have results."""
        return bool(self.pairs)

    @cached_property
    def _frame(self) -> pd.DataFrame:
        return pd.DataFrame([_flat(pair) for pair in self.pairs])

    def frame(self) -> pd.DataFrame:
        """A row per pair and scenario; an interval `a` has columns `a`, `a_lower`, `a_upper`."""
        return self._frame.copy()

    def table(self) -> Tables:
        """A table per scenario, and one of the scenarios together."""
        tables = [_table(title, pairs) for title, pairs in self.by_scenario()]
        tables += [_rank_table(each.name, found) for each in self.scenarios if (found := self.ranks(each.name))]
        if self.across:
            tables.append(_across(self.across))
        failed = [
            f"{plain(outcomes.name)}: {plain(label, 60)} failed: {plain(why)}"
            for outcomes in self.scenarios
            for label, why in outcomes.failures.items()
        ]
        return Tables(tables, failed, self.notes)

    def as_dict(self) -> dict[str, Any]:
        """The comparison as plain data, as `--json` prints it: `metric`, `level`, `bootstrap_seed`, `scenarios`,
        `pairs` (with `band`), `ranks`, `looks`, `across` and `notes`; intervals are `{estimate, lower, upper, n}`."""
        combined = self.across
        return {
            "metric": self.metric,
            "level": self.level,
            "bootstrap_seed": self.seed,
            "scenarios": [_scenario(o.manifest) | {"failures": dict(o.failures)} for o in self.scenarios],
            "pairs": [_pair(pair) for pair in self.pairs],
            "ranks": [_data(rank._asdict()) for each in self.scenarios for rank in self.ranks(each.name)],
            "looks": [_data(look._asdict()) for look in self.looks],
            "across": None
            if combined is None
            else {
                "scenarios": list(combined.scenarios),
                "iqm": _data(combined.iqm),
                "differences": [
                    {
                        "baseline": a,
                        "candidate": b,
                        "difference": _data(each),
                        "improvement": _data(combined.improvements[a, b]),
                    }
                    for (a, b), each in combined.differences.items()
                ],
                "gaps": _data(combined.gaps),
                "profiles": _data(combined.profiles),
            },
            "notes": list(self.notes),
        }

    def console(self) -> Tables:
        """Deprecated: `table`."""
        renamed("Comparison.console()", "Comparison.table()")
        return self.table()

    def __repr__(self) -> str:
        names = plain(", ".join(each.name for each in self.scenarios), 80)
        return f"<Comparison of {words.SHORT[self.metric]} in {names}: {len(self.pairs)} pairs>"


def compare_outcomes(
    scenarios: Sequence[Outcomes],
    metric: Metric,
    *,
    policies: Sequence[str] | None = None,
    reference: str | None = None,
    seed: int | None = 0,
) -> Comparison:
    """Compare all pairs of `policies` (of all there are), or each against the `reference`, in every scenario.

    `seed` is that of the bootstraps; None does without them: no bands, and no scenarios together. Raises
    ComparisonError.
    """
    chosen = [choose(outcomes, policies, reference) for outcomes in scenarios]
    found = [[compare_pair(o, *two, metric, seed) for two in some] for o, some in zip(scenarios, chosen, strict=True)]
    pairs = adjusted([pair for some in found for pair in some])
    if seed is None:
        return Comparison(scenarios, pairs, metric, seed=seed)
    ends = list(itertools.accumulate(map(len, found), initial=0))
    held = [together(o, pairs[a:b], seed, len(found)) for o, a, b in zip(scenarios, ends, ends[1:], strict=False)]
    combined, remark = _together(scenarios, chosen, seed)
    pairs = [pair for some in held for pair in some]
    return Comparison(scenarios, pairs, metric, seed=seed, combined=combined, remark=remark)


def _together(
    scenarios: Sequence[Outcomes], chosen: Sequence[Sequence[tuple[str, str]]], seed: int
) -> tuple[Across | None, str]:
    """The scenarios together, on the pairs that all of them have; or None, and why where it is worth a word."""
    if len(scenarios) < 2:
        return None, ""
    common = [two for two in chosen[0] if all(two in some for some in chosen[1:])]
    why = obstacle(scenarios) if common else "no pair of policies is in all scenarios"
    if why:
        return None, f"No interquartile mean over scenarios: {why}."
    scale = (
        "Over scenarios: scores are (reward - random's mean) / (oracle's mean - random's), so 0 is random and 1 the "
        "oracle, taken as known; interquartile mean, profiles, optimality gap (how far users stay below 1) and "
        "P(improvement) over users, 95 % bootstrap over users within each "
        "scenario, the scenarios themselves held fixed."
    )
    return across(scenarios, common, seed), scale


def _cells(pair: Pair) -> tuple[str, ...]:
    """A pair's row as text."""
    result = pair.paired
    shares = (f"{100 * s.estimate:.3g} %\n[{100 * s.lower:.3g}, {100 * s.upper:.3g}]" for s in result[5:8])
    kept = result.variance_kept
    return (
        minus(pair.candidate, pair.baseline).replace(f" {MINUS} ", f"\n{MINUS} "),
        interval_text(pair.difference, sign=True),
        "-" if pair.simultaneous is None else interval_text(pair.simultaneous, sign=True),
        p_value(pair.p_together),
        p_value(pair.holm),
        *shares,
        number(result.improvement.estimate, 3),
        number(pair.detectable),
        "-" if math.isnan(kept) else f"{kept:.2%}",
    )


def _table(title: str, pairs: Sequence[Pair]) -> Table:
    """A row per pair, without the columns that one pair does not need."""
    several = any(pair.simultaneous is not None for pair in pairs) and len(pairs) > 1
    shown = [i for i in range(len(_HEADERS)) if several or i not in _TOGETHER]
    rows = [_cells(pair) for pair in pairs]
    return Table([_HEADERS[i] for i in shown], [[row[i] for i in shown] for row in rows], title)


def _rank_table(scenario: str, found: Sequence[Rank]) -> Table:
    rows = [
        (
            plain(rank.policy, 60),
            number(rank.mean),
            str(rank.best) if rank.best == rank.worst else f"{rank.best} to {rank.worst}",
        )
        for rank in found
    ]
    return Table(("policy", "mean", "rank"), rows, f"{plain(scenario)}: the ranks that policies can have")


def _across(found: Across) -> Table:
    rows = [
        (plain(label, 60), bracketed(interval, 3), bracketed(found.gaps[label], 3), "")
        for label, interval in found.iqm.items()
    ]
    rows += [
        (minus(b, a), bracketed(interval, 3), "", bracketed(found.improvements[a, b], 3))
        for (a, b), interval in found.differences.items()
    ]
    title = f"over {len(found.scenarios)} scenarios: {plain(', '.join(found.scenarios))}"
    return Table(("policy or difference", "interquartile mean", "optimality gap", "P(improvement)"), rows, title)


def _flat(pair: Pair) -> dict[str, Any]:
    """A pair as a row of a frame; an interval `a` has columns `a`, `a_lower`, `a_upper`."""
    row: dict[str, Any] = {name: getattr(pair, name) for name in ("scenario", "baseline", "candidate", "users")}
    row |= spread("difference", pair.difference) | {"p_value": pair.p_value, "holm": pair.holm}
    nothing = Interval(pair.difference.estimate, math.nan, math.nan, pair.users)
    row |= spread("simultaneous", pair.simultaneous or nothing) | {"p_together": pair.p_together}
    row |= {"detectable": pair.detectable}
    for name in ("gain", "lose", "same", "improvement"):
        row |= spread(name, getattr(pair.paired, name))
    row |= {"baseline_mean": pair.paired.baseline.estimate, "candidate_mean": pair.paired.candidate.estimate}
    return row | {"variance_kept": pair.paired.variance_kept}


def _scenario(manifest: Manifest) -> dict[str, Any]:
    return {key: getattr(manifest, key) for key in ("name", "users", "rounds", "replicates", "seed", "own_trajectory")}


def _pair(pair: Pair) -> dict[str, Any]:
    own = {key: value for key, value in pair._asdict().items() if key not in ("paired", "marks", "band")}
    band = None if pair.band is None else {"rounds": pair.marks, **pair.band._asdict()}
    plain_pair: dict[str, Any] = _data(pair.paired._asdict() | own | {"band": band})
    return plain_pair


def _data(value: Any) -> Any:
    """Named tuples, mappings and arrays as plain data; what is not finite is null."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {str(key): _data(each) for key, each in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_data(each) for each in value]
    return finite(value)
