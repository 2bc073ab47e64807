"""Results by segment as small multiples."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from oo_sim.figures.kit import NAME, Shape, draw_lines, end_room, finish, half_in_words, multiples, name_panel
from oo_sim.figures.style import label_ends, looks
from oo_sim.logs import RunLogError
from oo_sim.results import Run
from oo_sim.results.segments import segment_lines, segments
from oo_sim.results.summary import dynamics_of, size
from oo_sim.show import plain

_SHAPE = Shape(2, 3.6, 2.8)
MOST = 12
"""The most segments that a figure shows."""


def segments_figure(run: Run) -> Figure:
    """A panel per segment: mean expected reward per decision up to each checkpoint, with its band over users.

    Raises `RunLogError` in a world without segments, and without rows by user.
    """
    facts, names = run.manifest, segments(run)
    if not names:
        raise RunLogError(Path(facts.name), "has no results by segment; segments belong to worlds of kind tips")
    style, shown = looks(facts.policies), names[:MOST]
    shape = _SHAPE._replace(right=end_room([plain(label, NAME) for label in facts.labels]))
    cut = f"; the {MOST} largest of {len(names)} segments" if len(names) > MOST else ""
    there = " who have decided by then" if dynamics_of(facts).presence else ""
    lines = {name: segment_lines(run, name) for name in shown}
    band = half_in_words(list(itertools.chain(*lines.values())), f"a segment's users{there}")
    note = f"{size(facts)}; mean expected reward per decision up to each round{band}{cut}"
    figure, panels = multiples(f"{plain(facts.name, 60)} by segment", note, len(shown), shape)
    counts = run.users.drop_duplicates("user_id")["segment"].value_counts()
    for axes, name in zip(panels, shown, strict=True):
        draw_lines(axes, lines[name], style)
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
