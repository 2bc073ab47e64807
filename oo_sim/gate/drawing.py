"""The picture of a check: each policy's difference from its baseline along the curve, with its band and the margin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from oo_sim.figures.kit import BandLine, Sheet, band_panel
from oo_sim.figures.paper import WIDTHS, Panel, handle, lines_in, panels_figure
from oo_sim.figures.style import FAINT, FONT, Look
from oo_sim.gate.judge import Judgement
from oo_sim.results.series import Line
from oo_sim.show.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from oo_sim.gate.results import Case, Report

MOST_PANELS = 12
_COLUMNS, _WIDTH, _PANEL, _GAP, _EDGE, _TICKS = 2, 9.0, 2.0, 1.15, 0.3, 0.8
_HEAD = 1.05
_LOSS = "#D55E00"


def picture(report: Report) -> Figure:
    """A panel for each case that has statistics, gravest first; the others are counted in words."""
    order = [*report.alarming, *(case for case in report.cases if case not in report.alarming)]
    shown = [(case, case.judgement) for case in order if case.judgement is not None][:MOST_PANELS]
    rows = -(-len(shown) // _COLUMNS)
    sheet = Sheet(_WIDTH, _HEAD + rows * (_PANEL + _GAP) + (0.0 if rows else 0.2))
    sheet.text(_EDGE, _EDGE, "oo-sim gate", title=True)
    sheet.text(_EDGE, _EDGE + 0.32, report.summary)
    if shown:
        sheet.text(
            _EDGE,
            _EDGE + 0.52,
            "Now minus baseline, expected reward per decision up to each round; simultaneous band; dashed: the margin",
        )
    for place, (case, judgement) in enumerate(shown):
        _panel(sheet, place, case, judgement)
    return sheet.figure


def _panel(sheet: Sheet, place: int, case: Case, judgement: Judgement) -> None:
    row, column = divmod(place, _COLUMNS)
    width = (sheet.width - 2 * _EDGE) / _COLUMNS
    top = _HEAD + 0.25 + row * (_PANEL + _GAP)
    axes = sheet.axes(_EDGE + column * width + _TICKS, top, width - _TICKS - 0.15, _PANEL)
    title = plain(f"{case.name}: {case.verdict.value}", 52)
    band = judgement.band
    line = BandLine(title, np.array(judgement.marks, np.float64), band.estimate, band.lower, band.upper)
    band_panel(axes, line)
    axes.axhline(-judgement.margin, color=_LOSS, linewidth=1.2, linestyle=(0, (5, 3)))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel(f"round, logarithmic; {judgement.difference.n:,} users", fontsize=FONT, color=FAINT, labelpad=1)


def for_paper(report: Report, style: str) -> Figure:
    """The same at the width of a paper's columns. Raises `ValueError` for another style, and without statistics."""
    if style not in WIDTHS:
        raise ValueError(f"there is no style {style!r}; there are screen, {', '.join(WIDTHS)}")
    shown = [(case, case.judgement) for case in report.cases if case.judgement is not None]
    if not shown:
        raise ValueError("there is nothing to draw: no policy has statistics")
    look = Look("#0072B2", "-", "o", 1.6)

    def drawn(judgement: Judgement) -> Callable[[Axes], None]:
        band = judgement.band
        half = (np.asarray(band.upper) - np.asarray(band.lower)) / 2
        line = Line("now", np.array(judgement.marks, np.float64), np.asarray(band.estimate), half)

        def draw(axes: Axes) -> None:
            lines_in([line], {"now": look})(axes)
            axes.axhline(0.0, color="#222222", linewidth=0.6, linestyle=(0, (2, 2)))
            axes.axhline(-judgement.margin, color=_LOSS, linewidth=0.8, linestyle=(0, (5, 3)))

        return draw

    panels = [Panel(case.name, "round", drawn(judgement)) for case, judgement in shown]
    return panels_figure(panels, {"now minus baseline": handle(look)}, WIDTHS[style])
