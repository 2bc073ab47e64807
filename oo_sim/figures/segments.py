"""Results by segment: what each policy earns from each kind of user, as numbers and as small multiples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from oo_sim.figures.curves import Results
from oo_sim.figures.lines import NAME, draw_lines, finish, name_panel
from oo_sim.figures.multiples import Shape, end_room, multiples
from oo_sim.figures.style import label_ends, looks
from oo_sim.logs import RunLogError
from oo_sim.results.dynamics import dynamics_of
from oo_sim.results.series import Line
from oo_sim.results.summary import LEVEL, size
from oo_sim.results.values import last_round, user_values
from oo_sim.show.text import plain
from oo_sim.stats import Interval, mean_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHAPE = Shape(2, 3.6, 2.8)
MOST = 12
"""The most segments that a figure shows."""


class SegmentResult(NamedTuple):
    """One policy among the users of one segment; intervals are over those users."""

    segment: str
    policy: str
    expected_reward: Interval  # true expected reward per decision
    regret_per_user: Interval  # summed over all rounds


def segments(run: Results) -> list[str]:
    """The names of the segments, the largest first; none in a world without them."""
    people = run.users.drop_duplicates("user_id")["segment"].dropna()
    return [str(name) for name in people.value_counts().index]


def segment_results(run: Results) -> list[SegmentResult]:
    """A row per segment and policy, over all rounds; replicates of a user are averaged."""
    values = user_values(last_round(run.users), ["segment", "policy"])
    groups = {tuple(map(str, key)): own for key, own in values.groupby(level=["segment", "policy"])}
    both = [(segment, label) for segment in segments(run) for label in run.manifest.labels]
    return [_result(*each, groups[each]) for each in both if each in groups]


def _result(segment: str, policy: str, values: pd.DataFrame) -> SegmentResult:
    reward, regret = (mean_interval(values[name].to_numpy(), LEVEL) for name in ("reward", "regret"))
    return SegmentResult(segment, policy, reward, regret)


def segments_figure(run: Results) -> Figure:
    """A panel per segment: mean expected reward per decision up to each checkpoint, with its band over users.

    Raises `RunLogError` in a world without segments.
    """
    facts, names = run.manifest, segments(run)
    if not names:
        raise RunLogError(Path(facts.name), "has no results by segment; segments belong to worlds of kind tips")
    style, shown = looks(facts.policies), names[:MOST]
    shape = _SHAPE._replace(right=end_room([plain(label, NAME) for label in facts.labels]))
    cut = f"; the {MOST} largest of {len(names)} segments" if len(names) > MOST else ""
    there = " who have decided by then" if dynamics_of(facts).presence else ""
    band = f"band: 95 % over a segment's users{there}{cut}"
    note = f"{size(facts)}; mean expected reward per decision up to each round; {band}"
    figure, panels = multiples(f"{plain(facts.name, 60)} by segment", note, len(shown), shape)
    counts = run.users.drop_duplicates("user_id")["segment"].value_counts()
    for axes, name in zip(panels, shown, strict=True):
        draw_lines(axes, _lines(run, name), style)
        axes.set_xscale("log")
        name_panel(axes, f"{plain(name, 30)}: {counts[name]:,} users", "round, logarithmic")
    _share_scale(panels)
    for axes in panels:
        finish(axes)
        label_ends(axes, shape.height)
    return figure


def _share_scale(panels: list[Axes]) -> None:
    """One scale for all, so that segments can be compared."""
    limits = np.array([axes.get_ylim() for axes in panels])
    for axes in panels:
        axes.set_ylim(limits[:, 0].min(), limits[:, 1].max())


def _lines(run: Results, segment: str) -> list[Line]:
    users = run.users[run.users["segment"] == segment]
    means = user_values(users, ["policy", "round"])["reward"]
    known = means.index.get_level_values("policy").unique()
    return [_line(label, means.loc[label]) for label in run.manifest.labels if label in known]


def _line(label: str, values: pd.Series[float]) -> Line:
    groups = values.groupby(level="round")
    found = {float(str(at)): mean_interval(own.to_numpy(), LEVEL) for at, own in groups}
    estimates = np.array([each.estimate for each in found.values()])
    return Line(label, np.array([*found]), estimates, np.array([each.width / 2 for each in found.values()]))
