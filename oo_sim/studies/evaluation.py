"""`Evaluation`: what a log says about other policies, with verdicts, ready to be looked at."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import pandas as pd

from oo_sim.contract import F64
from oo_sim.ope import Diagnostics
from oo_sim.results.result import Result, finite, spread
from oo_sim.show import Table, Tables, count, number, percent, plain, signed
from oo_sim.stats import Interval

Verdict = Literal["answered", "weak", "refused"]

MEANING: Mapping[str, str] = {
    "frozen": "the value of the state that each policy learned from the first {share:.0%} of each user's log, in the "
    "later logged situations",
    "passive": "the value of following the policy for one step at each logged decision, while it learns from what was "
    "logged. A learner's passive value is not what it would earn deployed",
    "replay": "the value of deploying the policy, which learns from its own accepted decisions alone",
}


class Health(NamedTuple):
    """The weights of one policy: `unsupported` is the mean probability of what could not be logged (nan where the log
    lists no probabilities but the chosen one's), `weights` one mean weight per user, `over_time` unsupported mass in
    twentieths of the log."""

    policy: str
    unsupported: float
    weights: F64
    over_time: F64
    diagnostics: Diagnostics


class Row(NamedTuple):
    """One policy under one estimator. `reason` says why it is weak or refused."""

    policy: str
    as_: str
    estimator: str
    value: Interval
    difference: Interval  # from the logged policy, paired by user
    verdict: Verdict
    reason: str
    health: Health | None


class LoggedPart(NamedTuple):
    """What of a log there was to use."""

    users: int
    decisions: int
    dropped: int  # decisions whose reward window had not passed
    rewards: int
    loose: int  # rewards that belong to no decision
    without_probs: int  # decisions of which the chosen one's probability alone is known


@dataclass(frozen=True, kw_only=True, repr=False)
class Evaluation(Result):
    """What a log says about other policies. `rows` are in the order asked for, the logged policy first."""

    paths: Sequence[str]
    logged: str
    as_: str
    train_until: float
    own_trajectory: bool
    level: float
    part: LoggedPart
    decisions: int  # that were evaluated
    rows: Sequence[Row]
    health: Sequence[Health]

    kinds: ClassVar[tuple[str, ...]] = ("evaluation",)
    alt: ClassVar[str] = (
        "estimates with their intervals beside the logged value, weights, and unsupported mass over time"
    )

    def __repr__(self) -> str:
        answered = sum(row.verdict != "refused" for row in self.rows if row.as_ != "logged")
        asked = sum(row.as_ != "logged" for row in self.rows)
        return f"<Evaluation ({self.as_}) of a log of {plain(self.logged, 80)}: {answered} of {asked} rows answered>"

    @property
    def answered(self) -> bool:
        """Whether any policy got an answer, weak ones included."""
        return any(row.verdict != "refused" for row in self.rows if row.as_ != "logged")

    @property
    def drawable(self) -> bool:
        """Whether there is anything to draw."""
        return any(math.isfinite(row.value.estimate) for row in self.rows)

    @property
    def notes(self) -> list[str]:
        """What a reader must know."""
        found = [f"Question ({self.as_}): {MEANING[self.as_].format(share=self.train_until)}."]
        if self.own_trajectory:
            found.append("What was offered depended on what had been served: values are in the situations that the "
                         "logging policy met.")  # fmt: skip
        size = f"{count(self.part.users, 'user')}, {count(self.decisions, 'decision')} of {self.part.decisions:,}"
        found.append(
            f"{size} evaluated. A decision without a reward counts 0. Intervals are Student's t over users, each user "
            "one value; each holds by itself."
        )
        if self.part.dropped:
            found.append(f"{count(self.part.dropped, 'decision')} left out: within the reward window of the log's end.")
        if self.part.loose:
            found.append(f"{self.part.loose:,} of {count(self.part.rewards, 'reward')} belong to no decision.")
        if self.part.without_probs:
            found.append("The log has the probability of the chosen candidate alone, so unsupported mass is not known: "
                         "a policy that prefers what could not be logged is not noticed.")  # fmt: skip
        if any(row.estimator == "dm" for row in self.rows):
            found.append("dm has no interval: the direct method is as wrong as its model, up to .08 on adaptive logs.")
        reasons = dict.fromkeys(
            f"{plain(row.policy, 60)} is {row.verdict}: {row.reason}." for row in self.rows if row.verdict != "answered"
        )
        return [*found, *reasons, *self._replays]

    @property
    def _replays(self) -> list[str]:
        return [
            f"{plain(r.policy, 60)}: {r.reason}." for r in self.rows if r.as_ == "replay" and r.verdict == "answered"
        ]

    def table(self) -> Tables:
        """The estimates, and what the weights look like."""
        headers = ("policy", "as", "estimator", "value\nper decision", "95 % interval", "minus\nlogged",
                   "95 % interval", "verdict")  # fmt: skip
        title = f"{plain(', '.join(self.paths), 80)}: logged by {plain(self.logged, 60)}"
        first = Table(headers, [_cells(row) for row in self.rows], title, names=3, wordy=frozenset({7}))
        columns = ("policy", "unsupported", "mean\nweight", "95 % interval", "effective\nusers", "largest\nweight",
                   "largest\nuser's share")  # fmt: skip
        second = [Table(columns, [_weights(each) for each in self.health], "Weights")] if self.health else []
        return Tables([first, *second], notes=self.notes)

    def frame(self) -> pd.DataFrame:
        """A row per policy and estimator; an interval `a` has columns `a`, `a_lower`, `a_upper`."""
        return pd.DataFrame([self._flat(row) for row in self.rows])

    def _flat(self, row: Row) -> dict[str, Any]:
        d = row.health.diagnostics if row.health else None
        mean = d.mean_weight if d else Interval(math.nan, math.nan, math.nan, 0)
        return {
            "policy": row.policy,
            "as": row.as_,
            "estimator": row.estimator,
            **spread("estimate", row.value),
            **spread("difference", row.difference),
            "users": row.value.n,
            "decisions": self.decisions,
            "unsupported_mass": row.health.unsupported if row.health else math.nan,
            **spread("mean_weight", mean),
            "effective_users": d.effective_users if d else math.nan,
            "largest_weight": d.largest_weight if d else math.nan,
            "largest_share": d.largest_share if d else math.nan,
            "verdict": row.verdict,
            "reason": row.reason,
        }

    def as_dict(self) -> dict[str, Any]:
        """The evaluation as plain data, as `--json` prints it: `logs`, `logged`, `as`, `train_until`, `level`, `log`
        (users, decisions and what was left out), `rows` (as in `frame`, null for what is not known) and `notes`."""
        return {
            "logs": list(self.paths),
            "logged": self.logged,
            "as": self.as_,
            "train_until": self.train_until if self.as_ == "frozen" else None,
            "own_trajectory": self.own_trajectory,
            "level": self.level,
            "log": self.part._asdict(),
            "rows": [{key: finite(value) for key, value in self._flat(row).items()} for row in self.rows],
            "notes": self.notes,
        }


def _bounds(interval: Interval, digits: int = 4, *, sign: bool = False) -> str:
    if not math.isfinite(interval.lower):
        return "-"
    show = signed if sign else number
    return f"{show(interval.lower, digits)} to {show(interval.upper, digits)}"


def _cells(row: Row) -> tuple[str, ...]:
    ours = row.as_ == "logged"
    return (
        plain(row.policy, 60),
        row.as_,
        row.estimator,
        number(row.value.estimate, 4),
        _bounds(row.value),
        "-" if ours or not math.isfinite(row.difference.estimate) else signed(row.difference.estimate, 4),
        "-" if ours else _bounds(row.difference, sign=True),
        "-" if ours else row.verdict,
    )


def _weights(found: Health) -> tuple[str, ...]:
    d = found.diagnostics
    return (
        plain(found.policy, 60),
        "-" if math.isnan(found.unsupported) else percent(found.unsupported),
        number(d.mean_weight.estimate, 3),
        _bounds(d.mean_weight, 3),
        number(d.effective_users, 1),
        number(d.largest_weight, 1),
        "-" if math.isnan(d.largest_share) else percent(d.largest_share),
    )
