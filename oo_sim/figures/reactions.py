"""How users react as a policy learns: the mix of reactions over time, a panel per policy."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from oo_sim.contract import F64, REACTIONS
from oo_sim.figures.kit import Shape, finish, multiples, name_panel
from oo_sim.figures.style import FONT
from oo_sim.logs import RunLogError
from oo_sim.results import Run
from oo_sim.results.series import blocks
from oo_sim.results.summary import size
from oo_sim.show.text import plain

_SHAPE = Shape(4, 2.3, 1.9, 0.1)
_KEY = 0.45  # inches
# From bad to good, dark at both ends: told apart by colour-blind eyes, and in grey with the hatching of the bad ones.
_COLORS = ("#b8651b", "#dfc27d", "#f0f0f0", "#80cdc1", "#01665e", "#ffffff")
_HATCHES = ("////", "//", "", "", "", "...")
_NAMES = {"not_helpful": "not helpful", "none": "no reaction"}
MIX = (*REACTIONS, "none")
"""The parts of a mix, worst reaction first, then no reaction at all."""


class Mix(NamedTuple):
    """One policy's shares (6, m), in the order of `MIX`, in blocks of rounds that end at x (m,)."""

    label: str
    x: F64
    shares: F64


def mixes(run: Run) -> list[Mix]:
    """Each policy's mix, over users and replicates, in blocks of rounds that grow with the round."""
    found = []
    sums = run.curves.groupby(["policy", "round"], sort=True)[list(MIX)].sum()
    known = sums.index.get_level_values("policy").unique()
    for label in run.manifest.labels:
        if label in known:
            counts = sums.loc[label].to_numpy(float)
            starts = blocks(len(counts), 24)
            part = np.add.reduceat(counts, starts, axis=0).T
            found.append(
                Mix(label, np.append(starts[1:], len(counts)).astype(float), part / np.maximum(part.sum(0), 1))
            )
    return found


def mixes_of(run: Run) -> list[Mix]:
    """The same. Raises `RunLogError` in a world without reactions."""
    if not run.manifest.has_reactions:
        raise RunLogError(Path(run.manifest.name), "has no reactions; they belong to worlds of kind tips")
    return mixes(run)


def patches() -> dict[str, Patch]:
    """The key: how each part of a mix is filled, by its name in words."""
    return {
        _NAMES.get(name, name): Patch(facecolor=color, hatch=hatch, edgecolor="#555555", linewidth=0.5)
        for name, color, hatch in zip(MIX, _COLORS, _HATCHES, strict=True)
    }


def reactions_figure(run: Run) -> Figure:
    """Stacked shares of decisions by reaction. Raises `RunLogError` in a world without reactions."""
    facts, found = run.manifest, mixes_of(run)
    note = f"{size(facts)}; share of decisions by reaction, in blocks of rounds that grow with the round"
    figure, panels = multiples(f"{plain(facts.name, 60)}: reactions over time", note, len(found), _SHAPE, _KEY)
    for axes, mix in zip(panels, found, strict=True):
        _panel(axes, mix)
    key = patches()
    top = 1 - 0.72 / figure.get_figheight()
    figure.legend(
        list(key.values()),
        list(key),
        loc="upper left",
        bbox_to_anchor=(0.15 / figure.get_figwidth(), top),
        ncols=6,
        frameon=False,
        fontsize=FONT,
        columnspacing=1.2,
        handlelength=1.5,
    )
    return figure


def areas(axes: Axes, mix: Mix) -> None:
    """A mix as areas over the rounds, one upon the other."""
    edges = np.append(1.0, mix.x) if mix.x[0] > 1 else np.append(0.8, mix.x)
    tops = np.cumsum(mix.shares, axis=0)
    below = np.vstack([np.zeros(len(mix.x)), tops[:-1]])
    for i, (color, hatch) in enumerate(zip(_COLORS, _HATCHES, strict=True)):
        low, high = (np.append(rows[i], rows[i][-1]) for rows in (below, tops))
        area = axes.fill_between(edges, low, high, step="post", facecolor=color, edgecolor="#555555", linewidth=0.4)
        area.set_hatch(hatch)
    axes.set_xscale("log")
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, 1)


def _panel(axes: Axes, mix: Mix) -> None:
    areas(axes, mix)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    name_panel(axes, plain(mix.label, 30), "round, logarithmic")
    finish(axes)
    axes.grid(visible=False)
    axes.margins(x=0)
