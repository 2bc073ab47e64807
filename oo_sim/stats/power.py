"""Is this enough users? What a paired comparison of so many users finds, and how many a stated difference takes."""

from __future__ import annotations

import math

from scipy import special

POWER = 0.8
"""How often a difference is to be found that is there."""


def detectable(spread: float, users: int, level: float = 0.95, power: float = POWER) -> float:
    """The difference that a two-sided test over `users` finds with this power, where differences of users have the
    standard deviation `spread`; nan with fewer than 2 users. Source: Cohen (1988), section 2.3, with Student's
    quantiles in place of the normal's."""
    if users < 2:
        return math.nan
    quantiles = float(special.stdtrit(users - 1, 0.5 + level / 2) + special.stdtrit(users - 1, power))
    return quantiles * spread / math.sqrt(users)


def users_for(difference: float, spread: float, level: float = 0.95, power: float = POWER) -> int:
    """The fewest users with which `detectable` is at most `difference`, at least 2. ValueError unless it is above 0."""
    if not difference > 0.0:
        raise ValueError(f"difference: {difference} received; expected a size above 0")
    z = float(special.ndtri(0.5 + level / 2) + special.ndtri(power))
    users = max(2, math.ceil((z * spread / difference) ** 2))
    while detectable(spread, users, level, power) > difference:
        users += max(1, users // 1000)
    return users
