"""Results by segment: what each policy earns from each kind of user."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from oo_sim.results.run import Run
from oo_sim.results.series import Line
from oo_sim.results.summary import LEVEL, last_round, user_values
from oo_sim.stats import Interval, mean_interval

if TYPE_CHECKING:
    import pandas as pd


class SegmentResult(NamedTuple):
    """One policy among the users of one segment; intervals are over those users."""

    segment: str
    policy: str
    expected_reward: Interval  # true expected reward per decision
    regret_per_user: Interval  # summed over all rounds


def segments(run: Run) -> list[str]:
    """The names of the segments, the largest first; none in a world without them. Raises `RunLogError` where the
    run has no rows by user."""
    people = run.require_users().drop_duplicates("user_id")["segment"].dropna()
    return [str(name) for name in people.value_counts().index]


def segment_results(run: Run) -> list[SegmentResult]:
    """A row per segment and policy, over all rounds; replicates of a user are averaged."""
    values = user_values(last_round(run.require_users()), ["segment", "policy"])
    groups = {tuple(map(str, key)): own for key, own in values.groupby(level=["segment", "policy"])}
    both = [(segment, label) for segment in segments(run) for label in run.manifest.labels]
    return [_result(*each, groups[each]) for each in both if each in groups]


def _result(segment: str, policy: str, values: pd.DataFrame) -> SegmentResult:
    reward, regret = (mean_interval(values[name].to_numpy(), LEVEL) for name in ("reward", "regret"))
    return SegmentResult(segment, policy, reward, regret)


def segment_lines(run: Run, segment: str) -> list[Line]:
    """Each policy's mean expected reward per decision up to each checkpoint, with its band over the segment's users."""
    users = run.require_users()
    users = users[users["segment"] == segment]
    means = user_values(users, ["policy", "round"])["reward"]
    known = means.index.get_level_values("policy").unique()
    return [_line(label, means.loc[label]) for label in run.manifest.labels if label in known]


def _line(label: str, values: pd.Series[float]) -> Line:
    groups = values.groupby(level="round")
    found = {float(str(at)): mean_interval(own.to_numpy(), LEVEL) for at, own in groups}
    estimates = np.array([each.estimate for each in found.values()])
    return Line(label, np.array([*found]), estimates, np.array([each.width / 2 for each in found.values()]))
