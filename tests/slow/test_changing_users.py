"""What is known of users who change or answer late, and what the shipped scenarios say of themselves, at length.

Run with -s to see the figures. Intervals are 99.9 %, over users, paired: an assertion about policies that do not differ
passes with probability 0.0005.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from oo_sim import run
from oo_sim.scenario import Scenario, load, validate
from oo_sim.stats import Interval, paired

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def changed(name: str, users: int, rounds: int, *policies: str, **world: Any) -> Scenario:
    """A shipped scenario of another size, with other policies; fields of the world that are None are left out."""
    fields = load(name).canonical() | {"users": users, "rounds": rounds, "policies": policies}
    fields["world"] = {key: value for key, value in (fields["world"] | world).items() if value is not None}
    return validate(fields)


def played(scenario: Scenario, total: str = "regret") -> pd.DataFrame:
    """A total at the end, a row per user with its segment, a column per policy."""
    users = run(scenario, plot=False).users
    last = users[users["round"] == scenario.rounds]
    return last.pivot_table(index=["segment", "user_id"], columns="policy", values=total, observed=True)


def more(values: pd.DataFrame, than: str, policy: str, level: float = 0.999) -> Interval:
    """How much larger a policy's value is than another's, over users, paired."""
    return paired(values[than].to_numpy(), values[policy].to_numpy(), level).difference


FORGETFUL = ("dlinucb", "swlinucb")


@pytest.mark.parametrize("rounds", [400, 1000])
def test_forgetting_pays_where_taste_is_reversed_and_costs_where_it_is_not(rounds: int) -> None:
    """The known crossing: Russac et al. 2019, fig. 1, and Cheung et al. 2019, have it in a linear world."""
    turned = load("drift_abrupt").canonical()["world"]["drift"]
    turned[0]["abrupt"]["at"] = rounds // 2
    for name, drift in (("reversed half way", turned), ("stationary", None)):
        regret = played(changed("drift_abrupt", 1000, rounds, "linucb", *FORGETFUL, drift=drift))
        print(f"\n{name}, {rounds} rounds: linucb {regret['linucb'].mean():.2f}", end="")
        for policy in FORGETFUL:
            difference = more(regret, "linucb", policy)
            print(f", {policy} {regret[policy].mean():.2f} ({shown(more(regret, 'linucb', policy, 0.95))})", end="")
            if drift:
                assert difference.upper < -0.25 * regret["linucb"].mean()
            else:
                assert difference.lower > 0.05 * regret["linucb"].mean()


def shown(interval: Interval) -> str:
    return f"{interval.estimate:+.2f} ± {interval.width / 2:.2f}"


DELAYS = (0, 5, 20, 80)
LEARNERS = ("linucb", "thompson", "egreedy")


def delayed(rounds: int, delay: int) -> pd.DataFrame:
    """Regret of LEARNERS on the quickstart, where every reward is heard of `delay` rounds later."""
    fields = changed("quickstart", 1000, rounds, *LEARNERS).canonical()
    return played(validate(fields | {"feedback": {"delay": {"constant": delay}}}))


def linear_in_delay(rounds: int, policy: str, regret: dict[int, pd.DataFrame]) -> Interval:
    """The extra regret under the longest delay. Asserts that it is a line through 0 within the intervals and 2 more."""
    values = {delay: frame[policy].to_numpy() for delay, frame in regret.items()}
    wide, narrow = (
        {delay: paired(values[0], values[delay], level).difference for delay in DELAYS[1:]} for level in (0.999, 0.95)
    )
    slope = sum(each.estimate * delay for delay, each in wide.items()) / sum(delay**2 for delay in DELAYS)
    means = ", ".join(f"{each.mean():.2f}" for each in values.values())
    print(f"\n{rounds} rounds, {policy}: regret {means}; extra {', '.join(map(shown, narrow.values()))}", end="")
    print(f"; {slope:.3f} a round of delay", end="")
    assert all(each.lower - 2 < slope * delay < each.upper + 2 for delay, each in wide.items())
    assert wide[DELAYS[-1]].lower > 15
    return wide[DELAYS[-1]]


def test_delay_adds_to_regret_and_does_not_multiply_it() -> None:
    """Joulani, György & Szepesvári 2013, theorem 1: in stochastic problems the regret grows by the delay times a
    constant. So the extra regret is linear in the delay, and the same whether the run is long or short.
    """
    extra: dict[int, dict[str, Interval]] = {}
    for rounds in (400, 1000):
        regret = {delay: delayed(rounds, delay) for delay in DELAYS}
        extra[rounds] = {policy: linear_in_delay(rounds, policy, regret) for policy in LEARNERS}
    for policy in LEARNERS:
        short, long = extra[400][policy], extra[1000][policy]
        assert short.lower < long.upper
        assert long.lower < short.upper


# What the comments at the top of the shipped scenarios say, in the order of their names.


def test_churn_hides_those_who_left() -> None:
    result = run("churn", policies=["random", "oracle"], plot=False)
    curves = result.curves[result.curves["policy"] == "random"]
    mean = (curves["expected_reward"] / curves["users"].clip(lower=1)).to_numpy()
    assert mean[170:200].mean() > mean[:60].mean() + 0.1
    assert result.rows[0].users_at_the_end < 20
    assert 0.4 < result.rows[1].users_at_the_end / 400 < 0.6


def test_drift_abrupt_makes_linucb_worse_than_random() -> None:
    result = run("drift_abrupt", plot=False)
    late = result.curves[result.curves["round"] > 200].groupby("policy")["regret"].sum()
    assert late["linucb"] > late["random"] > late["dlinucb"]
    early = result.users[result.users["round"] == 200].groupby("policy")["regret"].mean()
    assert early["linucb"] < early[[*FORGETFUL, "restart_linucb:period=80"]].min()


def test_drift_gradual_is_for_windows_and_only_the_restless_gain() -> None:
    values = played(load("drift_gradual"))
    assert values.mean().sort_values().index.tolist() == [
        *("oracle", "swlinucb", "restart_linucb:period=80", "dlinucb", "linucb", "random"),
    ]
    settled = values.index.get_level_values("segment") == "settled"
    assert more(values[settled], "linucb", "swlinucb").lower > 0
    assert more(values[~settled], "linucb", "swlinucb").upper < 0


def test_fatigue_is_worse_for_those_who_never_vary() -> None:
    reward = played(scenario := load("fatigue"), "expected_reward")
    learners = [policy for policy in scenario.policies if policy not in {"random", "oracle"}]
    assert all(more(reward, policy, "random").lower > 0 for policy in learners)


def test_newcomers_pay_for_a_timid_bonus() -> None:
    regret = played(load("newcomers"))
    assert more(regret, "linucb", "linucb:alpha=0.3").lower > 0


def test_a_random_walk_wants_some_forgetting() -> None:
    gammas = [f"dlinucb:gamma={gamma}" for gamma in (0.9, 0.97, 0.995)]
    regret = played(load("random_walk").with_(policies=gammas))
    assert more(regret, gammas[1], gammas[0]).lower > 0
    assert more(regret, gammas[1], gammas[2]).lower > 0


def test_silent_users_keep_an_optimist_optimistic_where_it_annoys() -> None:
    scenario = load("silent_users")
    fields = scenario.canonical()
    del fields["feedback"]
    silent, loud = played(scenario), played(validate(fields))
    ratio = (silent.mean() / loud.mean())[["linucb:features=oo7x", "egreedy:features=oo7x"]]
    assert ratio.iloc[0] > 1.3
    assert ratio.iloc[1] < 1.1
    more_of = (silent - loud).groupby("segment", observed=True)["linucb:features=oo7x"].mean()
    assert more_of["annoyed"] > 5 * more_of["fond"]


def test_at_the_weekend_features_help_and_forgetting_does_not() -> None:
    regret = played(load("weekend"))
    assert more(regret, "linucb", "linucb:features=oo7x").upper < -0.4 * regret["linucb"].mean()
    assert all(more(regret, "linucb", policy).lower > 0 for policy in FORGETFUL)
