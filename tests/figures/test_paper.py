"""Figures for a paper: as wide as a column, in type of 7 points, nothing cut or touching, all policies in one key."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from results.made import BuildRun

import oo_sim
from oo_sim.figures.paper import WIDTHS
from oo_sim.figures.paper_kinds import curves_for_paper
from oo_sim.results.result import Result

from .painted import assert_drawn, undrawn

FIVE = ("linucb", "egreedy", "linucb:alpha=0.5,features=oo7x", "random", "oracle")


def check(figure: Figure, width: float) -> None:
    assert figure.get_figwidth() == width
    assert_drawn(figure)
    shown = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    pixels_wide, pixels_high = figure.get_size_inches() * figure.dpi
    unused = {text for axes in figure.axes for text in undrawn(axes)}
    drawn = [text for text in shown if text not in unused]
    assert min(float(text.get_fontsize()) for text in drawn) >= 6.5
    boxes = [text.get_window_extent() for text in drawn]
    assert all(b.x0 >= -1 and b.y0 >= -1 and b.x1 <= pixels_wide + 1 and b.y1 <= pixels_high + 1 for b in boxes)
    assert not [(a, b) for a, b in itertools.combinations(boxes, 2) if a.overlaps(b)]


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


def test_many_panels_stand_four_abreast_where_the_page_has_two_columns(build: BuildRun) -> None:
    run = build(FIVE, users=8, rounds=50)
    narrow, wide = (run.figure("reactions", style=style) for style in WIDTHS)
    check(wide, WIDTHS["paper2"])
    assert wide.get_figheight() < narrow.get_figheight()


@pytest.mark.parametrize("style", WIDTHS)
def test_a_comparison(style: str) -> None:
    found = oo_sim.compare("quickstart", policies=["random", "linucb:alpha=0.5", "egreedy"], users=20, rounds=20)
    check(found.figure(style=style), WIDTHS[style])


SMALL: dict[str, Any] = {"users": 40, "rounds": 25}
POLICIES = ["egreedy:epsilon=0.2", "linucb", "random"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    """A result of each kind, as `tests/results/test_uniform.py` has them."""
    at = tmp_path_factory.mktemp("paper")
    run = oo_sim.run("quickstart", policies=POLICIES, events=True, out=at / "log", plot=False, **SMALL)
    logged: dict[str, Any] = {"logged": POLICIES[0]}
    sizes: dict[str, Any] = {"users": 9, "rounds": 9}
    patterns = ["linucb:alpha=[0.1,0.3,1,3]", "egreedy:epsilon=[0.1,0.2],schedule=[harmonic,exponential]", "random"]
    return {
        "run": run,
        "comparison": oo_sim.compare(run),
        "sweep": oo_sim.sweep("quickstart", policies=patterns, **sizes),
        "evaluation": oo_sim.evaluate(at / "log", policies=["softmax"], **logged),
        "fit": oo_sim.fit(at / "log", segments=1, starts=1, terms="is_overdue,priority", **logged),
        "audit": oo_sim.audit_log(at / "log"),
        "tips": oo_sim.generate("llm_tips", users=3, rounds=3, out=at / "tips.parquet"),
    }


KINDS = {
    "run": ("exploration", "reactions", "users", "theta"),
    "comparison": ("difference", "matrix"),
    "sweep": ("parameter",),
    "evaluation": ("evaluation",),
    "fit": ("coefficients", "calibration", "again"),
    "audit": ("checks",),
    "tips": ("shares",),
}


@pytest.mark.parametrize(("result", "kind"), [(result, kind) for result in KINDS for kind in KINDS[result]])
def test_every_kind_of_figure_reads_at_one_column(result: str, kind: str, made: dict[str, Result]) -> None:
    assert set(made[result].kinds) <= {*KINDS[result], "curves", "loglog", "segments"}
    check(made[result].figure(kind, style="paper"), WIDTHS["paper"])


def test_what_there_is_not_is_refused(build: BuildRun) -> None:
    run: Result = build()
    with pytest.raises(ValueError, match="there is no style 'poster'; there are screen, paper, paper2"):
        run.figure(style="poster")
