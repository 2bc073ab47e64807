"""The numbers behind the curves: averages in growing blocks of rounds, running sums, and bands over users."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from oo_sim.contract import F64, I64
from oo_sim.logs import Manifest
from oo_sim.results.summary import LEVEL
from oo_sim.results.values import last_round
from oo_sim.stats import mean_interval

if TYPE_CHECKING:
    import pandas as pd

_BLOCKS = 40
_POINTS = 400


class Line(NamedTuple):
    """A policy's curve: y (m,) at the rounds x (m,), and half the width of its band (m,), nan without one."""

    label: str
    x: F64
    y: F64
    half: F64


def blocks(rounds: int, count: int = _BLOCKS) -> I64:
    """Starts (0-based) of at most `count` blocks of rounds, the first of one round, then ever longer."""
    return np.unique(np.geomspace(1, rounds + 1, count + 1).astype(np.int64))[:-1] - 1


def reward_lines(manifest: Manifest, curves: pd.DataFrame) -> list[Line]:
    """Expected reward per decision, averaged over blocks of rounds, each drawn at its mean round."""
    lines = []
    for label, frame in _by_round(manifest, curves):
        starts = blocks(len(frame))
        rounds = np.arange(1.0, len(frame) + 1)
        counts = np.diff([*starts, len(frame)])
        rewards = np.add.reduceat(frame["expected_reward"].to_numpy(float), starts)
        decisions = np.add.reduceat(frame["users"].to_numpy(float), starts)
        x = np.add.reduceat(rounds, starts) / counts
        mean = np.divide(rewards, decisions, out=np.full(len(x), np.nan), where=decisions > 0)
        lines.append(Line(label, x, mean, np.full(len(x), np.nan)))
    return lines


def regret_lines(manifest: Manifest, curves: pd.DataFrame, users: pd.DataFrame) -> list[Line]:
    """Regret per user, summed up to each round, with its band over users.

    A user counts who decided at all, also before it has come and after it has left. The band is computed at the
    checkpoints; between them its width is interpolated.
    """
    lines = []
    decided = set(last_round(users).query("decisions > 0")["user_id"])
    users = users[users["user_id"].isin(decided)] if decided else users
    everybody = max(len(decided), 1) * manifest.replicates
    for label, frame in _by_round(manifest, curves):
        total = np.cumsum((frame["regret"] / everybody).to_numpy(float))
        keep = np.unique(np.append(np.linspace(0, len(total) - 1, _POINTS).astype(int), blocks(len(total))))
        half = np.interp(keep + 1.0, *_half_widths(users[users["policy"] == label]))
        lines.append(Line(label, keep + 1.0, total[keep], half))
    return lines


def _by_round(manifest: Manifest, curves: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Each policy's sums by round, over its replicates; policies without results are left out."""
    sums = curves.groupby(["policy", "round"], sort=True)[["users", "expected_reward", "regret"]].sum()
    found = sums.index.get_level_values("policy").unique()
    return [(label, sums.loc[label]) for label in manifest.labels if label in found]  # type: ignore[misc]


def _half_widths(users: pd.DataFrame) -> tuple[F64, F64]:
    """Checkpoints, and half the 95 % interval over users at each; replicates of a user are averaged."""
    values = users.groupby(["round", "user_id"])["regret"].mean()
    groups = values.groupby(level="round")
    intervals = {at: mean_interval(group.to_numpy(), LEVEL) for at, group in groups}
    return np.array([*intervals], dtype=float), np.array([each.width / 2 for each in intervals.values()])
