"""What a state directory refuses to go on with, how it is rebuilt, and how its writer handles what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from oo_sim.entrants import Entrant
from oo_sim.logs import RunLogError
from oo_sim.policies import POLICIES, learned_with, make, policy_hash
from oo_sim.serving import ServingError, create_app
from oo_sim.serving.database import FILE, connect, open_store, prepare
from oo_sim.serving.export import export_log
from oo_sim.serving.migrate import migrate
from oo_sim.serving.mounts import Mounts
from oo_sim.serving.store import Model, Store, StoreError
from oo_sim.serving.writer import Writer

from .conftest import Client, serving, task


def _use(client: Client, rounds: int = 6) -> None:
    for i in range(rounds):
        offered = [task("a", priority=1 + i % 4), task("b", is_overdue=True, task_age_days=i)]
        context = {"hour_of_day": 2 * i, "day_of_week": i}
        reply = client.post("/score", {"user_id": "u", "candidates": offered, "context": context})
        if i % 3:
            reaction = "done" if i % 2 else "dismiss"
            client.post("/react", {"decision_id": reply["decision_id"], "reaction": reaction})


def _theta(state: Path, *policies: str) -> Any:
    with serving(state, policies=policies) as client:
        return client.get("/stats/u")["theta"]


def test_another_alpha_goes_on_with_the_same_state(tmp_path: Path) -> None:
    with serving(tmp_path, seed=1) as client:
        _use(client)
        theta = client.get("/stats/u")["theta"]
    with serving(tmp_path, policies=["linucb:alpha=0.25"]) as client:
        assert client.get("/stats/u")["theta"] == theta
        assert client.post("/score", {"user_id": "u", "candidates": [task("a")]})["decision_id"] == "linucb/0/6/u"


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("linucb:prior=2", "prior=2.0"),
        ("linucb:features=oo7", "dow_sin"),
        ("linucb=egreedy:features=oo5", "policy=egreedy"),
    ],
)
def test_what_learns_otherwise_is_refused_by_name(tmp_path: Path, spec: str, told: str) -> None:
    prepare(tmp_path, Mounts().all.values(), 1)
    with pytest.raises(ServingError, match="policy linucb: the state here was learned with") as refused:
        create_app(tmp_path, policies=[spec])
    assert told in str(refused.value)
    assert "oo-sim migrate" in str(refused.value)


@pytest.mark.parametrize("spec", ["linucb:prior=2", "linucb:features=oo7", "linucb:features=oo7x", "linucb=egreedy"])
def test_migration_gives_the_state_that_such_a_policy_would_have_learned(tmp_path: Path, spec: str) -> None:
    """The learnings are the same whatever chose, so the state must be that of a server fed the same rewards."""
    with serving(tmp_path / "old", seed=1) as client:
        _use(client)
        learned = client.get("/features/u")["history"]
    migrated = {one.label: one for one in migrate(tmp_path / "old", [spec])}
    assert (migrated["linucb"].changed, migrated["linucb"].users, migrated["linucb"].learnings) == (True, 1, 4)
    assert not migrated["egreedy"].changed
    with serving(tmp_path / "new", policies=[spec], seed=1) as client:
        for i, one in enumerate(learned):
            features = {name: one["features"][name] for name in ("is_overdue", "task_age_days", "priority")}
            context = {"hour_of_day": one["features"]["hour_of_day"], "day_of_week": i}
            offered = [task("a", **features)]
            reply = client.post("/score", {"user_id": "u", "candidates": offered, "context": context})
            if i % 3:
                body = {"decision_id": reply["decision_id"], "reaction": "done" if i % 2 else "dismiss"}
                client.post("/react", body)
    assert _theta(tmp_path / "old", spec) == _theta(tmp_path / "new", spec)


def test_migration_refuses_what_a_reward_did_not_say(tmp_path: Path) -> None:
    with serving(tmp_path, seed=1) as client:
        client.post("/reward", {"user_id": "u", "tip_id": "a", "reward": 1, "features": {}})
    with pytest.raises(ServingError, match="'u' was given without its decision"):
        migrate(tmp_path, ["linucb:features=oo7x"])
    assert _theta(tmp_path) != [0.0] * 5  # nothing was changed


def test_a_server_stops_writing_when_its_state_is_migrated(tmp_path: Path) -> None:
    with serving(tmp_path, seed=1) as client:
        _use(client)
        migrate(tmp_path, ["linucb:prior=2"])
        answer = client.call("POST", "/score", {"user_id": "u", "candidates": [task("a")]})
        assert answer.status == 503
        assert "migrated" in answer.body["detail"]


def test_another_seed_is_refused(tmp_path: Path) -> None:
    prepare(tmp_path, Mounts().all.values(), 1)
    prepare(tmp_path, Mounts().all.values(), 1)
    with pytest.raises(ServingError, match="made with seed 1"):
        create_app(tmp_path, seed=2)


def test_what_is_no_state_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"this is no database, but it is long enough to be looked at" * 20)
    with pytest.raises(ServingError, match=FILE):
        create_app(tmp_path)
    with pytest.raises(ServingError, match="does not exist"):
        connect(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(ServingError, match="cannot be made: Not a directory"):
        create_app(tmp_path / "file" / "state")
    with pytest.raises(ServingError, match="file is a file; a directory for the state is expected"):
        create_app(tmp_path / "file")


@pytest.mark.parametrize(
    ("specs", "told"),
    [
        (["oracle"], "only a simulated world"),
        (["nope"], "no policy 'nope'"),
        (["linucb:alpha=-1"], "alpha"),
        (["linucb", "linucb:alpha=2"], "mounted twice"),
        (["a/b=linucb"], "not a name to mount"),
        (["!"], "not a policy name"),
    ],
)
def test_what_cannot_be_mounted_is_refused(specs: Sequence[str], told: str) -> None:
    with pytest.raises(ServingError, match=told):
        Mounts(specs)


def test_an_export_never_overwrites_and_holds_resets(tmp_path: Path) -> None:
    with serving(tmp_path / "state", seed=1) as client:
        _use(client)
        client.post("/reset/u")
        _use(client, 2)
        assert export_log(tmp_path / "state", tmp_path / "out") == (8, 6)  # while the server runs
        with pytest.raises(RunLogError, match="not empty"):
            export_log(tmp_path / "state", tmp_path / "out")
    rows = pq.read_table(tmp_path / "out" / "learnings.parquet").to_pylist()
    assert [(row["seq"], row["kind"]) for row in rows][4:] == [(4, "reset"), (5, "reward")]
    assert [row["t"] for row in pq.read_table(tmp_path / "out" / "decisions.parquet").to_pylist()] == list(range(8))


def test_one_failing_call_leaves_its_batch_alone(tmp_path: Path) -> None:
    prepare(tmp_path, Mounts().all.values(), 1)

    def note(key: str, fail: Exception | None = None) -> Any:
        def work(store: Store) -> str:
            store.write_model(key, "linucb", Model())
            if fail:
                raise fail
            return key

        return work

    async def calls() -> list[Any]:
        writer = Writer(open_store(tmp_path))
        works = [note("a"), note("b", ValueError("no")), note("c"), note("a"), note("d")]
        try:
            return await asyncio.gather(*(writer.submit(work) for work in works), return_exceptions=True)
        finally:
            await writer.close()

    a, b, c, again, d = asyncio.run(calls())
    assert (a, c, d) == ("a", "c", "d")
    assert isinstance(b, ValueError)
    assert isinstance(again, StoreError)
    db = connect(tmp_path)
    try:
        assert {user for (user,) in db.execute("SELECT user FROM models")} == {"a", "c", "d"}
    finally:
        db.close()


def test_a_policy_is_hashed_as_in_a_run() -> None:
    for name in POLICIES:
        policy = make(name)
        assert policy_hash(policy) == Entrant(name, policy).hash


def test_only_what_is_learned_counts() -> None:
    assert learned_with(make("linucb", {"alpha": 2})) == learned_with(make("linucb"))
    assert learned_with(make("egreedy", {"epsilon": 0.5, "decay": 1.0})) == learned_with(make("egreedy"))
    assert learned_with(make("linucb", {"prior": 2})) != learned_with(make("linucb"))
    assert learned_with(make("linucb")) != learned_with(make("greedy"))
