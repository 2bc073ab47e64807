"""One value per user, out of a run's users table: replicates are averaged, and users without a decision left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd


def user_values(users: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Rows by `keys` and user, in order: `reward`, the mean expected reward per decision, and `regret`, summed.

    `users` is the users table or some of its rows; a user who has made no decision by a checkpoint has no row there.
    """
    known, sums = users[users["decisions"] > 0], ["expected_reward", "regret", "decisions"]
    means = known.groupby([*keys, "user_id"], sort=True, observed=True)[sums].mean()
    return pd.DataFrame({"reward": means["expected_reward"] / means["decisions"], "regret": means["regret"]})


def last_round(users: pd.DataFrame) -> pd.DataFrame:
    """The rows of the last checkpoint."""
    return users[users["round"] == (users["round"].max() if len(users) else np.nan)]
