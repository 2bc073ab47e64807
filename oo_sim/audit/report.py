"""What an audit found: counts by check, each policy's first wrong decision, and rows that were refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from oo_sim.audit.arrays import I64, Bool

CHECKS: Mapping[str, str] = {
    "order": "a user's decisions and learnings are numbered without gaps, and time does not run back",
    "presence": "a user decides in the rounds in which the scenario has it there, and in no other",
    "id": "ids are the decision's own, and name a policy that the manifest describes",
    "time": "what was served, and nothing else, has a time, in the order of time",
    "clock": "hour and weekday are those of the scenario",
    "offer": "the candidates are those of the scenario",
    "draw": "the candidate chosen follows from the first uniform",
    "kind": "kinds of tips and of probabilities, and who wrote a text, are said as they are",
    "truth": "expected rewards follow from who the user is",
    "reaction": "the reaction follows from its uniform and the user's taste",
    "feedback": "rewards arrive when, and only if, the scenario says so",
    "features": "the logged vectors follow from the candidates, the hour and the day",
    "learned": "what was learned is the vector of the decision that it belongs to, once",
    "reward": "the reward is that of the reaction, and within -1 to 1",
    "score": "the score follows from what the user's model had learned",
    "argmax": "the greedy choice has the highest score",
    "tie": "of identical candidates the first is served",
    "probs": "the probabilities sum to 1 and are the policy's",
    "propensity": "the propensity is the probability of the candidate chosen",
    "explored": "the exploration flag follows from the second uniform; without exploring there is none",
    "best": "the oracle serves the highest true expected reward",
    "rate": "exploration is as frequent as the probabilities say (e-value)",
    "choice": "exploration picks candidates as often as the probabilities say (e-value)",
}
"""Every check by name, in the order in which a decision that fails several is described."""
PARTS = ("features", "scores", "probabilities", "draws", "learned states")
"""What is derived again of a policy that is known."""


class Rows(NamedTuple):
    """Who and when, for rows that are checked together."""

    users: tuple[str, ...]  # of each lane
    replicates: I64  # of each lane
    lane: I64  # (n,)
    t: I64  # (n,)


class Finding(NamedTuple):
    """One check over rows: which were judged, which are wrong, and how to describe a wrong one by its index."""

    check: str
    judged: Bool
    wrong: Bool
    logged: Callable[[int], object]
    expected: Callable[[int], object]


@dataclass(frozen=True)
class Wrong:
    """One decision (or learning) that does not follow: `t` is the user's decision number, from 0."""

    check: str
    policy: str
    replicate: int
    user_id: str
    t: int
    logged: str
    expected: str

    def __str__(self) -> str:
        where = f"user {self.user_id}, replicate {self.replicate}, decision {self.t + 1} (t={self.t})"
        return f"{self.policy}: {where}: {self.check}: logged {self.logged}; should be {self.expected}"


@dataclass(frozen=True)
class Count:
    """How many rows a check judged, and how many were wrong."""

    judged: int = 0
    wrong: int = 0


@dataclass(frozen=True)
class Refused:
    """Rows that no audit can judge, by reason; `first_row` counts from 0 in its table."""

    table: str
    reason: str
    count: int
    first_row: int

    def __str__(self) -> str:
        rows = "row" if self.count == 1 else "rows"
        return f"{self.table}: {self.count:,} {rows} refused, the first is row {self.first_row} (from 0): {self.reason}"


@dataclass(frozen=True)
class PolicyReport:
    """One policy's counts; `first` is the first wrong decision, `firsts` that of each check; `unchecked` names what was
    not derived again (of `PARTS`), and `notes` say why.
    """

    label: str
    decisions: int
    checks: Mapping[str, Count]
    first: Wrong | None
    firsts: Mapping[str, Wrong]
    notes: tuple[str, ...]
    unchecked: tuple[str, ...] = ()

    @property
    def wrong(self) -> int:
        """How many findings there are, over all checks."""
        return sum(count.wrong for count in self.checks.values())


@dataclass(frozen=True)
class Report:
    """The audit of a whole log."""

    policies: tuple[PolicyReport, ...]
    refused: tuple[Refused, ...]
    cut: tuple[str, ...] = ()  # tables that do not have as many rows as the manifest says
    world: str = ""  # of whom the world was derived again; empty where there is no scenario

    @property
    def violations(self) -> int:
        """How many findings there are, over all policies, and tables that were cut off."""
        return sum(policy.wrong for policy in self.policies) + len(self.cut)

    @property
    def clean(self) -> bool:
        """No finding and no row refused."""
        return not self.violations and not self.refused

    @property
    def complete(self) -> bool:
        """Whether every part of every policy was derived again: without it, clean does not mean right."""
        return all(not policy.unchecked for policy in self.policies)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return {"clean": self.clean, "complete": self.complete, "violations": self.violations} | asdict(self)


class UnusableLogError(ValueError):
    """A log cannot be read as one: columns are missing, types are wrong, or a file is damaged."""
