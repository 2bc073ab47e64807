"""Tiles against the loop, to the bit: every built-in policy in every shipped scenario and in small harsh ones.

An instance takes seconds to compile, and there are hundreds: most are played here without a compiler, from the same
sources. What a compiler makes of them is seen on a few, which between them have every part of every stage.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oo_sim.contract import F64, Batch, FeatureMap, Policy, World
from oo_sim.engine import Memory, run_policy, tile
from oo_sim.engine.blocks import Block
from oo_sim.engine.run import loop, simulate
from oo_sim.kernels import compile
from oo_sim.kernels.encode import AGE_LIMIT
from oo_sim.kernels.tile import instances, offers, writing
from oo_sim.kernels.tile.written import WIDEST
from oo_sim.policies import POLICIES, factory, make
from oo_sim.scenario import Scenario, load, parse_spec, shipped, validate
from oo_sim.worlds import build

from .cases import Watch
from .test_identity import CHANGING, MIXED

VARIANTS = [
    *("linucb:features=oo7", "linucb:features=oo7x", "linucb:alpha=0,prior=0.1", "thompson:samples=3"),
    *(f"egreedy:decay=0.2,epsilon=0.5,schedule={schedule}" for schedule in ("harmonic", "sqrt", "cbrt", "exponential")),
    *(
        "squarecb:exponent=0",
        "softmax:temperature=2",
        "restart_linucb:period=5",
        "swlinucb:window=3",
        "logistic_ts:samples=2",
    ),
    *("egreedy:features=oo7x", "thompson:features=oo5"),
    *(f"linucb_{which}:features={features}" for which in ("disjoint", "hybrid") for features in ("oo5", "oo7x")),
    "linucb_hybrid:sharing=3,alpha=0.4",
    *(f"{name}:features=oo7x" for name in ("bootstrap_ts", "dlinucb", "swlinucb")),
]
BASE = {"version": 1, "users": 1, "rounds": 1, "policies": ["random"]}
TITLES = {"titles": ["tidy up"]}


def worlds() -> dict[str, Scenario]:
    """The shipped scenarios, and small ones in which much happens within few rounds."""
    all_shipped = {name: load(name) for name in shipped()}
    due = ({"normal": {"mean": 0, "sd": 9}}, {"weights": {-3: 1, 0: 2, 4: 1}})
    odd = {"count": 5, "due_in_days": due[1], "whole_days": False}
    made = {
        "mixed": MIXED,
        "changing": CHANGING,
        "odd": MIXED | {"tasks": odd, "tips": {"count": 2}},
        "one task": MIXED | {"tasks": {"count": 1}, "tips": {"count": 1, "features": "task"}},
        "backlog, whole days": CHANGING
        | {"tasks": odd | {"mode": "backlog", "whole_days": True}, "tips": {"count": 2}},
        "backlog, normal": CHANGING | {"tasks": {"count": 3, "mode": "backlog", "due_in_days": due[0]}},
        "gaussian": {"kind": "linear", "contexts": "gaussian", "dimension": 7, "candidates": 3},
        "bernoulli": {"kind": "linear", "noise": "bernoulli", "dimension": 30, "candidates": 11},
    }
    small = {name: validate(BASE | {"name": "small", "world": world}) for name, world in made.items()}
    lognormal = {"lognormal": {"median": 1, "sigma": 1}}
    missing = {"rate": 0.1, "by_reaction": {"dismiss": 0.5}, "by_source": {"llm": 0.3}}
    tips, linear = {"world": made["changing"]}, {"world": made["gaussian"]}
    late = {
        "late": tips | {"feedback": {"delay": lognormal, "window": 3, "missing": missing}},
        "late, geometric": tips | {"feedback": {"delay": {"geometric": {"mean": 2}}, "window": 4}},
        "late, uniform": linear | {"feedback": {"delay": {"uniform": [1, 5]}, "window": 3}},
        "missing": {"world": MIXED, "feedback": {"missing": missing}},
    }
    small |= {name: validate(BASE | {"name": "small"} | each) for name, each in late.items()}
    return all_shipped | small


WORLDS = worlds()


def policy_for(world: World, text: str) -> Policy | None:
    """The policy, or None where its features do not suit the world."""
    spec = parse_spec(text)
    given: dict[str, object] = dict(spec.parameters)
    if world.name == "linear":
        if "features" in given:
            return None
        if "features" in factory(spec.name).__annotations__:
            given["features"] = "raw"
    return make(spec.name, given, world.features)


def assert_plays_alike(
    world: World, policy: Policy, users: int, rounds: int, seed: int = 3, replicate: int = 1
) -> None:
    """The same sums, and totals at marks, of more users than a tile has, who stop in the middle and go on."""
    lanes, marks = Block(replicate, 5, users).lanes(seed), [1, rounds - 1, rounds]
    reference = loop(world, policy, lanes, users, rounds, marks)
    half = max(rounds // 2, 1)
    first, early, words = tile.played(world, policy, lanes, users, half, [1], remembers=True)
    assert words is not None
    begin = Memory(half, tile.name(world, policy), words)
    then, late, nothing = tile.played(world, policy, lanes, users, rounds, marks[1:], begin=begin)
    assert nothing is None
    np.testing.assert_array_equal(np.concatenate([first, then]), reference.sums)
    np.testing.assert_array_equal(np.concatenate([early, late]), reference.totals)


def always(patch: pytest.MonkeyPatch) -> None:
    """Tiles pay however few the decisions."""
    patch.setattr(tile, "LEAST", 0)
    patch.setattr(tile, "LEAST_COMPILED", 0)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Instances that nobody compiled."""
    for decorator in ("kernel", "inner", "lane"):
        monkeypatch.setattr(compile, decorator, lambda function: function)
    before = set(sys.modules)
    instances.play.cache_clear()
    yield
    instances.play.cache_clear()
    for name in set(sys.modules) - before:
        if ".of_" in name:
            del sys.modules[name]


def pairs() -> list[tuple[str, str]]:
    """Every world under one policy, and every policy in a world with masks and in one of vectors."""
    by_world = [(world, "linucb") for world in WORLDS]
    by_policy = [(world, text) for text in [*POLICIES, *VARIANTS] for world in ("one task", "gaussian", "late")]
    return [*dict.fromkeys(by_world + by_policy)]


FEW = [
    ("one task", "egreedy"),
    ("late", "restart_linucb:period=5"),
    ("changing", "softmax"),
    ("backlog, normal", "linucb"),
    ("gaussian", "thompson"),
    ("late", "linucb_hybrid:features=oo5"),
    ("one task", "dlinucb:features=oo7x"),
]


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(("name", "text"), FEW, ids=str)
def test_tiles_play_a_little_of_what_the_loop_plays(name: str, text: str) -> None:
    assert_plays(name, text, users=3, rounds=3)


def test_whole_days_are_divided_by_two_products() -> None:
    days = np.arange(AGE_LIMIT + 1)
    np.testing.assert_array_equal(days * offers._30TH + days * offers._REST, days / AGE_LIMIT)


@pytest.mark.slow
@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(("name", "text"), pairs(), ids=str)
def test_tiles_play_what_the_loop_plays(name: str, text: str) -> None:
    assert_plays(name, text, users=3, rounds=3)


@pytest.mark.slow
@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("name", WORLDS)
def test_every_policy_in_every_world(name: str) -> None:
    for text in [*POLICIES, *VARIANTS]:
        assert_plays(name, text, users=3, rounds=12)


COMPILED = [("quickstart", "linucb")]
MORE_COMPILED = [
    *[(name, "linucb") for name in WORLDS],
    *[(name, text) for name in ("changing", "quickstart", "gaussian") for text in [*POLICIES, *VARIANTS]],
]


@pytest.mark.e2e
@pytest.mark.compiled
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("name", "text"), COMPILED, ids=str)
def test_compiled_tiles(name: str, text: str) -> None:
    assert_plays(name, text, users=130, rounds=26)


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("name", "text"), MORE_COMPILED, ids=str)
def test_more_compiled_tiles(name: str, text: str) -> None:
    assert_plays(name, text, users=70, rounds=26)


def assert_plays(name: str, text: str, users: int, rounds: int) -> None:
    world = build(WORLDS[name])
    policy = policy_for(world, text)
    if policy is not None:
        why = tile.interpreted(world, policy, tile.LEAST_COMPILED)
        looped = policy.name == "bootstrap_ts" and policy.features.d > WIDEST
        assert looped == (why not in (None, "compilation is switched off")), (text, why)
        if not looped:
            assert_plays_alike(world, policy, users, rounds)


@pytest.mark.compiled
@pytest.mark.parametrize("users", [1, 2, 63, 64, 65, 130])
def test_any_number_of_users(users: int) -> None:
    world = build(WORLDS["quickstart"])
    assert_plays_alike(world, make("linucb"), users, rounds=9)


@pytest.mark.slow
@pytest.mark.compiled
def test_long_enough_for_drifts_at_round_200() -> None:
    for name in ("drift_abrupt", "drift_gradual"):
        assert_plays_alike(build(WORLDS[name]), make("linucb"), users=66, rounds=260)


@pytest.mark.compiled
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("block", [64, 128])
def test_threads_and_blocks_change_nothing(threads: int, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """And progress hears of every decision once."""
    world, policy = build(load("quickstart")), make("linucb")
    sizes: dict[str, Any] = {"seed": 1, "users": 200, "rounds": 40}
    plain, heard = run_policy(world, policy, **sizes, replicates=2, threads=1), list[int]()
    always(monkeypatch)
    monkeypatch.setattr(tile, "_AT_ONCE", 64 * 40)
    tiled = run_policy(
        world, policy, **sizes, replicates=2, threads=threads, block=block, progress=heard.append, fork=True
    )
    np.testing.assert_array_equal(plain.sums, tiled.sums)
    np.testing.assert_array_equal(plain.totals, tiled.totals)
    assert sum(heard) == 2 * 200 * 40
    assert len(heard) > 8


def worst(scores: F64, batch: Batch) -> Any:
    """A private explorer."""
    return make("greedy").probs(-scores, batch)


@pytest.mark.compiled
def test_who_changes_a_part_gets_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy or world made of another one's parts is not what that one describes, and it is played as it is."""
    always(monkeypatch)
    world, policy = build(load("quickstart")), make("linucb")
    private = policy._replace(probs=worst)
    lanes = Block(0, 0, 64).lanes(1)
    changed = world._replace(respond=partial(world.respond))
    phi = policy.features
    late = build(load("late_answers"))
    assert late.feedback is not None
    late = late._replace(feedback=late.feedback._replace(kind="own"))
    other = FeatureMap(phi.name, phi.names, partial(phi.encode))
    for w, p, why in (
        (world, private, "the policy does not describe itself"),
        (changed, policy, "functions of its own"),
        (world, policy._replace(features=other), "the policy does not describe itself"),
        (world._replace(tile="no tiles here"), policy, "no tiles here"),
        (late, policy, "rewards come late"),
    ):
        assert why in str(tile.interpreted(w, p, tile.LEAST_COMPILED))
    one, two = (simulate(world, p, lanes, 64, 30, [30]) for p in (policy, private))
    np.testing.assert_array_equal(two.sums, loop(world, private, lanes, 64, 30, [30]).sums)
    assert (one.sums != two.sums).any()


def test_observers_and_small_runs_get_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    world, policy, lanes = build(load("quickstart")), make("linucb"), Block(0, 0, 64).lanes(1)
    assert "fewer than" in str(tile.interpreted(world, policy, tile.LEAST - 1))
    monkeypatch.setattr(tile, "_ready", lambda world, policy: False)
    assert "not compiled for it yet" in str(tile.interpreted(world, policy, tile.LEAST_COMPILED - 1))
    always(monkeypatch)
    watch = Watch()
    simulate(world, policy, lanes, 64, 3, [3], watch)
    assert len(watch.rows) == 3


@pytest.mark.compiled
def test_a_score_that_is_not_finite_is_left_to_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop says whose it is and when; here it finds none, since only what tiles were told is broken."""
    always(monkeypatch)
    world, policy, lanes = build(load("quickstart")), make("linucb"), Block(0, 0, 64).lanes(1)
    assert policy.lanes is not None
    start = policy.lanes.start.copy()
    start[0] = np.nan
    broken = policy._replace(lanes=policy.lanes._replace(start=start))
    with pytest.raises(tile.NotFiniteError):
        tile.played(world, broken, lanes, 64, 3, [3])
    heard: list[int] = []
    tally = simulate(world, broken, lanes, 64, 3, [3], None, heard.append)
    np.testing.assert_array_equal(tally.sums, loop(world, policy, lanes, 64, 3, [3]).sums)
    assert heard == [1, 2, 3]


def test_an_edited_stage_makes_another_instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instances, "_HERE", shutil.copytree(instances._HERE, tmp_path / "tile"))
    names = {instances.name_of.__wrapped__(writing.EXAMPLE)}
    for stage in sorted((tmp_path / "tile").glob("*.py")):
        stage.write_text(stage.read_text(encoding="utf-8") + "# edited\n", encoding="utf-8")
        name = instances.name_of.__wrapped__(writing.EXAMPLE)
        assert name not in names, stage
        names.add(name)


def test_what_is_written_out_is_what_its_writer_writes() -> None:
    """And it is formatted as people would."""
    written = Path(writing.__file__).with_name("plan.py").read_text(encoding="utf-8")
    assert written == writing.plan(writing.EXAMPLE)
