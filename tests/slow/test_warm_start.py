"""What a fit is worth to new users: warm against cold starts, paired by user, and what it costs with other people."""

from __future__ import annotations

from pathlib import Path

import pytest

import oo_sim
from oo_sim.stats import Interval, paired

ROUNDS = 50
POLICIES = ["linucb", "egreedy", "thompson"]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fit of `quickstart`."""
    folder = tmp_path_factory.mktemp("warm")
    log = {"policies": ["egreedy:epsilon=0.2"], "users": 200, "rounds": 80, "events": True, "out": folder / "log"}
    oo_sim.run("quickstart", plot=False, **log)  # type: ignore[arg-type]
    return oo_sim.fit(folder / "log", segments=2, starts=2).save(folder / "people.yaml").with_name("people.fit.json")


def gain(scenario: str, policy: str, people: Path, features: str) -> Interval:
    """Reward per decision over the first 50 rounds, warm minus cold, of 400 fresh users."""
    warm = f"{policy}:features={features},warm={people}"
    specs = [f"{policy}:features={features}", warm]
    run = oo_sim.run(scenario, policies=specs, users=400, rounds=ROUNDS, seed=77, plot=False)
    last = run.users[run.users["round"] == ROUNDS].sort_values("user_id")
    cold, warmed = (last[last["policy"] == label]["reward"].to_numpy() / ROUNDS for label in run.manifest.labels)
    return paired(cold, warmed).difference


@pytest.mark.parametrize("policy", POLICIES)
def test_new_users_of_the_same_population_gain(policy: str, people: Path) -> None:
    found = gain("quickstart", policy, people, "oo5" if policy == "linucb" else "oo7")
    print(f"quickstart {policy}: {found.estimate:+.3f} [{found.lower:+.3f}, {found.upper:+.3f}]")
    assert found.lower > 0.02


@pytest.mark.parametrize("policy", POLICIES)
def test_other_people_lose_by_it_and_not_without_bound(policy: str, people: Path) -> None:
    found = gain("commuters", policy, people, "oo7x")
    print(f"commuters {policy}: {found.estimate:+.3f} [{found.lower:+.3f}, {found.upper:+.3f}]")
    assert found.upper < 0.0
    assert found.lower > -0.2
