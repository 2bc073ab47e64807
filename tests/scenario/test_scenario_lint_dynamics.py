"""Dynamics that can't show are warned of, at their place; those that just can are not."""

from __future__ import annotations

import pytest

from oo_sim.scenario import Scenario, lint, loads

TOP = "version: 1\nname: base\nusers: 10\nrounds: 20\npolicies: [linucb, 'linucb:features=oo7x']\n"
WORLD = """world:
  kind: tips
  clock: {mode: walk, decisions_per_day: 4}
  tasks: {count: 3, mode: backlog}
  tips: {count: 1}
  segments:
    - {name: a, preferences: {priority: 1}}
    - {name: b, preferences: {priority: -1}}
"""


def warned(text: str) -> list[tuple[str, str]]:
    """Path and message of what is said of a file; the line of each is that of the key that its path ends with."""
    scenario: Scenario = loads(text)
    found = lint(scenario)
    lines = text.splitlines()
    for problem in found:
        key = problem.where.split(".")[-1].split("[")[0]
        assert key in lines[problem.position[0] - 1]
    return [(problem.where, problem.message) for problem in found]


def one(text: str, path: str, words: str) -> None:
    found = warned(text)
    assert [where for where, _ in found] == [path], found
    assert words in found[0][1]


def world(line: str, base: str = WORLD) -> str:
    return f"{TOP}{base}  {line}\n"


def feedback(line: str, base: str = WORLD) -> str:
    return f"{TOP}feedback: {line}\n{base}"


@pytest.mark.parametrize(
    ("drift", "path", "words"),
    [
        ("abrupt: {at: 20}, preferences: {priority: 2}", "abrupt.at", "is 20, after the last round, which is 19"),
        ("abrupt: {at: 0}, preferences: {priority: 2}", "abrupt.at", "from the first round on"),
        ("gradual: {start: 19, end: 40}, preferences: {priority: 2}", "gradual.start", "not before the last round"),
        ("random_walk: {sd_per_day: 0}", "random_walk.sd_per_day", "nobody moves"),
        ("periodic: {days: [5, 6]}, preferences: {priority: 2}", "periodic.days", "do not occur in 20 rounds"),
        ("periodic: {days: [0, 1, 2, 3, 4]}, preferences: {priority: 2}", "periodic.days", "are all that occur"),
        ("share: 0, abrupt: {at: 5}, become: b", "share", "concerns nobody"),
        ("segments: [b], abrupt: {at: 5}, become: b", "become", "are already"),
        ("abrupt: {at: 5}, preferences: {}", "preferences", "names no term"),
        ("abrupt: {at: 5}, preferences: {hour_sin: 1}", "preferences.hour_sin", "never changes which is best"),
    ],
)
def test_drift(drift: str, path: str, words: str) -> None:
    one(world(f"drift: [{{{drift}}}]"), f"world.drift[0].{path}", words)


@pytest.mark.parametrize(
    "drift",
    [
        "abrupt: {at: 19}, preferences: {priority: 2}",
        "abrupt: {at: 1}, become: b",
        "gradual: {start: 0, end: 400}, preferences: {priority: 2}",
        "gradual: {start: 18, end: 19}, preferences: {priority: 2}",
        "periodic: {days: [4, 5]}, preferences: {priority: 2}",
        "segments: [a], share: 0.1, abrupt: {at: 5}, become: b",
        "random_walk: {sd_per_day: 0.001}",
    ],
)
def test_drift_that_shows(drift: str) -> None:
    assert warned(world(f"drift: [{{{drift}}}]")) == []


def test_weekdays_of_a_random_clock() -> None:
    base = WORLD.replace("{mode: walk, decisions_per_day: 4}", "{weekdays: [1, 1, 1, 1, 1, 0, 0]}")
    one(
        world("drift: [{periodic: {days: [5, 6]}, preferences: {priority: 2}}]", base),
        "world.drift[0].periodic.days",
        "do not occur",
    )


def test_a_segment_that_users_only_become() -> None:
    base = WORLD.replace("{name: b, ", "{name: b, weight: 0, ")
    assert warned(world("drift: [{segments: [a], abrupt: {at: 5}, become: b}]", base)) == []
    found = warned(world("drift: [{segments: [b], abrupt: {at: 5}, preferences: {priority: 2}}]", base))
    assert [path for path, _ in found] == ["world.segments[1].weight", "world.drift[0].segments"]


def test_what_only_a_drift_wants_is_wanted() -> None:
    """Products that no listed policy can learn, reactions that only a drift makes probable, and nothing to prefer."""
    drift = "drift: [{abrupt: {at: 5}, preferences: {hour_sin*priority: 1}}]"
    few = world(drift).replace("[linucb, 'linucb:features=oo7x']", "[linucb]")
    assert [(path, "hour_sin*priority" in message) for path, message in warned(few)] == [("policies", True)]
    cuts = WORLD + "  reactions: {cut_points: [-1, 0, 1, 20]}\n"
    assert warned(world("drift: [{abrupt: {at: 5}, preferences: {priority: 18}}]", cuts)) == []
    flat = WORLD.replace("{priority: 1}", "{intercept: 1}").replace("{priority: -1}", "{}")
    assert len(warned(TOP + flat)) == 2
    assert warned(world("drift: [{abrupt: {at: 5}, preferences: {priority: 2}}]", flat)) == []
    assert warned(world("fatigue: {source: 1}", flat)) == []


@pytest.mark.parametrize(
    ("line", "path", "words"),
    [
        ("{window: 9}", "window", "no effect without a delay"),
        ("{delay: {constant: 0}}", "delay", "is always 0"),
        ("{delay: {uniform: [0, 0]}}", "delay", "is always 0"),
        ("{delay: {constant: 20}}", "delay", "hardly any reward arrives within 20 rounds"),
        ("{delay: {uniform: [30, 90]}}", "delay", "hardly any reward arrives within 20 rounds"),
        ("{delay: {geometric: {mean: 100000}}, window: 9}", "window", "nearly all of the delays are longer"),
        ("{delay: {lognormal: {median: 100, sigma: 0.3}}, window: 9}", "window", "nearly all of the delays are longer"),
        ("{delay: {geometric: {mean: 40}}, window: 1}", "window", "is 1, and 95% of the delays are longer"),
        ("{delay: {uniform: [0, 9]}, window: 3}", "window", "60% of the delays are longer"),
        ("{delay: {lognormal: {median: 20.5, sigma: 0}}, window: 40}", "delay", "within 20 rounds"),
        ("{missing: {rate: 1}}", "missing", "nothing is learned"),
        ("{missing: {by_source: {task: 1, llm: 0.9999}}}", "missing", "nothing is learned"),
        (
            "{missing: {by_reaction: {dismiss: 1, not_helpful: 1, snooze: 1, helpful: 1, done: 1}}}",
            "missing",
            "nothing is learned",
        ),
    ],
)
def test_feedback(line: str, path: str, words: str) -> None:
    one(feedback(line), f"feedback.{path}", words)


@pytest.mark.parametrize(
    "line",
    [
        "{delay: {constant: 19}}",
        "{delay: {uniform: [0, 1]}, window: 0}",
        "{delay: {geometric: {mean: 10}}, window: 9}",
        "{delay: {lognormal: {median: 5, sigma: 0}}, window: 5}",
        "{missing: {rate: 0.9, by_source: {llm: 1}}}",
        "{missing: {by_reaction: {dismiss: 1, not_helpful: 1, snooze: 1, helpful: 1}}}",
        "{}",
    ],
)
def test_feedback_that_shows(line: str) -> None:
    assert warned(feedback(line)) == []


@pytest.mark.parametrize(("source", "words"), [("llm", "no tips"), ("task", "no tasks")])
def test_sources_that_are_not_on_offer(source: str, words: str) -> None:
    base = WORLD.replace("tips: {count: 1}", "tips: {count: 0}")
    if source == "task":
        base = WORLD.replace("{count: 3, mode: backlog}", "{count: 0}").replace("tips: {count: 1}", "tips: {count: 4}")
    found = warned(feedback(f"{{missing: {{by_source: {{{source}: 0.5}}}}}}", base))
    assert [message for path, message in found if path == f"feedback.missing.by_source.{source}"] == [
        f"has no effect: there are {words}"
    ]


@pytest.mark.parametrize(
    ("line", "path", "words"),
    [
        ("fatigue: {}", "fatigue", "task, source and novelty are all 0"),
        ("fatigue: {half_life: 3}", "fatigue", "task, source and novelty are all 0"),
        ("fatigue: {novelty: 1, half_life: 3}", "fatigue.half_life", "task and source are 0"),
        ("fatigue: {task: 1, novelty_showings: 3}", "fatigue.novelty_showings", "novelty is 0"),
        ("churn: {bad_reactions: 20}", "churn.bad_reactions", "nobody leaves because of it"),
        ("churn: {hazard: 1}", "churn.hazard", "after one decision"),
        ("arrivals: {over: 1}", "arrivals.over", "from the first round"),
        ("arrivals: {over: 40}", "arrivals.over", "50% of the users never come"),
    ],
)
def test_people(line: str, path: str, words: str) -> None:
    one(world(line), f"world.{path}", words)


@pytest.mark.parametrize(
    "line",
    [
        "fatigue: {task: 0.1, source: 0.1, half_life: 3, novelty: -1, novelty_showings: 2}",
        "fatigue: {novelty: 1}",
        "churn: {bad_reactions: 19, hazard: 0.001}",
        "arrivals: {over: 20}",
        "arrivals: {over: 2}",
    ],
)
def test_people_that_show(line: str) -> None:
    assert warned(world(line)) == []


@pytest.mark.parametrize("name", ["source", "novelty"])
def test_a_source_alone_shifts_all_alike(name: str) -> None:
    base = WORLD.replace("tips: {count: 1}", "tips: {count: 0}")
    one(world(f"fatigue: {{{name}: 1}}", base), f"world.fatigue.{name}", "there are only tasks")
