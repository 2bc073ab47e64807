"""`Comparison`: what is known of the differences between policies, ready to be looked at; and how it is made."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from oo_sim.results import drawing
from oo_sim.results.summary import LEVEL, size
from oo_sim.show.text import plain
from oo_sim.studies import tables, words
from oo_sim.studies.across import Across, across, obstacle
from oo_sim.studies.outcomes import Metric, Outcomes
from oo_sim.studies.pairs import Pair, adjusted, choose, compare_pair
from oo_sim.studies.sequential import Look, sequential

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Group


class Comparison:
    """Pairs of policies in one or several scenarios.

    `pairs` has one `Pair` for each two policies and scenario, `across` the scenarios together (None with one, or
    without a common scale), `looks` the anytime-valid intervals of each look where users were added as needed.
    """

    level = LEVEL

    def __init__(
        self,
        scenarios: Sequence[Outcomes],
        pairs: Sequence[Pair],
        metric: Metric,
        *,
        seed: int | None = 0,
        together: Across | None = None,
        looks: Sequence[Look] = (),
        remark: str = "",
    ) -> None:
        self.scenarios, self.pairs, self.metric, self.seed = tuple(scenarios), tuple(pairs), metric, seed
        self.across, self.looks = together, tuple(looks)
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

    @cached_property
    def _frame(self) -> pd.DataFrame:
        return pd.DataFrame([tables.flat(pair) for pair in self.pairs])

    def table(self) -> pd.DataFrame:
        """A row per pair and scenario; an interval `a` has columns `a`, `a_lower`, `a_upper`."""
        return self._frame.copy()

    def console(self) -> Group:
        """The tables and notes for a rich console."""
        return tables.terminal(self)

    def as_dict(self) -> dict[str, Any]:
        """The comparison as plain data, as `--json` prints it: `metric`, `level`, `bootstrap_seed`, `scenarios`,
        `pairs` (with `band`), `looks`, `across` and `notes`; intervals are `{estimate, lower, upper, n}`."""
        return tables.as_dict(self)

    def figure(self) -> Figure:
        """The differences with their intervals, and their bands along the curve."""
        return drawing.figure(self)

    def __repr__(self) -> str:
        names = plain(", ".join(each.name for each in self.scenarios), 80)
        return f"<Comparison of {words.SHORT[self.metric]} in {names}: {len(self.pairs)} pairs>"

    def _repr_html_(self) -> str:
        text = tables.as_html(self)
        if not self.pairs:
            return f"<div>{text}</div>"
        image = base64.b64encode(drawing.png(self.figure())).decode()
        source = f"data:image/png;base64,{image}"
        picture = f'<img alt="differences between policies" style="max-width:100%" src="{source}">'
        return f"<div>{text}{picture}</div>"


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
    pairs = [compare_pair(o, *two, metric, seed) for o, some in zip(scenarios, chosen, strict=True) for two in some]
    together, remark = (None, "") if seed is None else _together(scenarios, chosen, seed)
    return Comparison(scenarios, adjusted(pairs), metric, seed=seed, together=together, remark=remark)


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
        "oracle, taken as known; interquartile mean and profiles over users, 95 % bootstrap over users within each "
        "scenario, the scenarios themselves held fixed."
    )
    return across(scenarios, common, seed), scale
