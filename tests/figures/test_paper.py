"""Figures for a paper: as wide as a column, in type of 7 points, nothing cut or touching, all policies in one key."""

from __future__ import annotations

import itertools

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from results.made import BuildRun

import oo_sim
from oo_sim.figures import png
from oo_sim.figures.paper import WIDTHS, curves_for_paper
from oo_sim.results.result import Result

from .painted import assert_painted

FIVE = ("linucb", "egreedy", "linucb:alpha=0.5,features=oo7x", "random", "oracle")


def check(figure: Figure, width: float) -> None:
    assert figure.get_figwidth() == width
    assert_painted(png(figure), figure)
    shown = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    pixels_wide, pixels_high = figure.get_size_inches() * figure.dpi
    unused = {text for axes in figure.axes for text in _undrawn(axes)}
    drawn = [text for text in shown if text not in unused]
    assert min(float(text.get_fontsize()) for text in drawn) >= 6.5
    boxes = [text.get_window_extent() for text in drawn]
    assert all(b.x0 >= -1 and b.y0 >= -1 and b.x1 <= pixels_wide + 1 and b.y1 <= pixels_high + 1 for b in boxes)
    assert not [(a, b) for a, b in itertools.combinations(boxes, 2) if a.overlaps(b)]


def _undrawn(axes: Axes) -> list[Text]:
    """Tick labels beyond the ends of an axis: matplotlib makes, but does not draw them."""
    sides = ((axes.xaxis, axes.get_xlim(), 0), (axes.yaxis, axes.get_ylim(), 1))
    return [
        text
        for axis, ends, place in sides
        for text in axis.get_ticklabels(which="both")
        if not min(ends) <= text.get_position()[place] <= max(ends)
    ]


@pytest.mark.parametrize("style", WIDTHS)
@pytest.mark.parametrize("kind", ["curves", "loglog", "segments"])
def test_one_run(build: BuildRun, kind: str, style: str) -> None:
    run = build(FIVE, users=8, rounds=500, segments=["planners", "grazers", "larks", "owls"])
    check(run.figure(kind, style=style), WIDTHS[style])


def test_two_runs_are_two_by_two_at_one_column(build: BuildRun) -> None:
    figure = curves_for_paper([build(FIVE, rounds=500), build(FIVE, rounds=500, name="other")], "curves", 3.3)
    assert len(figure.axes) == 4
    check(figure, 3.3)
    [key] = figure.legends
    assert {text.get_text() for text in key.get_texts()} == set(FIVE)


@pytest.mark.parametrize("style", WIDTHS)
def test_a_comparison(style: str) -> None:
    found = oo_sim.compare("quickstart", policies=["random", "linucb:alpha=0.5", "egreedy"], users=20, rounds=20)
    check(found.figure(style=style), WIDTHS[style])


def test_what_there_is_not_is_refused(build: BuildRun) -> None:
    run: Result = build()
    with pytest.raises(
        ValueError, match="users has no figure for a paper; curves, loglog, segments and difference have"
    ):
        run.figure("users", style="paper")
    with pytest.raises(ValueError, match="there is no style 'poster'; there are screen, paper, paper2"):
        run.figure(style="poster")
