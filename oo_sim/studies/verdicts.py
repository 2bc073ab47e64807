"""Tip banks against each other in one run, under each appeal model: does a verdict survive the change of model?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from oo_sim.show.tables import Table, Tables
from oo_sim.show.text import interval_text, minus, p_value, plain, signed
from oo_sim.studies.outcomes import Outcomes, gather
from oo_sim.studies.pairs import Pair, compare_pair

if TYPE_CHECKING:
    from oo_sim.results import Run


class Verdict(NamedTuple):
    """The tips of `bank` against those of `against`, chosen by `policy`; `pairs` by appeal model."""

    policy: str
    bank: str
    against: str
    pairs: dict[str, Pair]

    @property
    def ways(self) -> dict[str, str]:
        """What is shown under each appeal model: better, worse, or no difference."""
        return {
            appeal: "no difference shown" if not pair.sure else "better" if pair.difference.estimate > 0 else "worse"
            for appeal, pair in self.pairs.items()
        }

    def sentence(self) -> str:
        """The verdict for a reader who sees nothing else."""
        start = f"{plain(self.bank)} against {plain(self.against)}, chosen by {plain(self.policy)}:"
        ways, found = self.ways, set(self.ways.values())
        told = ", ".join(f"{signed(pair.difference.estimate)} under {appeal}" for appeal, pair in self.pairs.items())
        if len(found) == 1:
            every = "every appeal model" if len(ways) > 1 else f"{next(iter(ways))} (one appeal model only)"
            return f"{start} {found.pop()} under {every}: {told} a decision."
        parts = "; ".join(f"{way} under {appeal}" for appeal, way in ways.items())
        return f"{start} {parts}. The verdict depends on the appeal model: {told} a decision."


_TOY = "Keywords are a toy: believe no verdict that they alone give."


class _Arm(NamedTuple):
    policy: str
    bank: str
    appeal: str | None  # None: there are no tips
    label: str


def tip_verdicts(run: Run) -> list[Verdict]:
    """A verdict for each policy and each two banks of a run, the earlier one the baseline; none without two banks.

    Differences are by user, in true expected reward per decision; each interval is 95 % by itself. Raises
    RunLogError where the run has no rows by user.
    """
    arms = [
        _Arm(one.label.rpartition("+")[0], str(one.bank["bank"]).partition("@")[0], one.bank.get("appeal"), one.label)
        for one in run.manifest.policies
        if one.bank is not None and one.label not in run.failures
    ]
    if len({arm.bank for arm in arms}) < 2:
        return []
    [outcomes] = gather([run])
    return [verdict for policy in dict.fromkeys(arm.policy for arm in arms) for verdict in _of(policy, arms, outcomes)]


def _of(policy: str, arms: Sequence[_Arm], outcomes: Outcomes) -> Iterator[Verdict]:
    own = [arm for arm in arms if arm.policy == policy]
    for against, bank in combinations(dict.fromkeys(arm.bank for arm in own), 2):
        pairs = {}
        for first in (arm for arm in own if arm.bank == against):
            for second in (arm for arm in own if arm.bank == bank):
                appeal = first.appeal or second.appeal
                if appeal is not None and {first.appeal, second.appeal} <= {appeal, None}:
                    pairs[appeal] = compare_pair(outcomes, first.label, second.label, "expected", None)
        if pairs:
            yield Verdict(policy, bank, against, pairs)


def verdict_table(verdicts: Sequence[Verdict]) -> Tables:
    """The verdicts as a table; where there are several appeal models, also as sentences on whether they agree."""
    rows = [
        (
            plain(verdict.policy),
            minus(verdict.bank, verdict.against),
            appeal,
            interval_text(pair.difference, sign=True),
            p_value(pair.p_value),
            verdict.ways[appeal],
        )
        for verdict in verdicts
        for appeal, pair in verdict.pairs.items()
    ]
    headers = ("policy", "tips", "appeal model", "reward per decision", "p", "shown")
    table = Table(headers, rows, "tips against tips", names=3, wordy=frozenset({5}))
    sentences = [verdict.sentence() for verdict in verdicts if len(verdict.pairs) > 1]
    toy = all(set(verdict.pairs) == {"keywords"} for verdict in verdicts)
    return Tables([table], notes=[*sentences, *([_TOY] if toy else [])])
