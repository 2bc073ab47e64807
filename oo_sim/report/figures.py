"""The picture of a run: what each policy earns as it learns, and what it has regretted so far."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FuncFormatter, MaxNLocator

from oo_sim.report.series import Line, regret_lines, reward_lines
from oo_sim.report.style import FAINT, FONT, GRID, INK, Look, label_ends, looks
from oo_sim.report.summary import size
from oo_sim.report.text import plain
from oo_sim.runlog import RunLogError

if TYPE_CHECKING:
    import pandas as pd

DPI = 150
_PANEL_WIDTH, _PANEL_HEIGHT = 4.4, 3.9  # inches, as all below
_TOP, _BOTTOM = 1.0, 0.6  # above and below a panel
_AXIS, _GAP = 0.75, 0.4  # for a panel's tick labels, and around the names of its lines
_NAME = 34  # characters of a policy's name that are shown


class Results(Protocol):
    """What a figure needs of a run."""

    @property
    def manifest(self) -> Mapping[str, Any]: ...
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


def png(figure: Figure) -> bytes:
    """The figure as PNG, the same bytes for the same figure."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes, which is no reason to warn or fail.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def save_png(figure: Figure, path: Path) -> None:
    """Write the figure as PNG, whole or not at all. Raises `RunLogError` when it cannot be written."""
    image = png(figure)
    partial = path.with_name(f".{path.name}.oo-sim-partial")
    try:
        partial.write_bytes(image)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise RunLogError(path, f"cannot be written: {error.strerror}") from error


def _names_width(runs: Sequence[Results]) -> float:
    """The width in inches of the longest name of a line, so that no name is cut."""
    names = [plain(policy["label"], _NAME) for run in runs for policy in run.manifest["policies"]]
    font = FontProperties(size=FONT)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        points = [text_to_path.get_text_width_height_descent(name, font, False)[0] for name in names]
    return max(points, default=0.0) / 72


def _draw_run(figure: Figure, run: Results, *, bottom: float, log: bool) -> None:
    manifest = run.manifest
    width, height = figure.get_size_inches()
    box = (_PANEL_WIDTH / width, _PANEL_HEIGHT / height)
    left, right = (figure.add_axes((x / width, bottom / height, *box)) for x in (_AXIS, _AXIS + width / 2))
    _title(figure, manifest, _AXIS / width, (bottom + _PANEL_HEIGHT) / height)
    style = looks(manifest["policies"])
    _panel(left, reward_lines(manifest, run.curves), style)
    left.set_xscale("log")
    _name(left, "Expected reward per decision", "round, logarithmic")
    _panel(right, regret_lines(manifest, run.curves, run.users), style)
    own = ", on its own trajectory" if manifest["own_trajectory"] else ""
    band = "; band: 95 % over users" if manifest["users"] > 1 else ""
    _name(right, f"Cumulative regret per user{own}", f"round{band}")
    right.update_datalim([(1.0, 0.0)])
    if log:
        right.set_xscale("log")
        right.set_yscale("log", nonpositive="mask")
    for axes in (left, right):
        _finish(axes)
        label_ends(axes, _PANEL_HEIGHT)


def _title(figure: Figure, manifest: Mapping[str, Any], x: float, top: float) -> None:
    title = figure.text(x, top, plain(manifest["name"], 70), fontsize=14, fontweight="bold", color=INK)
    note = figure.text(x, top, size(manifest), fontsize=FONT + 0.5, color=FAINT)
    for text, above in ((title, 0.66), (note, 0.46)):
        text.set_parse_math(False)
        text.set_y(top + above / figure.get_figheight())


def _name(axes: Axes, title: str, x: str) -> None:
    axes.set_title(title, loc="left", fontsize=FONT + 1.5, color=INK, pad=7)
    axes.set_xlabel(x, fontsize=FONT, color=FAINT)


def _panel(axes: Axes, lines: Sequence[Line], style: Mapping[str, Look]) -> None:
    for line in lines:
        look = style[line.label]
        axes.plot(
            line.x,
            line.y,
            color=look.color,
            linestyle=look.dashes,
            linewidth=look.width,
            marker=look.marker,
            markevery=_marks(len(line.x)),
            markersize=4.5,
            label=plain(line.label, _NAME),
        )
        axes.fill_between(line.x, line.y - line.half, line.y + line.half, color=look.color, alpha=0.16, linewidth=0)


def _marks(points: int) -> list[int]:
    """Up to eight places of a line's points for its markers, evenly spread, the last point among them."""
    return sorted({int(i) for i in np.linspace(points - 1, 0, min(9, points))[:-1]} | {points - 1})


def _finish(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", labelsize=FONT, labelcolor=INK, color=FAINT)
    if axes.get_xscale() == "linear":
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(_round_number))
    if axes.get_yscale() == "log":
        axes.yaxis.set_major_formatter(FuncFormatter(_round_number))
    axes.minorticks_off()
    axes.margins(x=0.01)


def _round_number(value: float, _position: int | None = None) -> str:
    for unit, letter in ((1e6, "M"), (1e4, "k")):
        if abs(value) >= unit:
            return f"{value / (1e3 if letter == 'k' else unit):g}{letter}"
    return f"{value:g}"
