"""From what was gathered of a log to a row per policy and estimator, with its verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from oo_sim import ope
from oo_sim.errors import EvaluationError
from oo_sim.stats import Interval, mean_interval
from oo_sim.studies.evaluation import Health, Row
from oo_sim.studies.gathered import BINS, Asked, Gathered
from oo_sim.studies.refusals import FEW_EFFECTIVE, FEWEST_USERS, about_the_log, about_the_policy


def answers(found: Gathered, labels: Sequence[str], asked: Asked) -> tuple[list[Row], list[Health]]:
    """A row per policy and estimator, the logged policy first; and the figures on the weights of each policy."""
    if 0 < found.unknown < found.decisions:
        raise EvaluationError(
            f"{found.unknown:,} of {found.decisions:,} decisions have no probability; all or none may"
        )
    refused = about_the_log(found, asked)
    rows, healths = [], []
    if found.own:
        value = mean_interval(found.own.mean("r"), asked.level)
        zero = Interval(0.0, 0.0, 0.0, value.n)
        rows.append(Row("(logged)", "logged", "mean", value, zero, "answered", "", None))
    for j, label in enumerate(labels):
        if not found.users:
            rows.append(Row(label, asked.as_, "-", _nothing(), _nothing(), "refused", refused[0][1], None))
        elif asked.as_ == "replay":
            rows.append(_replayed(found, j, label, asked, refused))
        else:
            health = _health(found, j, label, asked)
            healths.append(health)
            rows += _estimated(found, j, asked, health, refused)
    return rows, healths


def _nothing(users: int = 0) -> Interval:
    return Interval(math.nan, math.nan, math.nan, users)


def _health(found: Gathered, j: int, label: str, asked: Asked) -> Health:
    sums = found.policies[j]
    unsupported = math.nan if found.no_probs else found.unsupported(j)
    times = np.full(BINS, math.nan)
    if found.over_time is not None:
        out, count = found.over_time[j]
        np.divide(out, count, out=times, where=count > 0)
    return Health(label, unsupported, sums.mean("w"), times, ope.diagnostics(sums, asked.level))


def _estimated(found: Gathered, j: int, asked: Asked, health: Health, refused: Sequence[tuple[int, str]]) -> list[Row]:
    label, sums, d = health.policy, found.policies[j], health.diagnostics
    against = about_the_policy(health, found.largest, refused)
    if against:
        return [Row(label, asked.as_, "-", _nothing(d.users), _nothing(d.users), "refused", against[0][1], health)]
    verdict: Literal["answered", "weak"] = "weak" if d.effective_users < FEW_EFFECTIVE else "answered"
    reason = ""
    if verdict == "weak":
        reason = (
            f"effective users {d.effective_users:.1f} of {d.users}: intervals may be too narrow below {FEW_EFFECTIVE:g}"
        )
    u = 0.0 if math.isnan(health.unsupported) else health.unsupported * found.largest
    rows = []
    for name in asked.names:
        if verdict == "weak" and name in ("snips", "sndr"):
            continue
        value, difference = ope.estimate(ope.ESTIMATORS[name], sums, asked.level)
        rows.append(Row(label, asked.as_, name, _wider(value, u), _wider(difference, u), verdict, reason, health))
    if asked.anytime:
        if found.largest > 1.0:
            raise EvaluationError(f"--anytime is for rewards of -1 to 1, and this log has one of {found.largest:g}")
        value = _wider(ope.betting_interval(sums, level=asked.level), u)
        rows.append(Row(label, asked.as_, "ips, anytime", value, _nothing(d.users), verdict, reason, health))
    return rows


def _wider(interval: Interval, u: float) -> Interval:
    return interval._replace(lower=interval.lower - u, upper=interval.upper + u)


def _replayed(found: Gathered, j: int, label: str, asked: Asked, refused: Sequence[tuple[int, str]]) -> Row:
    user, reward = found.accepted[j]
    assert found.own is not None
    users = found.own.user
    count = np.sort(np.bincount(np.searchsorted(users, user), minlength=len(users)))
    most = int(count[len(users) // 10]) if asked.decisions is None else asked.decisions
    against = list(refused)
    if asked.not_iid:
        against.append((0, "what was offered depended on what had been served, so accepted decisions are not those of "
                           "a deployment; --assume-iid evaluates as if they were"))  # fmt: skip
    if most < 1:
        against.append((6, "fewer than one accepted decision for nine in ten users: the log is too short or explores "
                           "too little for replay"))  # fmt: skip
    else:
        value = ope.replay(np.ones(len(user), np.bool_), reward, user, decisions=most, level=asked.level)
        if value.n < FEWEST_USERS:
            against.append((6, f"{value.n} users have {most} accepted decisions; at least {FEWEST_USERS} are required"))
    if against:
        reason = sorted(against, key=lambda each: each[0])[0][1]
        return Row(label, "replay", "replay", _nothing(), _nothing(), "refused", reason, None)
    own = float(found.own.mean("r").mean())
    difference = Interval(value.estimate - own, value.lower - own, value.upper - own, value.n)
    words = f"over the first {most} accepted decisions of {value.n} users"
    return Row(label, "replay", "replay", value, difference, "answered", words, None)
