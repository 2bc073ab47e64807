"""How often what `compare` says of real scenarios holds: studies of 30, 100 and 400 users against a large population.

A population is run once, its means are the truth, and studies are users drawn from it. Run with -s to see the figures;
OO_STUDIES says how many studies there are of each kind.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from functools import cache

import numpy as np
import pytest

import oo_sim
from oo_sim.contract import F64
from oo_sim.stats import mean_interval
from oo_sim.studies import Outcomes, gather, look, sizes
from oo_sim.studies.pairs import Pair, adjusted, compare_pair, largest_difference
from oo_sim.studies.sweeping import at_once, behind_best
from oo_sim.studies.together import together

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

STUDIES = int(os.environ.get("OO_STUDIES", "1000"))
POPULATION = 20_000
SIZES = (30, 100, 400)
PAIRS = {
    "quickstart": ("linucb", "egreedy"),
    "commuters": ("linucb", "linucb:features=oo7x"),
    "newcomers": ("linucb", "egreedy"),
    "exact_ties": ("linucb", "egreedy"),
}
ROUNDS = {"quickstart": 200, "commuters": 200, "newcomers": 200, "exact_ties": 200}
MOST_LOOKS = 1600


@cache
def population(name: str) -> Outcomes:
    """The outcomes of many users."""
    run = oo_sim.run(name, policies=list(PAIRS[name]), users=POPULATION, rounds=ROUNDS[name], seed=7)
    [outcomes] = gather([run])
    return outcomes


def drawn(outcomes: Outcomes, users: np.ndarray) -> Outcomes:
    return outcomes._replace(values={label: values[:, users] for label, values in outcomes.values.items()})


def truth(name: str) -> Pair:
    return compare_pair(population(name), *PAIRS[name], "expected", None)


def allowed(studies: int) -> float:
    """The most misses of which 5 % is still the truth: 4 standard errors above it, once in 30,000 such counts."""
    return 0.05 + 4 * float(np.sqrt(0.05 * 0.95 / studies))


@pytest.mark.parametrize("users", SIZES)
@pytest.mark.parametrize("name", PAIRS)
def test_what_is_said_of_a_pair_holds(name: str, users: int) -> None:
    """Bounds that are exact may hold more often; none may miss in more than 5 % (4 standard errors allowed), or in 7 %
    for 30 users, who hardly show how skewed their differences are, as the docs say."""
    whole, rng, missed, few = population(name), np.random.default_rng([users, 1]), Counter[str](), 0
    a, b = PAIRS[name]
    curve = whole.difference(a, b).mean(axis=1)
    known = truth(name)
    for study in range(STUDIES):
        pair = compare_pair(drawn(whole, rng.choice(POPULATION, users, replace=False)), a, b, "expected", study)
        few += pair.few
        missed["difference"] += pair.difference.excludes(known.difference.estimate)
        missed["p at most .05 (sign error)"] += pair.p_value <= 0.05 and (
            pair.difference.estimate * known.difference.estimate < 0
        )
        missed["P(better)"] += pair.paired.improvement.excludes(known.paired.improvement.estimate)
        missed["users who gain"] += pair.paired.gain.excludes(known.paired.gain.estimate)
        assert pair.band is not None
        missed["band"] += bool(((curve < pair.band.lower) | (curve > pair.band.upper)).any())
        missed["mean"] += pair.paired.candidate.excludes(known.paired.candidate.estimate)
    shown = ", ".join(f"{what} {100 - 100 * count / STUDIES:.1f}" for what, count in missed.items())
    print(f"\n{name}, {users} users, {STUDIES} studies: {shown}; few differ in {100 * few / STUDIES:.0f} %", end="")
    assert max(missed.values()) / STUDIES <= allowed(STUDIES) + (0.02 if users == 30 else 0.0)


@pytest.mark.parametrize("name", PAIRS)
def test_no_look_misses(name: str) -> None:
    """Looks as `--until` has them, each study's users added in order: any look that misses counts."""
    whole, rng = population(name), np.random.default_rng(2)
    planned, known = sizes(30, MOST_LOOKS), truth(name).difference.estimate
    missed = 0
    for _ in range(STUDIES):
        order = rng.permutation(POPULATION)[:MOST_LOOKS]
        pairs = [compare_pair(drawn(whole, order[:n]), *PAIRS[name], "expected", None) for n in planned]
        missed += any(look([pair], planned).intervals[0].excludes(known) for pair in pairs)
    print(f"\n{name}, looks at {planned}: {100 - 100 * missed / STUDIES:.1f} %", end="")
    assert missed / STUDIES <= allowed(STUDIES)


@pytest.mark.parametrize("name", PAIRS)
def test_segments_hold(name: str) -> None:
    """The mean reward in each segment of a study of 100 users: Student's t over the segment's users."""
    whole, rng = population(name), np.random.default_rng(3)
    values = whole.values[PAIRS[name][1]][-1]
    missed = sum(
        mean_interval(values[rng.choice(POPULATION, 100, replace=False)]).excludes(values.mean())
        for _ in range(STUDIES)
    )
    assert missed / STUDIES <= allowed(STUDIES)


GRID = "linucb:alpha=log(0.1,10,7)"


@cache
def grid(name: str) -> tuple[list[F64], float]:
    """The mean reward per decision of many users who decided, under each value of a sweep; the largest difference."""
    swept = oo_sim.sweep(name, policies=[GRID], users=POPULATION, rounds=ROUNDS[name], seed=9)
    [outcomes] = gather([swept.run])
    decided = swept.run.users.groupby("user_id", sort=True)["decisions"].max().to_numpy() > 0
    values = [outcomes.values[point.policy][-1][decided] for point in swept.series[0].points]
    return values, largest_difference(outcomes.manifest.scenario, "expected")


@pytest.mark.parametrize("users", SIZES)
@pytest.mark.parametrize("name", PAIRS)
def test_the_best_of_a_sweep_is_not_overrated(name: str, users: int) -> None:
    """The interval of the value that looks best holds, though it is known to be the best only after looking; so do all
    values' together, and how far all are behind it. Student's interval of the best is there to compare with. In 5 % of
    studies they may miss (4 standard errors allowed), in 7 % for 30 users, as above."""
    (values, largest), rng, missed = grid(name), np.random.default_rng([users, 5]), Counter[str]()
    known = [each.mean() for each in values]
    for _ in range(STUDIES):
        some = rng.choice(len(values[0]), users, replace=False)
        drawn = [each[some] for each in values]
        rewards, behind = at_once(drawn), behind_best(drawn, largest)
        best = int(np.argmax([each.estimate for each in rewards]))
        wrong = [reward.excludes(mean) for reward, mean in zip(rewards, known, strict=True)]
        missed["the best"] += wrong[best]
        missed["all rewards"] += any(wrong)
        missed["all behind the best"] += any(
            step.excludes(mean - known[best])
            for i, (step, mean) in enumerate(zip(behind, known, strict=True))
            if i != best
        )
        missed["(the best by Student)"] += mean_interval(drawn[best]).excludes(known[best])
    shown = ", ".join(f"{what} {100 - 100 * count / STUDIES:.1f}" for what, count in missed.items())
    print(f"\n{name}, {users} users, {STUDIES} studies of a sweep of {len(values)} values: {shown}", end="")
    del missed["(the best by Student)"]
    assert max(missed.values()) / STUDIES <= allowed(STUDIES) + (0.02 if users == 30 else 0.0)


EQUAL = 14


@cache
def equals(name: str) -> Outcomes:
    """Equal policies: the replicates of one policy, same users and other draws, each under a name of its own."""
    run = oo_sim.run(name, policies=["linucb"], users=4_000, rounds=60, replicates=EQUAL, seed=8)
    last = run.users[run.users["round"] == run.users["round"].max()]
    values = {
        f"p{r}": (own["expected_reward"] / own["decisions"].clip(lower=1)).to_numpy()[None, :]
        for r, own in last.sort_values(["replicate", "user_id"]).groupby("replicate")
    }
    [outcomes] = gather([run])
    return outcomes._replace(values=values, marks=np.array([60.0]))


@pytest.mark.parametrize("users", SIZES)
@pytest.mark.parametrize("name", ["quickstart", "newcomers", "exact_ties"])
def test_equal_policies_are_rarely_told_apart(name: str, users: int) -> None:
    """Family-wise: in at most 5 % of studies is any of the 91 pairs sure (4 standard errors allowed)."""
    whole, rng, studies = equals(name), np.random.default_rng([users, 4]), max(STUDIES // 4, 100)
    wrong = Counter[str]()
    for study in range(studies):
        some = drawn(whole, rng.choice(4_000, users, replace=False))
        each = [compare_pair(some, *two, "expected", None) for two in itertools.combinations(some.values, 2)]
        pairs = together(some, adjusted(each), study)
        wrong["all pairs at once"] += any(pair.sure for pair in pairs)
        wrong["Holm"] += any(pair.holm <= 0.05 for pair in pairs)
    shown = ", ".join(f"{what} {100 * count / studies:.1f}" for what, count in wrong.items())
    print(f"\n{name}, {users} users, {studies} studies, any of 91 pairs sure in percent: {shown}", end="")
    assert wrong["all pairs at once"] / studies <= allowed(studies)
