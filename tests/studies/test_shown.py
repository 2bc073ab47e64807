"""What is shown: every number is there, text is harmless, and nothing in a figure touches or is cut."""

from __future__ import annotations

import functools
import itertools
import json

import numpy as np
import pytest
from figures.painted import assert_drawn, undrawn
from matplotlib.figure import Figure
from matplotlib.text import Text
from rich.console import Console

from oo_sim.figures import png
from oo_sim.results import summary
from oo_sim.show import p_value, plus_minus, signed
from oo_sim.stats import Interval
from oo_sim.studies import Comparison, ComparisonError, compare_outcomes, gather, look

from .runs import made

RNG = np.random.default_rng(11)
NASTY = "x<script>[bold red]$a$\x1b[2J"


def values(count: int, users: int = 12) -> dict[str, list[float]]:
    names = ["linucb", "linucb:alpha=0.5,features=oo7x,prior=0.01", NASTY, "random", "oracle", "d", "e"]
    return {name: (0.1 * i + RNG.normal(0, 0.1, users)).tolist() for i, name in enumerate(names[:count])}


def comparison(count: int = 5, scenarios: int = 1, **facts: object) -> Comparison:
    runs = [made(values(count), name=f"toy{i}" if i else "toy", **facts) for i in range(scenarios)]  # type: ignore[arg-type]
    return compare_outcomes(gather(runs), "expected", policies=list(values(min(count, 3))))


@functools.cache
def two_scenarios() -> Comparison:
    """Three policies in two scenarios; costs a second."""
    return comparison(5, scenarios=2)


def text_of(found: Comparison) -> str:
    console = Console(width=120, file=None, force_terminal=False)
    with console.capture() as text:
        console.print(found.table())
    return text.get()


def test_numbers_in_words() -> None:
    assert plus_minus(Interval(-0.01234, -0.02, -0.004, 9), sign=True) == "\N{MINUS SIGN}0.0123 ± 0.0080"
    assert plus_minus(Interval(0.5, float("nan"), float("nan"), 1), sign=True) == "+0.5000 ± -"
    assert [signed(0.0), signed(-0.00001), signed(2.0, 1)] == ["0.0000", "0.0000", "+2.0"]
    assert [p_value(1e-9), p_value(0.04), p_value(float("nan"))] == ["<0.0001", "0.0400", "-"]


def test_the_table_says_what_is_estimated_and_what_pairing_did() -> None:
    text = " ".join(text_of(comparison(2)).split())
    assert "toy: expected reward per decision, 12 users, 10 rounds" in text
    assert "Estimand (toy): the mean over users of candidate minus baseline in true expected reward" in text
    assert "never over rounds" in text
    assert "of the variance that two separate groups of users would give" in text


def test_the_estimand_names_what_it_averages_over() -> None:
    values = {"a": [[0.1, 0.2], [0.3, 0.4]], "b": [[0.2, 0.2], [0.1, 0.1]]}
    runs = [made(values), made(values, name="other"), made(values, name="own", own_trajectory=True)]
    found = compare_outcomes(gather(runs), "expected").notes
    mean = "the mean over users of candidate minus baseline in true expected reward per decision, averaged over"
    assert found[0] == f"Estimand (toy, other): {mean} rounds 1 to 10 and 2 replicates."
    assert found[1] == f"Estimand (own): {mean} rounds 1 to 10 and 2 replicates, each policy on its own trajectory."


def test_text_from_files_is_harmless() -> None:
    found = comparison(5, failures={NASTY + "2": NASTY})
    text, page = text_of(found), found._repr_html_()
    assert "\x1b" not in text + page + repr(found)
    assert "[bold red]" in text
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_the_frame_has_a_row_per_pair_and_scenario() -> None:
    found = two_scenarios()
    frame = found.frame()
    assert len(frame) == len(found.pairs) == 6
    assert {"scenario", "difference_lower", "holm", "gain_upper", "improvement", "variance_kept"} <= set(frame.columns)
    assert frame["difference"].tolist() == [pair.difference.estimate for pair in found.pairs]
    frame.loc[0, "difference"] = 99.0
    assert found.frame().loc[0, "difference"] != 99.0


def test_plain_data_is_json_whatever_there_is() -> None:
    one_user = compare_outcomes(gather([made({"a": [0.1], "b": [0.1]})]), "expected")
    for found in (two_scenarios(), one_user):
        data = json.loads(json.dumps(found.as_dict(), allow_nan=False))
        assert len(data["pairs"]) == len(found.pairs)
        assert data["pairs"][0]["difference"]["estimate"] == found.pairs[0].difference.estimate
    full = two_scenarios().as_dict()
    assert full["pairs"][0]["band"]["rounds"] == [1.0, 2.0, 5.0, 10.0]
    assert len(full["across"]["differences"]) == 3


@pytest.mark.e2e
def test_nothing_touches_or_is_cut() -> None:
    check(two_scenarios().figure())
    check(two_scenarios().figure("matrix"))
    check(compare_outcomes(gather([made(values(2, users=1))]), "expected").figure())


def test_looks_are_drawn_too() -> None:
    found = compare_outcomes(gather([made(values(3))]), "expected", seed=None)
    seen = [look(found.pairs, [12])._replace(users=n) for n in (12, 24)]
    check(found.stopped(seen, "").figure())


@pytest.mark.parametrize("policies", [2, 3, 4])
def test_panels_of_curves_take_the_whole_width(policies: int) -> None:
    figure = compare_outcomes(gather([made(values(policies))]), "expected").figure()
    assert max(axes.get_position().x1 for axes in figure.axes[1:]) > 0.9
    assert any("scales differ" in text.get_text() for text in figure.texts) == (policies > 2)
    assert ("all pairs at once" in figure.axes[0].get_xlabel()) == (policies > 2)


def test_one_round_has_no_curve() -> None:
    """With `--checkpoints last`, it would be the interval above again."""
    found = compare_outcomes(gather([made(values(3), rounds=1)]), "expected")
    assert len(found.figure().axes) == 1


def check(figure: Figure) -> None:
    assert_drawn(figure)
    unused = {text for axes in figure.axes for text in undrawn(axes)}
    shown = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    boxes = [text.get_window_extent() for text in shown if text not in unused]
    width, height = figure.get_size_inches() * figure.dpi
    assert all(b.x0 >= 0 and b.y0 >= 0 and b.x1 <= width and b.y1 <= height for b in boxes)
    assert not [(a, b) for a, b in itertools.combinations(boxes, 2) if a.overlaps(b)]


def test_without_pairs_there_is_no_figure() -> None:
    found = compare_outcomes(gather([made({"a": [0.1, 0.2]}, failures={"b": "broke"})]), "expected")
    assert found.pairs == ()
    assert "toy: b failed: broke" in text_of(found)
    assert "img" not in found._repr_html_()
    with pytest.raises(ComparisonError, match="nothing to draw"):
        found.figure()


def test_the_same_comparison_is_the_same_picture() -> None:
    [one, two] = [compare_outcomes(gather([made({"a": [0.1, 0.5], "b": [0.3, 0.2]})]), "expected") for _ in "ab"]
    assert png(one.figure()) == png(two.figure())


@pytest.mark.parametrize(("world", "leave"), [({"churn": {"hazard": 0.1}}, True), ({"arrivals": {"over": 9}}, False)])
def test_who_leaves_stops_counting(world: dict[str, object], leave: bool) -> None:
    found = comparison(2, scenario={"world": {"kind": "tips", **world}})
    assert ("drives them away" in text_of(found)) is leave
    [outcomes] = found.scenarios
    assert any("look at who stayed" in each for each in summary.notes(outcomes.manifest)) is leave
