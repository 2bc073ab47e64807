"""The picture of a run: what each policy earns as it learns, and what it has regretted so far."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from oo_sim.figures.lines import NAME, draw_lines, finish, name_panel
from oo_sim.figures.panels import DPI, text_width
from oo_sim.figures.style import FAINT, FONT, INK, label_ends, looks
from oo_sim.logs import Manifest
from oo_sim.results.dynamics import dynamics_of
from oo_sim.results.save import write_whole
from oo_sim.results.series import regret_lines, reward_lines
from oo_sim.results.summary import size
from oo_sim.show.text import plain

if TYPE_CHECKING:
    import pandas as pd

_PANEL_WIDTH, _PANEL_HEIGHT = 4.4, 3.9  # inches, as all below
_TOP, _BOTTOM = 1.0, 0.6  # above and below a panel
_AXIS, _GAP = 0.75, 0.4  # for a panel's tick labels, and around the names of its lines


class Results(Protocol):
    """What a figure needs of a run."""

    @property
    def manifest(self) -> Manifest: ...
    @property
    def curves(self) -> pd.DataFrame: ...
    @property
    def users(self) -> pd.DataFrame: ...


def curves_figure(runs: Sequence[Results], *, log: bool = False) -> Figure:
    """Two panels a run, runs one below the other: reward per decision, and cumulative regret per user.

    Reward is the true expected one, averaged in blocks of rounds that grow with the round. Regret has its
    95 % band over users; `log` draws it on logarithmic axes. Raises `ValueError` without runs.
    """
    if not runs:
        raise ValueError("no run to plot")
    half = _AXIS + _PANEL_WIDTH + _names_width(runs) + _GAP
    row = _TOP + _PANEL_HEIGHT + _BOTTOM
    figure = Figure(figsize=(2 * half, row * len(runs)), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    for index, run in enumerate(runs):
        _draw_run(figure, run, bottom=row * (len(runs) - index - 1) + _BOTTOM, log=log)
    return figure


def png(figure: Figure, dpi: int = DPI) -> bytes:
    """The figure as PNG, the same bytes for the same figure."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes, which is no reason to warn or fail.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None}, pil_kwargs={"optimize": True})
    return buffer.getvalue()


def save_png(figure: Figure, path: Path) -> None:
    """Write the figure as PNG, whole or not at all. Raises `RunLogError` when it cannot be written."""
    write_whole(path, png(figure))


def _names_width(runs: Sequence[Results]) -> float:
    """The width in inches of the longest name of a line, so that no name is cut."""
    return text_width([plain(policy.label, NAME) for run in runs for policy in run.manifest.policies])


def _draw_run(figure: Figure, run: Results, *, bottom: float, log: bool) -> None:
    manifest = run.manifest
    width, height = figure.get_size_inches()
    box = (_PANEL_WIDTH / width, _PANEL_HEIGHT / height)
    left, right = (figure.add_axes((x / width, bottom / height, *box)) for x in (_AXIS, _AXIS + width / 2))
    _title(figure, manifest, _AXIS / width, (bottom + _PANEL_HEIGHT) / height)
    style = looks(manifest.policies)
    draw_lines(left, reward_lines(manifest, run.curves), style)
    left.update_datalim([(1.0, 0.0)], updatey=False)  # a logarithmic axis wants a place, also where nobody decided
    left.set_xscale("log")
    there = "; mean over users there in a round" if dynamics_of(manifest).presence else ""
    name_panel(left, "Expected reward per decision", f"round, logarithmic{there}")
    found = regret_lines(manifest, run.curves, run.users)
    draw_lines(right, found, style)
    own = ", on its own trajectory" if manifest.own_trajectory else ""
    band = "; band: 95 % over users" if manifest.users > 1 else ""
    name_panel(right, f"Cumulative regret per user{own}", f"round{band}")
    right.update_datalim([(1.0, 0.0)])
    if log:
        right.set_xscale("log")
        if any((line.y > 0).any() for line in found):
            right.set_yscale("log", nonpositive="mask")
    for axes in (left, right):
        finish(axes)
        label_ends(axes, _PANEL_HEIGHT)


def _title(figure: Figure, manifest: Manifest, x: float, top: float) -> None:
    title = figure.text(x, top, plain(manifest.name, 70), fontsize=14, fontweight="bold", color=INK)
    note = figure.text(x, top, size(manifest), fontsize=FONT + 0.5, color=FAINT)
    for text, above in ((title, 0.66), (note, 0.46)):
        text.set_parse_math(False)
        text.set_y(top + above / figure.get_figheight())
