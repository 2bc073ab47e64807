"""Each warning appears where it should, at its place in the file, and only there."""

from __future__ import annotations

from itertools import pairwise

import pytest
import yaml

from oo_sim.scenario import Scenario, lint, load, loads, shipped
from oo_sim.scenario.reach import reaction_probabilities

TOP = "version: 1\nname: base\nusers: 10\nrounds: 20\npolicies: [linucb, 'linucb:features=oo7x']\n"
TASKS = "  tasks: {count: 3}\n"
LIKES = "{priority: 1}"


def tips(rest: str = TASKS, preferences: str = LIKES, top: str = TOP) -> Scenario:
    head = f"world:\n  kind: tips\n  segments:\n    - name: all\n      preferences: {preferences}\n"
    return loads(f"{top}{head}{rest}")


def warned(scenario: Scenario) -> list[tuple[tuple[int, int], str, str]]:
    return [(problem.position, problem.where, problem.message) for problem in lint(scenario)]


def only(scenario: Scenario) -> tuple[tuple[int, int], str, str]:
    found = warned(scenario)
    assert len(found) == 1, found
    return found[0]


def test_nothing_to_say() -> None:
    assert warned(tips()) == []


@pytest.mark.parametrize("preferences", ["{}", "{intercept: 3}", "{priority: 0, intercept: {mean: 0, sd: 1}}"])
def test_preferences_that_tell_no_candidates_apart(preferences: str) -> None:
    position, path, message = only(tips(preferences=preferences))
    assert (position, path) == ((10, 7), "world.segments[0].preferences")
    assert "no policy beats random" in message


@pytest.mark.parametrize("term", ["hour_sin", "hour_cos", "dow_sin", "dow_cos"])
@pytest.mark.parametrize("coefficient", ["0.5", "{mean: 0, sd: 1}"])
def test_shared_terms_that_look_meant(term: str, coefficient: str) -> None:
    position, path, message = only(tips(preferences=f"{{priority: 1, {term}: {coefficient}}}"))
    assert (position, path) == ((10, 34), f"world.segments[0].preferences.{term}")
    assert f"{term}*priority" in message


def test_an_intercept_beside_other_terms_is_fine() -> None:
    assert warned(tips(preferences="{intercept: -1, priority: 1, dow_sin: 0}")) == []


@pytest.mark.parametrize(
    ("rest", "term", "words"),
    [
        ("  tasks: {count: 3}\n", "is_llm", "no tips"),
        ("  tasks: {count: 3}\n", "hour_sin*is_llm", "no tips"),
        ("  tasks: {count: 0}\n  tips: {count: 3}\n", "is_llm", "only tips"),
        ("  tasks: {count: 3, due_in_days: {uniform: [0, 9]}}\n", "is_overdue", "can be overdue"),
        ("  tasks: {count: 3, due_in_days: {weights: {0: 1, -1: 0}}}\n", "task_age", "can be overdue"),
        ("  tasks: {count: 3, due_in_days: {normal: {mean: 1, sd: 0}}}\n", "task_age", "can be overdue"),
        ("  tasks: {count: 3, no_due_date: 1}\n", "dow_cos*is_overdue", "can be overdue"),
        ("  tasks: {count: 3, priority: {2: 1}}\n", "priority", "same priority"),
        ("  tasks: {count: 3, priority: {1: 1}}\n  tips: {count: 1}\n", "hour_cos*priority", "same priority"),
    ],
)
def test_terms_that_are_constant_in_this_world(rest: str, term: str, words: str) -> None:
    found = {path: message for _, path, message in warned(tips(rest, f"{{{term}: 1}}"))}
    assert words in found[f"world.segments[0].preferences.{term}"]


@pytest.mark.parametrize(
    ("rest", "term"),
    [
        ("  tasks: {count: 3, mode: backlog, due_in_days: {uniform: [0, 9]}}\n", "is_overdue"),
        ("  tasks: {count: 3, due_in_days: {normal: {mean: 9, sd: 1}}}\n", "is_overdue"),
        ("  tasks: {count: 3, due_in_days: {weights: {0: 1, -1: 1}}}\n", "task_age"),
        ("  tasks: {count: 3, priority: {2: 1}}\n  tips: {count: 1}\n", "priority"),
        ("  tasks: {count: 3}\n  tips: {count: {min: 0, max: 1}}\n", "is_llm"),
    ],
)
def test_terms_that_may_vary(rest: str, term: str) -> None:
    assert warned(tips(rest, f"{{{term}: 1}}")) == []


@pytest.mark.parametrize(
    ("clock", "term", "words"),
    [
        ("{hours: {8: 1}}", "hour_sin*priority", "same hour"),
        ("{mode: walk, from_hour: 9, to_hour: 9}", "hour_cos*priority", "same hour"),
        ("{mode: walk, decisions_per_day: 1}", "hour_cos*priority", "same hour"),
        ("{weekdays: {2: 1}}", "dow_sin*priority", "same weekday"),
    ],
)
def test_clocks_that_stand_still(clock: str, term: str, words: str) -> None:
    position, path, message = only(tips(f"{TASKS}  clock: {clock}\n", f"{{{term}: 1}}"))
    assert (position, path) == ((10, 21), f"world.segments[0].preferences.{term}")
    assert words in message


def test_nothing_to_choose() -> None:
    assert only(tips("  tasks: {count: 1}\n"))[:2] == ((11, 18), "world.tasks.count")
    assert only(loads(f"{TOP}world: {{kind: linear, candidates: 1}}"))[:2] == ((6, 35), "world.candidates")


def test_a_theta_of_zero() -> None:
    assert only(loads(f"{TOP}world: {{kind: linear, theta_norm: 0}}"))[1] == "world.theta_norm"


@pytest.mark.parametrize(
    ("cuts", "words"),
    [
        (
            "[20, 21, 22, 23]",
            ["nearly every reaction is dismiss", "not_helpful", "snooze", "helpful", "done"],
        ),
        (
            "[-23, -22, -21, -20]",
            ["dismiss", "not_helpful", "snooze", "helpful", "nearly every reaction is done"],
        ),
        ("[-1, 0, 0.0001, 1]", ["snooze hardly ever happens"]),
        ("[-1, 0, 1, 20]", ["done hardly ever happens"]),
    ],
)
def test_extreme_cut_points(cuts: str, words: list[str]) -> None:
    found = warned(tips(f"{TASKS}  reactions: {{cut_points: {cuts}}}\n"))
    assert [path for _, path, _ in found] == ["world.reactions.cut_points"] * len(words)
    assert all(word in message for word, (_, _, message) in zip(words, found, strict=True))


def test_preferences_that_reach_extreme_cut_points_are_fine() -> None:
    world = f"{TASKS}  reactions: {{cut_points: [-1, 0, 1, 20]}}\n"
    assert warned(tips(world, "{priority: {mean: 14, sd: 4}}")) == []


def test_hardly_any_reaction() -> None:
    assert "nothing is learned" in only(tips(f"{TASKS}  reactions: {{no_reaction: 1}}\n"))[2]


@pytest.mark.parametrize("term", ["hour_sin*priority", "dow_cos*task_age"])
@pytest.mark.parametrize("policies", ["[linucb, egreedy, random, oracle]", "['random:features=oo7x']"])
def test_products_that_no_policy_can_learn(term: str, policies: str) -> None:
    top = TOP.replace("[linucb, 'linucb:features=oo7x']", policies)
    position, path, message = only(tips(preferences=f"{{{term}: 1}}", top=top))
    assert (position, path) == ((5, 11), "policies")
    assert term in message
    assert "linucb:features=oo7x" in message


@pytest.mark.parametrize("policies", ["['egreedy:features=oo7x']", "['my.module:policy']"])
def test_products_that_a_policy_may_learn(policies: str) -> None:
    top = TOP.replace("[linucb, 'linucb:features=oo7x']", policies)
    assert warned(tips(preferences="{hour_sin*priority: 1}", top=top)) == []


def test_segments_of_nobody_and_keys_without_effect() -> None:
    text = "  tasks: {count: 0, titles: [x], whole_days: false}\n  tips: {count: 2}\n  clock: {decisions_per_day: 9}\n"
    found = [(position, path) for position, path, _ in warned(tips(text, "{intercept: 1}"))]
    assert ((11, 21), "world.tasks.titles") in found
    assert ((11, 34), "world.tasks.whole_days") in found
    assert ((13, 11), "world.clock.decisions_per_day") in found
    scenario = loads(
        f"{TOP}world:\n  kind: tips\n{TASKS}  segments:\n"
        "  - {name: a, preferences: {priority: 1}}\n  - {name: b, weight: 0, preferences: {priority: 1}}\n"
    )
    assert only(scenario)[:2] == ((11, 23), "world.segments[1].weight")


def test_the_length_of_a_day_matters_to_a_random_walk() -> None:
    clock = f"{TASKS}  clock: {{decisions_per_day: 9}}\n"
    assert only(tips(clock))[:2] == ((12, 11), "world.clock.decisions_per_day")
    assert warned(tips(f"{clock}  drift: [{{random_walk: {{sd_per_day: 0.1}}}}]\n")) == []


@pytest.mark.parametrize("name", sorted(shipped()))
def test_a_default_that_is_written_out_is_nothing_to_warn_of(name: str) -> None:
    scenario = load(name)
    shown = loads(yaml.safe_dump(scenario.canonical(), sort_keys=False))
    assert [each[1:] for each in warned(shown)] == [each[1:] for each in warned(scenario)]


def test_one_user_or_round() -> None:
    top = TOP.replace("users: 10", "users: 1").replace("rounds: 20", "rounds: 1")
    assert [(p, path) for p, path, _ in warned(tips(top=top))] == [((3, 8), "users"), ((4, 9), "rounds")]


def test_tips_about_tasks_that_may_be_missing() -> None:
    assert (
        only(tips("  tasks: {count: {min: 0, max: 2}}\n  tips: {count: 1, features: task}\n"))[1]
        == "world.tips.features"
    )


def test_warnings_are_in_file_order() -> None:
    positions = [problem.position for problem in lint(tips("  tasks: {count: 1}\n", "{dow_sin: 1, is_llm: 1}"))]
    assert len(positions) == 4
    assert all(first <= second for first, second in pairwise(positions))


def test_reaction_probabilities_known_answers() -> None:
    """At u = 0 with cuts -log 3, 0, log 3 and far away: 1/4, 1/4, 1/4, 1/4, 0."""
    log3 = 1.0986122886681098
    assert reaction_probabilities(0.0, (-log3, 0.0, log3, 800.0)) == pytest.approx([0.25, 0.25, 0.25, 0.25, 0.0])
    assert sum(reaction_probabilities(0.3, (-1.0, 0.0, 1.0, 2.0))) == pytest.approx(1.0)
