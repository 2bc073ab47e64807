"""Policies that forget, where there is something to forget and where there is not; tests/slow has it at length."""

from __future__ import annotations

import pytest

from oo_sim import run
from oo_sim.scenario import load, validate
from oo_sim.stats import Interval, paired


def forgetting_costs(policy: str, drift: bool) -> Interval:
    """How much more regret per user the policy has than LinUCB, with its 99 % interval over users, paired."""
    fields = load("drift_abrupt").canonical() | {"users": 150, "policies": ["linucb", policy]}
    if not drift:
        del fields["world"]["drift"]
    result = run(validate(fields), threads=1, plot=False)
    last = result.users[result.users["round"] == fields["rounds"]]
    regret = {name: last[last["policy"] == name]["regret"].to_numpy() for name in fields["policies"]}
    return paired(regret["linucb"], regret[policy], level=0.99).difference


@pytest.mark.parametrize("policy", ["dlinucb", "swlinucb"])
def test_forgetting_pays_where_taste_is_reversed_and_costs_where_it_is_not(policy: str) -> None:
    """Both intervals miss zero on the right side; a policy that does not differ passes one with probability 0.005."""
    assert forgetting_costs(policy, drift=True).upper < -30
    assert forgetting_costs(policy, drift=False).lower > 0
