"""People found again from logs of shipped scenarios: segments, cut points, means within their intervals, and how well
other users of the same population are predicted, against the truth."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import oo_sim
from oo_sim.contract import Bool
from oo_sim.fitting import Population
from oo_sim.fitting.checks import marginal
from oo_sim.fitting.log import gather, terms_of
from oo_sim.logs import open_log
from oo_sim.scenario.models import TipsWorld

USERS, ROUNDS, SEEDS, STARTS, OTHERS = 300, 150, (3, 4, 5), 5, 200
Z = 1.959963984540054
pytestmark = pytest.mark.slow


class Recovered(NamedTuple):
    """What became of one fit: the number of segments and the true one; how far the cut points are off, and which means
    (S, d) lie within 1.96 standard errors of the truth, both after alignment; and the log likelihood per reaction of
    users whom the fit has not seen, less that under the true people."""

    segments: int
    true: int
    cuts: float
    held: Bool
    new_users: float


def people_of(scenario: str, terms: tuple[str, ...]) -> Population:
    """The true people of a shipped scenario."""
    world = oo_sim.load_scenario(scenario).world
    assert isinstance(world, TipsWorld)
    share = np.array([segment.weight for segment in world.segments], float)
    mean, sd = np.zeros((2, len(share), len(terms)))
    for s, segment in enumerate(world.segments):
        for name, value in segment.preferences.items():
            mean[s, terms.index(name)], sd[s, terms.index(name)] = value.mean, value.sd
    sd = np.maximum(sd, 1e-3)  # so that it has an inverse
    return Population(share / share.sum(), mean, sd, np.array(world.reactions.cut_points))


def recovered(scenario: str, policy: str, seed: int, starts: int, folder: Path) -> Recovered:
    """Run the scenario, fit its log, and compare with the scenario itself."""
    sizes = {"rounds": ROUNDS, "events": True, "plot": False}
    oo_sim.run(scenario, policies=[policy], users=USERS, seed=seed, out=folder / "log", **sizes)  # type: ignore[arg-type]
    oo_sim.run(scenario, policies=["random"], users=OTHERS, seed=seed + 1000, out=folder / "new", **sizes)  # type: ignore[arg-type]
    fit = oo_sim.fit(folder / "log", starts=starts)
    true = people_of(scenario, fit.data.reactions.terms)
    found, S = fit.people, true.segments
    new = gather(open_log(folder / "new"), ["random"], terms_of("oo7x")).reactions
    gap = float((marginal(new, found) - marginal(new, true)).sum() / len(new.y))
    if found.segments != S:
        return Recovered(found.segments, S, np.nan, np.zeros(0, np.bool_), gap)
    order = min(itertools.permutations(range(S)), key=lambda p: float(np.abs(found.mean - true.mean[list(p)]).sum()))
    mean = true.mean[list(order)].copy()
    shift = float(found.share @ mean[:, 0])  # the one shift that no log can tell
    mean[:, 0] -= shift
    off = float(np.abs(found.cuts - (true.cuts - shift)).max())
    return Recovered(S, S, off, np.asarray(np.abs(found.mean - mean) < Z * fit.errors.mean), gap)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("policy", ["random", "egreedy:epsilon=0.2", "linucb"])
@pytest.mark.parametrize("scenario", ["quickstart", "commuters"])
def test_the_people_of_a_log_are_found_again(scenario: str, policy: str, seed: int, tmp_path: Path) -> None:
    """Of 50 or 75 means, 90 % or more lie within 1.96 standard errors; by a coverage of .95, fewer than 45 of 50 would
    in 1 of 26 such logs. The seeds are fixed."""
    found = recovered(scenario, policy, seed, STARTS, tmp_path)
    print(f"{scenario} {policy} {seed}: {found.segments} segments, cut points off by {found.cuts:.3f}, "
          f"{found.held.mean():.0%} of means held, new users {found.new_users:+.4f}")  # fmt: skip
    assert found.segments == found.true
    assert found.cuts < 0.1
    assert found.held.mean() >= 0.9
    assert abs(found.new_users) < 0.02
