"""The further figures: the numbers in them, and that no text is cut or touches another."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from results.made import BuildRun

import oo_sim
from oo_sim.cli.show import Kind
from oo_sim.figures import FIGURES
from oo_sim.figures.curves import loglog_figure
from oo_sim.figures.exploration import exploration_figure
from oo_sim.figures.people import people, users_figure
from oo_sim.figures.reactions import MIX, mixes, reactions_figure
from oo_sim.figures.segments import segments_figure
from oo_sim.figures.style import looks
from oo_sim.figures.theta import theta_figure
from oo_sim.logs import LoggedPolicy, RunLogError
from oo_sim.results import Run
from oo_sim.results.coefficients import learned
from oo_sim.results.segments import segment_results, segments
from oo_sim.results.series import exploration_lines
from oo_sim.studies import Comparison

SEVEN = ("linucb", "egreedy", "linucb:alpha=0.5,features=oo7x", "thompson", "greedy", "random", "oracle")
SEGMENTS = ("early birds", "night owls", "everybody else")


def texts(figure: Figure) -> list[Text]:
    """All text of a figure that is seen."""
    figure.canvas.draw()
    ends = [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]
    hidden = set()
    for axis in ends:
        low, high = sorted(axis.get_view_interval())
        beyond = [tick for tick in axis.get_major_ticks() if not low <= tick.get_loc() <= high]
        hidden |= {label for tick in beyond for label in (tick.label1, tick.label2)}
    found = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    return [text for text in found if text.get_text() and text.get_visible() and text not in hidden]


def assert_legible(figure: Figure) -> None:
    width, height = figure.get_size_inches() * figure.dpi
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts(figure)]
    for words, box in boxes:
        assert box.x0 >= -0.5, words
        assert box.y0 >= -0.5, words
        assert box.x1 <= width + 0.5, words
        assert box.y1 <= height + 0.5, words
    for (a, one), (b, other) in itertools.combinations(boxes, 2):
        assert not one.shrunk(0.9, 0.9).overlaps(other.shrunk(0.9, 0.9)), (a, b)


def test_no_text_is_cut_or_touches_another(build: BuildRun) -> None:
    run = build(SEVEN, users=9, rounds=500, segments=SEGMENTS, name="a-rather-long-name-of-a-scenario-that-goes-on")
    for draw in (loglog_figure, segments_figure, reactions_figure, users_figure):
        assert_legible(draw(run))


def test_the_names_of_guides_stand_beside_all_lines() -> None:
    """No point of a line lies under a guide's name; random runs along the steeper guide."""
    run = oo_sim.run("linear", policies=["linucb", "egreedy", "random", "oracle"], users=20, rounds=200)
    figure = loglog_figure(run)
    figure.canvas.draw()
    [axes] = figure.axes
    names = {text.get_text(): text.get_window_extent() for text in axes.texts if text.get_text() in ("t", "√t")}
    assert len(names) == 2
    for line in axes.get_lines():
        points = axes.transData.transform(np.array(line.get_xydata()))
        fine = np.linspace(0, len(points) - 1, 20_000)
        drawn = np.column_stack([np.interp(fine, np.arange(len(points)), points[:, k]) for k in (0, 1)])
        if line.get_transform() == axes.transData and str(line.get_label())[0] != "_":
            for box in names.values():
                assert not box.count_contains(drawn[np.isfinite(drawn).all(axis=1)])


def test_every_line_of_a_run_with_tip_banks_has_a_look_of_its_own() -> None:
    policies = [LoggedPolicy(f"{name}+{bank}", name) for bank in "abc" for name in ("linucb", "random", "oracle")]
    found = looks(policies)
    assert len(set(found.values())) == len(policies)
    assert looks([LoggedPolicy("random", "random")])["random"] == found["random+a"]


def test_segments_are_their_users_alone(build: BuildRun) -> None:
    run = build(users=5, rounds=10, segments=("a", "b"))
    found = {(row.segment, row.policy): row for row in segment_results(run)}
    assert segments(run) == ["a", "b"]
    assert found["a", "linucb"].expected_reward.estimate == pytest.approx(0.3 + (0.0 + 0.2 + 0.4) / 3)
    assert found["b", "linucb"].expected_reward.estimate == pytest.approx(0.3 + (0.1 + 0.3) / 2)
    assert found["b", "linucb"].regret_per_user.estimate == pytest.approx(2.0)
    assert (found["a", "oracle"].expected_reward.n, found["b", "oracle"].expected_reward.n) == (3, 2)


def test_segments_add_up_to_the_table(build: BuildRun) -> None:
    run = build(users=7, replicates=2, segments=SEGMENTS)
    for summary in run.rows:
        own = [row.expected_reward for row in segment_results(run) if row.policy == summary.policy]
        mean = sum(each.estimate * each.n for each in own) / 7
        assert mean == pytest.approx(summary.expected_reward.estimate)


def test_a_world_without_segments_or_reactions_says_so(build: BuildRun) -> None:
    with pytest.raises(RunLogError, match="has no results by segment"):
        segments_figure(build())
    with pytest.raises(RunLogError, match="has no reactions"):
        reactions_figure(build(has_reactions=False))


def test_shares_of_reactions_sum_to_one() -> None:
    run = oo_sim.run("tiny_sets", policies=["linucb", "random"], users=5, rounds=40)
    for mix in mixes(run):
        assert mix.shares.shape[0] == len(MIX)
        assert mix.shares.sum(axis=0) == pytest.approx(1.0)
        assert mix.x[-1] == 40
    total = run.curves[list(MIX)].sum().sum()
    assert total == run.curves["users"].sum()


def test_the_users_figure_shows_the_interval_of_the_table(build: BuildRun) -> None:
    run = build(users=6, replicates=2)
    for each, row in zip(people(run), run.rows, strict=True):
        assert each.label == row.policy
        assert each.mean == pytest.approx(row.expected_reward)


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with events."""
    out = tmp_path_factory.mktemp("events") / "run"
    policies = ["egreedy:epsilon=0.3", "linucb", "random"]
    return oo_sim.run("quickstart", policies=policies, users=60, rounds=40, events=True, out=out, plot=False)


def test_exploration_is_what_the_policy_promises(logged: Run) -> None:
    lines = {line.label: line for line in exploration_lines(logged)}
    assert list(lines) == ["egreedy:epsilon=0.3", "random"]
    assert lines["random"].y == pytest.approx(1.0)
    # 2400 decisions of probability 0.3: 5 standard errors are 0.047, left by chance less than once in a million seeds.
    frame = logged.decisions(["policy", "explored"]).dropna()
    share = frame[frame["policy"] == "egreedy:epsilon=0.3"]["explored"].mean()
    assert float(share) == pytest.approx(0.3, abs=0.047)
    assert np.isfinite(lines["egreedy:epsilon=0.3"].half).all()
    assert_legible(exploration_figure(logged))


def test_exploration_wants_events(build: BuildRun, tmp_path: Path) -> None:
    with pytest.raises(RunLogError, match="without events"):
        exploration_figure(build())
    run = oo_sim.run("tiny_sets", policies=["linucb"], users=4, rounds=3, events=True, out=tmp_path / "r", plot=False)
    with pytest.raises(RunLogError, match="no policy in it explores"):
        exploration_figure(run)


def test_learned_coefficients_are_those_of_a_direct_regression(tmp_path: Path) -> None:
    run = oo_sim.run("linear", policies=["linucb", "random"], users=3, rounds=60, events=True, out=tmp_path / "r")
    [found], exact = learned(run)
    frame = run.learnings()
    own = frame[(frame["policy"] == "linucb") & (frame["user_id"] == "user-1")]
    x, y = np.stack(list(own["x"])), own["reward"].to_numpy(float)
    assert found.learned[1] == pytest.approx(np.linalg.solve(x.T @ x + np.eye(5), x.T @ y))
    assert exact
    # theta has norm 1 in that world, and the log's expected rewards are linear in it without noise.
    assert np.linalg.norm(found.truth, axis=1) == pytest.approx(1.0)
    assert_legible(theta_figure(run))


def test_every_kind_of_plot_has_its_figure() -> None:
    assert {*FIGURES} | {"curves", *Comparison.kinds} == {kind.value for kind in Kind}
