"""The logging policy, run again in the world that was fitted to its log: do people react as they did?"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from oo_sim.contract import F64
from oo_sim.errors import FitError, OoSimError
from oo_sim.experiment import run
from oo_sim.fitting.said import FitSaid
from oo_sim.logs import Log, LoggedPolicy, open_log
from oo_sim.policies import make
from oo_sim.scenario import Scenario, load
from oo_sim.stats import Band, sup_t_band

_USERS, _ROUNDS, _POINTS = 400, 300, 40


class Again(NamedTuple):
    """Mean reward per decision up to each of `rounds` (T,), in the log and in the fitted world, with 95 % bands."""

    rounds: F64
    logged: Band
    fitted: Band

    @property
    def apart(self) -> float:
        """The share of points at which the two bands do not meet."""
        meet = (self.logged.lower <= self.fitted.upper) & (self.fitted.lower <= self.logged.upper)
        return float(1.0 - meet.mean())


def known(path: Path) -> FitSaid:
    """What `NAME.fit.json` holds. Raises FitError where it is not one."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FitError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise FitError(f"{path}: is not JSON: {error}") from error
    missing = {"format", "log", "policy", "people", "held_out", "calibration", "terms"} - set(
        said if isinstance(said, dict) else ()
    )
    if missing:
        raise FitError(f"{path}: has no {', '.join(sorted(missing))}; a file that oo-sim fit wrote is expected")
    found: FitSaid = said
    return found


def scenario_beside(path: Path) -> Scenario:
    """The fitted scenario that stands beside `NAME.fit.json`."""
    return load(path.with_name(path.name.removesuffix(".fit.json") + ".yaml"))


def again(said: FitSaid, scenario: Scenario) -> Again:
    """Runs the logging policy in the fitted world, with as many users and rounds as the log has, up to 400 and 300.

    Both curves are of what was observed: no reaction counts as 0. Raises FitError where the log is gone or the
    policy cannot be made again.
    """
    log = open_log(said["log"]["path"])
    described = next((policy for policy in log.policies if policy.label == said["policy"]), None)
    if described is None:
        raise FitError(f"{log.path}: holds no policy {said['policy']!r} any more")
    rewards = _rewards(log, described.label)
    users, rounds = rewards.shape
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "again"
        spec = _made(described)
        run(scenario, policies=[spec], users=users, rounds=rounds, seed=20_261, events=True, out=out, plot=False)
        fitted = open_log(out)
        repeated = _rewards(fitted, fitted.policies[0].label)
    points = np.unique(np.geomspace(1, rounds, _POINTS).round().astype(np.int64))
    return Again(points.astype(np.float64), *(_band(each, points) for each in (rewards, repeated)))


def _made(described: LoggedPolicy) -> Any:
    name = described.name or described.label
    try:
        return make(name, dict(described.parameters))
    except OoSimError as error:
        raise FitError(f"policy {described.label} cannot be made again: {error}") from error


def _rewards(log: Log, label: str) -> F64:
    """Rewards (users, rounds) of the users who decided at least as often as the median user."""
    lanes: list[F64] = []
    for part in log.parts(label):
        for lane, one in enumerate(part.lanes):
            if one.replicate in (0, None):
                lanes.append(part.reward[part.lane == lane])
    rounds = min(int(np.median([len(each) for each in lanes])), _ROUNDS)
    kept = [each[:rounds] for each in lanes if len(each) >= rounds][:_USERS]
    return np.stack(kept)


def _band(rewards: F64, points: np.ndarray[Any, np.dtype[np.int64]]) -> Band:
    return sup_t_band(rewards.cumsum(axis=1)[:, points - 1] / points, seed=1)
