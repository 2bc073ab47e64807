"""Other libraries' LinUCB on one user's decisions, one after the other as a simulation makes them, in turns with ours.

Their candidates are vectors made beforehand, so they are favoured. Each is used as its own documentation does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from oo_sim.bench.measure import Spread, ours, seconds
from oo_sim.bench.naive import Request, requests, vector
from oo_sim.engine import tile
from oo_sim.policies import make
from oo_sim.scenario import load
from oo_sim.worlds import build

D = 5
Candidates = list[Any]
Handler = Callable[[Candidates, float], int]
"""Chooses one of the candidates, learns its reward, and returns its index."""


def _coba(K: int) -> Handler:
    """The same model as ours: one theta on the candidates' features, Sherman & Morrison's inverse."""
    learner = import_module("coba.learners").LinUCBLearner(alpha=1, features=["a"])

    def handle(candidates: Candidates, reward: float) -> int:
        action, probability = learner.predict(None, candidates)
        learner.learn(None, action, reward, probability)
        return candidates.index(action)

    return handle


def _mabwiser(K: int) -> Handler:
    """A model for each arm, on what is common to a decision: one candidate's features stand for it."""
    mab = import_module("mabwiser.mab")
    model = mab.MAB(list(range(K)), mab.LearningPolicy.LinUCB(alpha=1.0, l2_lambda=1.0))
    model.fit(list(range(K)), [0.0] * K, [[0.0] * D] * K)

    def handle(candidates: Candidates, reward: float) -> int:
        arm = int(model.predict(candidates[:1]))
        model.partial_fit([arm], [reward], candidates[:1])
        return arm

    return handle


def _obp(K: int) -> Handler:
    """A model for each action, on what is common to a decision."""
    model = import_module("obp.policy").LinUCB(dim=D, n_actions=K, epsilon=1.0)

    def handle(candidates: Candidates, reward: float) -> int:
        context = np.array(candidates[:1])
        action = int(model.select_action(context)[0])
        model.update_params(action, reward, context)
        return action

    return handle


def _vowpal(K: int) -> Handler:
    """Not LinUCB: one model on the candidates' features, a single step of a gradient, explored by epsilon-greedy. What
    it reads is text, which is made before the clock starts (`_lines`)."""
    model = import_module("vowpalwabbit").Workspace("--cb_explore_adf --epsilon 0.1 --quiet")
    rng = np.random.default_rng(1)

    def handle(candidates: Candidates, reward: float) -> int:
        lines = list(candidates)
        probabilities = model.predict("\n".join(lines))
        chosen = int(np.searchsorted(np.cumsum(probabilities), rng.random()).clip(max=K - 1))
        lines[chosen] = f"{chosen}:{-reward}:{probabilities[chosen]} {lines[chosen]}"
        model.learn("\n".join(lines))
        return chosen

    return handle


def _lines(candidates: list[list[float]]) -> list[str]:
    """A decision in the text that Vowpal Wabbit reads."""
    return ["| " + " ".join(f"f{j}:{value}" for j, value in enumerate(x)) for x in candidates]


RUNS = {"vowpalwabbit": "epsilon-greedy on SGD"}
"""What a peer runs where it is not LinUCB."""
PREPARED: dict[str, Callable[[list[list[float]]], list[Any]]] = {"vowpalwabbit": _lines}
"""How a peer reads candidates where it is not as vectors: made beforehand."""
PEERS: dict[str, Callable[[int], Handler]] = {
    "coba": _coba,
    "mabwiser": _mabwiser,
    "obp": _obp,
    "vowpalwabbit": _vowpal,
}
"""Makers of a handler of K candidates, by the name under which pip knows the library."""


class Rival(NamedTuple):
    """A peer's microseconds for a decision, and how many times as long as ours that is."""

    peer: str
    microseconds: Spread
    ratio: Spread


class Found(NamedTuple):
    """Our microseconds for a decision, the peers', and which peers could not be imported."""

    microseconds: Spread
    rivals: list[Rival]
    missing: list[str]


def bench(repeats: int = 7, count: int = 2000, scenario: str = "quickstart", peers: Sequence[str] = ()) -> Found:
    """Measure the LinUCB of `peers`, or of all, on `count` decisions each, in turns with a whole run of ours."""
    loaded = load(scenario)
    world, policy = build(loaded), make("linucb")
    stream = [_encoded(request) for request in requests(count, world.arms)]
    makers = {name: PEERS[name] for name in peers or PEERS}
    missing = [name for name, maker in makers.items() if not _importable(maker, world.arms)]
    here = {name: maker for name, maker in makers.items() if name not in missing}
    tile.compile_for(world, policy)
    ours(loaded, world, policy, 1, rounds=2)
    mine: list[float] = []
    theirs: dict[str, list[float]] = {name: [] for name in here}
    for _ in range(repeats):
        mine.append(1e6 * ours(loaded, world, policy, 1))
        for name, maker in here.items():
            handle, read = maker(world.arms), PREPARED.get(name, list)
            prepared = [(read(candidates), reward) for candidates, reward in stream]
            theirs[name].append(1e6 * seconds(partial(_all, handle, prepared)) / count)
    rivals = [
        Rival(name, Spread.of(times), Spread.of([b / a for a, b in zip(mine, times, strict=True)]))
        for name, times in theirs.items()
    ]
    return Found(Spread.of(mine), rivals, missing)


def _all(handle: Handler, stream: Sequence[tuple[Candidates, float]]) -> None:
    for candidates, reward in stream:
        handle(candidates, reward)


def _encoded(request: Request) -> tuple[Candidates, float]:
    vectors = [vector(candidate, request.hour, request.day, D).tolist() for candidate in request.candidates]
    return vectors, request.reward


def _importable(maker: Callable[[int], Any], K: int) -> bool:
    try:
        maker(K)
    except ImportError:
        return False
    return True
