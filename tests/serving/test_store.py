"""Another store behind the server: all in dictionaries, it speaks the same protocol and gives the same answers."""

from __future__ import annotations

import copy
import random
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from oo_sim.logs import LoggedPolicy
from oo_sim.serving.database import open_store
from oo_sim.serving.migrate import migrate_store
from oo_sim.serving.mounts import Mounts
from oo_sim.serving.store import DecisionRow, LearningRow, Model, Store

from .conftest import Client, serving, task


class Dictionaries:
    """A store in memory. One writes at a time; what is not committed is thrown away."""

    def __init__(self, seed: int) -> None:
        self.seed, self.changes = seed, 0
        self._kept: dict[str, Any] = {
            **{"models": {}, "decisions": {}, "learnings": [], "policies": {}, "variants": {}},
            "migrations": {"count": 0},
        }
        self._open: dict[str, Any] | None = None
        self._lock = threading.Lock()

    @property
    def _now(self) -> dict[str, Any]:
        assert self._open is not None, "outside a transaction"
        return self._open

    def begin(self) -> bool:
        if not self._lock.acquire(blocking=False):
            return False
        self._open = {name: copy.copy(table) for name, table in self._kept.items()}
        return True

    def commit(self) -> None:
        self._kept = self._now
        self.rollback()

    def rollback(self) -> None:
        if self._open is not None:
            self._open = None
            self._lock.release()

    def snapshot(self) -> None:
        assert self.begin()

    def close(self) -> None:
        self.rollback()

    def migrations(self) -> int:
        count: int = (self._open or self._kept)["migrations"]["count"]
        return count

    def model(self, user: str, policy: str) -> Model:
        found: Model = self._now["models"].get((user, policy), Model())
        return found

    def models(self, user: str) -> list[tuple[str, Model]]:
        return [(policy, model) for (whose, policy), model in self._now["models"].items() if whose == user]

    def write_model(self, user: str, policy: str, model: Model) -> None:
        self.changes += 1
        self._now["models"][user, policy] = model._replace(version=model.version + 1)

    def decision(self, user: str, policy: str, t: int) -> DecisionRow | None:
        found: DecisionRow | None = self._now["decisions"].get((user, policy, t))
        return found

    def history(self, user: str, limit: int) -> list[DecisionRow]:
        rows = self._now["decisions"].values()
        return [row for row in rows if row.user == user and row.t >= self.model(user, row.policy).since][-limit:]

    def log_decision(self, row: DecisionRow) -> None:
        self.changes += 1
        self._now["decisions"][row.user, row.policy, row.t] = row

    def log_learning(self, row: LearningRow) -> None:
        self.changes += 1
        self._now["learnings"].append(row)
        if row.t_decided is not None:
            key = row.user, row.policy, row.t_decided
            self._now["decisions"][key] = self._now["decisions"][key]._replace(reward=row.reward)

    def policies(self) -> dict[str, Mapping[str, Any]]:
        return dict(self._now["policies"])

    def register(self, policy: str, learned_with: Mapping[str, Any]) -> None:
        self._now["policies"][policy] = learned_with

    def variants(self) -> list[LoggedPolicy]:
        return list(self._now["variants"].values())

    def add_variant(self, described: LoggedPolicy) -> None:
        self._now["variants"].setdefault((described.label, described.hash), described)

    def decisions(self, policy: str) -> Iterator[DecisionRow]:
        return (row for row in self._now["decisions"].values() if row.policy == policy)

    def learnings(self, policy: str, by_user: bool = False) -> Iterator[LearningRow]:
        rows = [row for row in self._now["learnings"] if row.policy == policy]
        return iter(sorted(rows, key=lambda row: (row.user, row.seq)) if by_user else rows)

    def sizes(self) -> tuple[int, int]:
        found = list(self._now["decisions"])
        return len({user for user, _, _ in found}), max((t + 1 for _, _, t in found), default=0)

    def forget_states(self, policy: str) -> None:
        self.changes += 1
        self._now["migrations"]["count"] += 1
        for (user, one), model in self._now["models"].items():
            if one == policy:
                blank = model._replace(state=None, ticks=0, version=model.version + 1)
                self._now["models"][user, one] = blank


def _calls(client: Client, seed: int = 4) -> list[Any]:
    """Every endpoint that works on the store, some calls twice, some refused; the answers without their times."""
    chance, answers, made = random.Random(seed), list[Any](), list[str]()

    def call(method: str, path: str, body: object = None) -> Any:
        answer = client.call(method, path, body)
        answers.append((path, answer.status, _timeless(answer.body)))
        return answer.body

    for i in range(80):
        user, policy = f"u{chance.randrange(3)}", chance.choice(("linucb", "egreedy", "thompson"))
        offered = [
            task(f"t{k}", priority=1 + (k + i) % 4, is_overdue=k % 2 == 0) for k in range(chance.randrange(1, 5))
        ]
        body = {"user_id": user, "candidates": offered, "context": {"hour_of_day": i % 24, "day_of_week": i % 7}}
        made.append(call("POST", f"/score/{policy}", body)["decision_id"])
        reaction = chance.choice(("done", "helpful", "snooze", "not_helpful", "dismiss"))
        for _ in range(chance.randrange(3)):
            call("POST", "/react", {"decision_id": chance.choice(made), "reaction": reaction})
        if i % 9 == 0:
            call("POST", "/reward", {"user_id": user, "tip_id": "x", "reward": 0.5, "features": {"priority": 2}})
        if i % 25 == 24:
            call("POST", f"/reset/{user}")
        call("GET", f"/stats/{policy}/{user}")
    for user in ("u0", "u1", "u2", "nobody"):
        call("GET", f"/features/{user}")
    return answers


def _timeless(body: Any) -> Any:
    if isinstance(body, dict):
        return {key: _timeless(value) for key, value in body.items() if key not in ("ts", "last_updated", "request_id")}
    return [_timeless(one) for one in body] if isinstance(body, list) else body


def _life(state: Path, store: Dictionaries | None) -> list[Any]:
    """All answers of a server, of its migration to another prior, and of a server that goes on from there."""
    settings: dict[str, Any] = {"seed": 3} if store is None else {"store": lambda: store}
    with serving(state, policies=["thompson"], **settings) as client:
        answers = _calls(client)
    changed = "linucb:prior=2"
    opened: Store = store or open_store(state)
    try:
        answers.append(migrate_store(opened, Mounts([changed, "thompson"])))
    finally:
        opened.close()
    with serving(state, policies=[changed, "thompson"], **settings) as client:
        answers += [
            _timeless(client.get(f"/stats/{policy}/u{i}")) for policy in ("linucb", "thompson") for i in range(3)
        ]
        return answers + _calls(client, 5)


def test_another_store_gives_the_same_answers_also_after_a_migration(tmp_path: Path) -> None:
    found = _life(tmp_path / "none", Dictionaries(seed=3))
    assert not (tmp_path / "none").exists()
    assert found == _life(tmp_path / "state", None)
    assert {one[1] for one in found if isinstance(one, tuple)} == {200, 404, 409}
    [migrated] = [one for one in found if isinstance(one, list)]
    assert [(one.label, one.changed, one.users) for one in migrated] == [
        ("linucb", True, 3),
        ("egreedy", False, 0),
        ("thompson", False, 0),
    ]


def test_a_server_on_any_store_stops_when_its_states_are_migrated(tmp_path: Path) -> None:
    store = Dictionaries(seed=3)
    with serving(tmp_path, store=lambda: store) as client:
        client.post("/score", {"user_id": "u", "candidates": [task("a")]})
        assert migrate_store(store, Mounts(["linucb:prior=2"]))[0].changed
        answer = client.call("POST", "/score", {"user_id": "u", "candidates": [task("a")]})
    assert answer.status == 503
    assert "migrated" in answer.body["detail"]
