"""Mixed calls from many threads against server processes, and whether the state holds what was acknowledged."""

from __future__ import annotations

import http.client
import random
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from oo_sim.serving.database import FILE

from .conftest import Answer, Client, task


class Acknowledged(NamedTuple):
    """What the server said it has done: decisions and rewards by (policy, user), and every status."""

    decided: Counter[tuple[str, str]]
    rewarded: Counter[tuple[str, str]]
    statuses: Counter[int]


def hammer(port: int, threads: int, calls: int, users: int, stop: Callable[[], bool] = lambda: False) -> Acknowledged:
    """Send `calls` calls from each thread: scores and rewards under both policies, some rewards twice. A thread ends
    when its connection does."""
    known = Acknowledged(Counter(), Counter(), Counter())
    lock = threading.Lock()

    def work(number: int) -> None:
        client, chance = Client(port), random.Random(number)
        try:
            for _ in range(calls):
                if stop():
                    return
                _one(client, chance, users, known, lock)
        except (OSError, http.client.HTTPException):
            return  # the server was killed
        finally:
            client.close()

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return known


def _one(client: Client, chance: random.Random, users: int, known: Acknowledged, lock: threading.Lock) -> None:
    user, policy = f"user-{chance.randrange(users)}", chance.choice(("linucb", "egreedy"))
    path = "" if policy == "linucb" else "/egreedy"
    if chance.random() < 0.5:
        offered = [task(f"t{k}", priority=1 + k, is_overdue=k == 1) for k in range(chance.randrange(1, 4))]
        context = {"hour_of_day": chance.randrange(24), "day_of_week": chance.randrange(7)}
        answer = client.call("POST", f"/score{path}", {"user_id": user, "candidates": offered, "context": context})
        _note(known.decided, (policy, user), answer, known, lock)
        if answer.status == 200 and chance.random() < 0.5:
            body = {
                "decision_id": answer.body["decision_id"],
                "reaction": chance.choice(("done", "dismiss", "helpful")),
            }
            _note(known.rewarded, (policy, user), client.call("POST", "/react", body), known, lock)
            if chance.random() < 0.3:
                again = client.call("POST", "/react", body)
                assert again.body == {"ok": True, "duplicate": True}
    else:
        features = {"hour_of_day": chance.randrange(24), "task_age_days": chance.uniform(0, 40)}
        body = {"user_id": user, "tip_id": "t", "reward": chance.uniform(-1, 1), "features": features}
        _note(known.rewarded, (policy, user), client.call("POST", f"/reward{path}", body), known, lock)


def _note(
    count: Counter[tuple[str, str]], key: tuple[str, str], answer: Answer, known: Acknowledged, lock: threading.Lock
) -> None:
    with lock:
        known.statuses[answer.status] += 1
        count[key] += answer.status == 200


def applied(state: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """What the state holds, by (policy, user)."""
    db = sqlite3.connect(state / FILE)
    db.row_factory = sqlite3.Row
    try:
        rows = db.execute("SELECT m.*, label FROM models m JOIN policies p ON p.id = m.policy").fetchall()
        return {(row["label"], row["user"]): dict(row) for row in rows}
    finally:
        db.close()


def check_replay(state: Path) -> float:
    """Learn the log again by plain linear algebra; the largest difference from any stored theta."""
    db = sqlite3.connect(state / FILE)
    worst = 0.0
    try:
        for user, policy, data in db.execute(
            "SELECT user, policy, state FROM models WHERE state IS NOT NULL"
        ).fetchall():
            rows = db.execute(
                "SELECT x, reward, seq FROM learnings WHERE user = ? AND policy = ? ORDER BY seq", (user, policy)
            ).fetchall()
            assert [seq for _, _, seq in rows] == list(range(len(rows)))
            if not rows:
                continue
            x = np.array([np.frombuffer(one) for one, _, _ in rows])
            rewards = np.array([reward for _, reward, _ in rows])
            d = x.shape[1]
            theta = np.linalg.solve(np.eye(d) + x.T @ x, x.T @ rewards)
            worst = max(worst, float(np.abs(theta - np.frombuffer(data)[-d:]).max()))
    finally:
        db.close()
    return worst
