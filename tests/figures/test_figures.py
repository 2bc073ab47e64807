"""Figures: the numbers behind the lines, labels neither touching nor cut, looks that can be told apart."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.text import Text
from results.made import BuildRun

from oo_sim.figures import curves_figure, png
from oo_sim.figures.style import looks, spread
from oo_sim.logs import LoggedPolicy
from oo_sim.results.series import blocks, regret_lines, reward_lines
from oo_sim.stats import mean_interval

from .painted import assert_drawn

SEVEN = ("linucb", "egreedy", "linucb:alpha=0.5,features=oo7x", "thompson", "greedy", "random", "oracle")


def names(axes: Axes) -> list[Text]:
    """The labels at the line ends."""
    return [text for text in axes.texts if text.get_text()]


@given(st.integers(1, 1_000_000))
def test_blocks_cover_all_rounds_and_grow(rounds: int) -> None:
    starts = blocks(rounds)
    widths = np.diff([*starts, rounds])
    assert starts[0] == 0
    assert widths[0] == 1
    assert (widths > 0).all()
    assert len(starts) <= 40


def test_reward_is_averaged_and_regret_summed(build: BuildRun) -> None:
    run = build(rounds=100, replicates=2)
    reward = {line.label: line for line in reward_lines(run.manifest, run.curves, run.users)}
    regret = {line.label: line for line in regret_lines(run.manifest, run.curves, run.users)}
    assert reward["linucb"].y == pytest.approx(0.5)
    assert regret["linucb"].y == pytest.approx(0.2 * regret["linucb"].x)
    assert regret["oracle"].y == pytest.approx(0)
    assert regret["linucb"].x[[0, -1]].tolist() == [1, 100]


def test_the_band_is_the_interval_of_the_table(build: BuildRun) -> None:
    run = build(rounds=20)
    run.users["regret"] *= 1 + run.users["user_id"].str[-1].astype(float)
    line = regret_lines(run.manifest, run.curves, run.users)[0]
    assert line.half[-1] == pytest.approx(run.rows[0].regret_per_user.width / 2)
    assert np.isnan(regret_lines(build(users=1).manifest, build(users=1).curves, build(users=1).users)[0].half).all()


@pytest.mark.parametrize("replicates", [1, 2])
def test_bands_do_not_depend_on_the_order_of_rows(build: BuildRun, replicates: int) -> None:
    run = build(rounds=20, replicates=replicates)
    run.users["regret"] *= 1 + run.users["user_id"].str[-1].astype(float)
    run.users.loc[run.users["user_id"] == "user-3", "decisions"] = 0  # who never came
    as_written = run.users.sort_values(["policy", "replicate", "user_id", "round"], kind="stable")
    for lines in (reward_lines, regret_lines):
        pairs = zip(
            lines(run.manifest, run.curves, run.users), lines(run.manifest, run.curves, as_written), strict=True
        )
        for one, other in pairs:
            assert np.isfinite(one.half).all()
            assert one.half == pytest.approx(other.half)
            assert one.y == pytest.approx(other.y)


def test_a_large_users_table_is_not_read_for_lines(build: BuildRun, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = {"n": 4, "sums": [0, 0, 0], "squares": [0, 0, 0]}
    run = build(["linucb"], rounds=20, moments={"linucb": moments})
    monkeypatch.delattr(type(run), "users")
    for kind in ("curves", "loglog"):
        for style in ("screen", "paper"):
            figure = run.figure(kind, style=style)
            assert not any("band" in text.get_text() for text in figure.findobj(Text))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0.001, 0.2))
def test_spread_labels_keep_distance_order_and_bounds(wanted: list[float], gap: float) -> None:
    values = np.array(wanted)
    placed = spread(values, gap, 0.0, 1.0)
    fits = min(gap, 1 / max(len(values) - 1, 1))
    order = np.argsort(values, kind="stable")
    assert (np.diff(placed[order]) >= fits - 1e-9).all()
    assert placed.min() >= -1e-9
    assert placed.max() <= 1 + 1e-9


def test_spread_moves_nothing_that_has_room() -> None:
    assert spread(np.array([0.9, 0.1, 0.5]), 0.1, 0.0, 1.0) == pytest.approx([0.9, 0.1, 0.5])


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(("users", "rounds"), [(1, 1), (1, 3), (4, 500)])
def test_labels_do_not_touch_and_are_not_cut(build: BuildRun, users: int, rounds: int, log: bool) -> None:
    figure = build(SEVEN, users=users, rounds=rounds).figure(log=log)
    assert_drawn(figure)
    for axes in figure.axes:
        boxes = [text.get_window_extent() for text in names(axes)]
        assert len(boxes) == len(SEVEN)
        assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
        assert all(inside(figure, text) for text in [*names(axes), axes.title, axes.xaxis.label])
    left, right = figure.axes
    tick_labels = [label.get_window_extent().x0 for label in right.get_yticklabels() if label.get_text()]
    assert max(text.get_window_extent().x1 for text in names(left)) < min(tick_labels)


def inside(figure: Figure, text: Text) -> bool:
    box = text.get_window_extent()
    width, height = figure.get_size_inches() * figure.dpi
    return bool(box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height)


def test_the_title_names_scenario_and_size(build: BuildRun) -> None:
    figure = curves_figure([build(replicates=2), build(name="other", own_trajectory=True)])
    texts = [text.get_text() for text in figure.texts]
    assert texts == ["toy", "4 users, 10 rounds, 2 replicates", "other", "4 users, 10 rounds"]
    assert "own trajectory" in figure.axes[3].get_title(loc="left")
    assert "own trajectory" not in figure.axes[1].get_title(loc="left")


def test_a_policy_looks_the_same_in_all_runs_of_a_figure(build: BuildRun) -> None:
    figure = curves_figure([build(("linucb", "egreedy")), build(("egreedy", "softmax", "linucb"))])
    colors = [{text.get_text(): text.get_color() for text in names(axes)} for axes in figure.axes]
    for at in (0, 1):
        assert all(colors[2 + at][name] == color for name, color in colors[at].items())
        assert len(set(colors[2 + at].values())) == 3


def test_names_are_no_mathematics_and_missing_glyphs_no_failure(build: BuildRun) -> None:
    figure = build(("a$b$c", "$\\frac{", "多"), name="$x$").figure()
    assert_drawn(figure)
    assert {text.get_text() for text in names(figure.axes[0])} == {"a$b$c", "$\\frac{", "多"}


def test_looks_differ_without_colour_and_do_not_depend_on_others(build: BuildRun) -> None:
    chosen = looks(build(SEVEN).manifest.policies)
    grey = {(look.dashes, look.marker) for look in chosen.values()}
    assert len(grey) == len(SEVEN)
    without_baselines = looks(build(SEVEN[:5]).manifest.policies)
    assert without_baselines == {label: chosen[label] for label in SEVEN[:5]}
    assert looks(build(("random", "oracle", *SEVEN[:5])).manifest.policies) == chosen


def test_twelve_policies_look_different_with_colour_and_without() -> None:
    chosen = list(looks([LoggedPolicy(f"p{i}", "linucb") for i in range(12)]).values())
    assert len({(look.dashes, look.marker) for look in chosen}) == 12
    assert len({look.marker for look in chosen}) == 12
    assert len({(look.color, look.dashes) for look in chosen}) == 12


def test_random_leaves_the_regret_panel_to_those_who_learn(build: BuildRun) -> None:
    """Levels: random regrets 0.5 a round, egreedy 0.3, linucb 0.2; better learners would take a tenth of the axis."""
    run = build(("linucb", "random", "oracle"), rounds=100)
    right = run.figure().axes[1]
    assert right.get_ylim()[1] == pytest.approx(1.1 * 20)
    assert "random: 50" in {text.get_text() for text in names(right)}
    alone = build(("random", "oracle"), rounds=100).figure().axes[1]
    assert alone.get_ylim()[1] > 50
    near = build(("egreedy", "random"), rounds=100)
    near.curves.loc[near.curves["policy"] == "random", "regret"] *= 0.9  # 45 against 30: near enough to stay
    assert near.figure().axes[1].get_ylim()[1] > 45


def test_the_left_panel_has_the_band_of_what_users_earned_between_checkpoints(build: BuildRun) -> None:
    run = build(rounds=20)
    line = reward_lines(run.manifest, run.curves, run.users)[0]
    each = mean_interval([0.3, 0.4, 0.5, 0.6])  # each user earns the same in every round
    assert line.half == pytest.approx(each.width / 2)


@pytest.mark.parametrize("style", ["screen", "paper"])
@pytest.mark.parametrize(
    ("marks", "users", "said"),
    [
        ((1, 2, 5, 20), 4, {"curves": ["band", "band"], "loglog": ["band"], "segments": ["band"]}),
        ((5, 20), 4, {"curves": ["band", "band"], "loglog": ["band"], "segments": ["band"]}),
        ((20,), 4, {"curves": ["", "bar"], "loglog": ["bar"], "segments": ["bar"]}),
        ((1, 2, 5, 20), 1, {"curves": ["", ""], "loglog": [""], "segments": [""]}),
    ],
)
def test_what_is_said_of_bands_is_what_is_drawn(
    build: BuildRun, marks: tuple[int, ...], users: int, said: dict[str, list[str]], style: str
) -> None:
    run = build(rounds=20, users=users, segments=("a",), marks=marks)
    for kind, words in said.items():
        figure = run.figure(kind, style=style)
        assert_drawn(figure)
        for axes, word in zip(figure.axes, words, strict=True):
            bands, bars = (
                [each for each in axes.findobj(of) if np.isfinite(each.get_datalim(axes.transData).x0)]
                for of in (PolyCollection, LineCollection)
            )
            assert (bool(bands), bool(bars)) == (word == "band", word == "bar")
            text = axes.get_xlabel() + figure.texts[-1].get_text() if style == "screen" else word
            assert [each for each in ("band", "bar") if each in text] == [word] * bool(word)


def test_there_is_no_band_before_the_first_checkpoint(build: BuildRun) -> None:
    run = build(rounds=20, marks=(5, 20))
    for line in regret_lines(run.manifest, run.curves, run.users):
        assert np.isfinite(line.half).tolist() == (line.x >= 5).tolist()
    for line in reward_lines(run.manifest, run.curves, run.users):
        assert np.isfinite(line.half).tolist() == (line.x >= 3).tolist()  # the middle of rounds 1 to 5


def test_a_run_without_results_is_an_empty_figure(build: BuildRun) -> None:
    figure = build(("linucb",), missing=["linucb"]).figure()
    assert_drawn(figure)
    assert [len(axes.get_lines()) for axes in figure.axes] == [0, 0]


def test_no_run_is_refused() -> None:
    with pytest.raises(ValueError, match="no run to plot"):
        curves_figure([])


def test_the_same_run_is_the_same_picture(build: BuildRun) -> None:
    assert png(build().figure()) == png(build().figure())
