"""Measures what a decision costs under each policy, for "Which policy?": `python docs/costs.py`, then reference.py.

CPU time of `oo_sim.run` on `quickstart`, one process, over that of linucb: all policies in turn, nine times, and the
least of each, since other load only adds; the range is of the ratios within a turn. It is the whole loop (the world,
the choice, the update, the tallies), so that the parts which all share draw the ratios towards 1.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import oo_sim
from oo_sim.policies import POLICIES

COSTS = Path(__file__).with_suffix(".json")
USERS, ROUNDS, TURNS = 1_600, 100, 9


def cpu_seconds(policy: str, users: int = USERS) -> float:
    """CPU seconds of one run of a policy."""
    start = time.process_time()
    oo_sim.run("quickstart", policies=[policy], users=users, rounds=ROUNDS, workers=1, progress=False)
    return time.process_time() - start


if __name__ == "__main__":
    for name in POLICIES:
        cpu_seconds(name, users=64)  # compiled, or loaded as it was compiled before
    turns = [{name: cpu_seconds(name) for name in POLICIES} for _ in range(TURNS)]
    least = {name: min(turn[name] for turn in turns) for name in POLICIES}
    within = {name: sorted(round(turn[name] / turn["linucb"], 2) for turn in turns) for name in POLICIES}
    found = {
        "users": USERS,
        "rounds": ROUNDS,
        "turns": TURNS,
        "microseconds": round(least["linucb"] / (USERS * ROUNDS) * 1e6, 2),
        "ratio": {name: round(each / least["linucb"], 2) for name, each in least.items()},
        "range": {name: f"{each[0]} to {each[-1]}" for name, each in within.items()},
    }
    COSTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
