"""The numbers behind the curves: averages in growing blocks of rounds, running sums, and bands over users; from a run's
tables, and from its logged decisions how much of them was exploration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from oo_sim.contract import F64, I64
from oo_sim.logs import Log, Manifest, RunFiles
from oo_sim.results.run import Run, log_of
from oo_sim.results.summary import LEVEL, last_round
from oo_sim.stats import mean_interval

if TYPE_CHECKING:
    import pandas as pd

_BLOCKS = 40
_POINTS = 400
_EXPLORED_BLOCKS = 24


class Line(NamedTuple):
    """A policy's curve: y (m,) at the rounds x (m,), and half the width of its band (m,), nan without one."""

    label: str
    x: F64
    y: F64
    half: F64


def blocks(rounds: int, count: int = _BLOCKS) -> I64:
    """Starts (0-based) of at most `count` blocks of rounds, the first of one round, then ever longer."""
    return np.unique(np.geomspace(1, rounds + 1, count + 1).astype(np.int64))[:-1] - 1


def reward_lines(manifest: Manifest, curves: pd.DataFrame, users: pd.DataFrame | None) -> list[Line]:
    """Expected reward per decision (realised, where it was served), averaged over blocks of rounds, each drawn at its
    mean round, with its band.

    The band is over users who decided between one checkpoint and the next; in between, its width is interpolated.
    Without users, and before the middle of the first of those stretches, there is none.
    """
    column = "reward" if manifest.served else "expected_reward"
    lines = []
    for label, frame in _by_round(manifest, curves):
        starts = blocks(len(frame))
        rounds = np.arange(1.0, len(frame) + 1)
        counts = np.diff([*starts, len(frame)])
        rewards = np.add.reduceat(frame[column].to_numpy(float), starts)
        decisions = np.add.reduceat(frame["users"].to_numpy(float), starts)
        x = np.add.reduceat(rounds, starts) / counts
        mean = np.divide(rewards, decisions, out=np.full(len(x), np.nan), where=decisions > 0)
        half = np.full(len(x), np.nan)
        if users is not None:
            half = np.interp(np.log(x), *_reward_half_widths(users[users["policy"] == label], column), left=np.nan)
        lines.append(Line(label, x, mean, half))
    return lines


def regret_lines(manifest: Manifest, curves: pd.DataFrame, users: pd.DataFrame | None) -> list[Line]:
    """Regret per user, summed up to each round, with its band over users.

    Every user who decided at all counts, also before it comes and after it leaves. The band is computed at the
    checkpoints; between them its width is interpolated; without users, and before the first checkpoint, there is none.
    A served log has no regret, and no line.
    """
    if manifest.served:
        return []
    lines = []
    if users is None:
        decided = max((each["n"] for each in manifest.moments.values()), default=0)
    else:
        last = last_round(users)
        known = last.loc[last["decisions"] > 0, "user_id"].unique()
        decided = len(known)
        if 0 < decided < last["user_id"].nunique():
            users = users[users["user_id"].isin(known)]
    everybody = max(decided, 1) * manifest.replicates
    for label, frame in _by_round(manifest, curves):
        total = np.cumsum((frame["regret"] / everybody).to_numpy(float))
        keep = np.unique(np.append(np.linspace(0, len(total) - 1, _POINTS).astype(int), blocks(len(total))))
        half = np.full(len(keep), np.nan)
        if users is not None:
            half = np.interp(keep + 1.0, *_half_widths(users[users["policy"] == label]), left=np.nan)
        lines.append(Line(label, keep + 1.0, total[keep], half))
    return lines


def _by_round(manifest: Manifest, curves: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Each policy's sums by round, over its replicates; policies without results are left out."""
    sums = curves.groupby(["policy", "round"], sort=True)[["users", "reward", "expected_reward", "regret"]].sum()
    found = sums.index.get_level_values("policy").unique()
    return [(label, sums.loc[label]) for label in manifest.labels if label in found]  # type: ignore[misc]


def _reward_half_widths(users: pd.DataFrame, column: str) -> tuple[F64, F64]:
    """Logarithms of rounds in the middle between checkpoints, and half the 95 % interval over users there."""
    ends, values = _by_user(users, (column, "decisions"))
    if len(ends) == 1 and ends[0] > 1:
        return np.zeros(1), np.full(1, np.nan)  # of all rounds together, which is not that of any block
    earned, decided = np.diff(values, axis=1, prepend=0.0)
    starts = np.append(0.0, ends[:-1]) + 1.0
    known = [mean_interval(e[d > 0] / d[d > 0], LEVEL).width / 2 for e, d in zip(earned, decided, strict=True)]
    return (np.log((starts + ends) / 2), np.array(known)) if known else (np.zeros(1), np.full(1, np.nan))


def _half_widths(users: pd.DataFrame) -> tuple[F64, F64]:
    """Checkpoints, and half the 95 % interval over users at each; replicates of a user are averaged."""
    ends, values = _by_user(users, ("regret",))
    return ends, np.array([mean_interval(at, LEVEL).width / 2 for at in values[0]])


def _by_user(users: pd.DataFrame, columns: Sequence[str]) -> tuple[F64, F64]:
    """A policy's checkpoints (C,), and each user's values there (columns, C, users), averaged over replicates."""
    rounds = users["round"].to_numpy()
    ends = np.unique(rounds)
    regular = len(users) and len(users) % len(ends) == 0 and (rounds.reshape(-1, len(ends)) == ends).all()
    if regular and users["replicate"].nunique() == 1:  # as a run writes it: a user's checkpoints stand together
        found = [users[column].to_numpy(np.float64).reshape(-1, len(ends)).T for column in columns]
    else:
        means = users.groupby(["round", "user_id"])[[*columns]].mean()
        found = [means[column].unstack("user_id").to_numpy(np.float64) for column in columns]
    return ends.astype(np.float64), np.array(found)


def explores(run: Run) -> bool:
    """Whether the run logged decisions of a policy that explores."""
    return run.path is not None and RunFiles(run.path).has_events and bool(exploration_lines(run))


def exploration_lines(run: Run) -> list[Line]:
    """Share of decisions explored in blocks of rounds, with its band over users; policies without the notion are
    left out. Raises `RunLogError` when the run logged no decisions."""
    log, starts = log_of(run), blocks(run.manifest.rounds, _EXPLORED_BLOCKS)
    counted = {policy.label: _explored(log, policy.label, starts) for policy in log.policies}
    x = (starts + 1 + np.append(starts[1:], run.manifest.rounds)) / 2.0
    return [_share(label, x, *counts) for label, counts in counted.items() if counts.any()]


def _explored(log: Log, label: str, starts: I64) -> F64:
    """How many decisions were explored, and how many there were (2, users, blocks); over a user's replicates."""
    counts: dict[str, F64] = {}
    for part in log.parts(label):
        known = np.isfinite(part.explored)
        if not known.any():
            break  # the policy has no such notion
        here = np.zeros((2, len(part.lanes), len(starts)))
        at = part.lane[known], np.searchsorted(starts, part.t[known], "right") - 1
        np.add.at(here[0], at, part.explored[known])
        np.add.at(here[1], at, 1.0)
        for i, lane in enumerate(part.lanes):
            counts[lane.user_id] = counts.get(lane.user_id, 0.0) + here[:, i]
    return np.stack([*counts.values()], axis=1) if counts else np.zeros((2, 0, len(starts)))


def _share(label: str, x: F64, explored: F64, decisions: F64) -> Line:
    found = []
    for j in range(len(x)):
        seen = decisions[:, j] > 0
        found.append(mean_interval(explored[seen, j] / decisions[seen, j], LEVEL))
    return Line(label, x, np.array([each.estimate for each in found]), np.array([each.width / 2 for each in found]))
