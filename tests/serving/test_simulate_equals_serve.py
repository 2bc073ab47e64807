"""A simulated run, replayed over HTTP, comes out the same to the last bit: choices, scores, logs and states."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import oo_sim
from oo_sim.contract import MIN_LANES, Policy, State
from oo_sim.engine import Block, simulate
from oo_sim.policies import POLICIES as REGISTERED
from oo_sim.policies import make, with_model
from oo_sim.scenario import Scenario
from oo_sim.serving import lanes
from oo_sim.serving.database import FILE
from oo_sim.serving.export import export_log
from oo_sim.serving.mounts import Mounts
from oo_sim.serving.store import Offered
from oo_sim.worlds import build

from .conftest import Client, serving

POLICIES = (
    *(name for name in REGISTERED if name != "oracle"),  # which only a simulated world can tell
    *("thompson:samples=8", "dlinucb:gamma=0.9", "swlinucb:window=7", "egreedy:decay=1", "restart_linucb:period=9"),
)
USERS, ROUNDS, SEED = 2, 12, 1
UNKNOWN = ("ts", "expected_reward", "best_expected_reward", "prompt_version", "llm_model")
"""Columns that a server cannot fill or a simulation does not."""
FEEDBACK = {
    "at once": "",
    "late": "feedback: {delay: {geometric: {mean: 3}}, window: 12, missing: {rate: 0.1}}",
}
"""When rewards are known: late ones arrive several in a round, out of order, and after rounds without any."""


@pytest.fixture(scope="module", params=list(FEEDBACK))
def scenario(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, warm_file: Path
) -> Iterator[Scenario]:
    warm = [f"{name}:warm={warm_file.name}" for name in with_model("ridge")]
    path = tmp_path_factory.mktemp("scenario") / "replay.yaml"
    path.write_text(
        f"""
version: 1
name: replay
users: {USERS}
rounds: {ROUNDS}
seed: {SEED}
policies: [{", ".join(f'"{spec}"' for spec in (*POLICIES, *warm))}]
{FEEDBACK[request.param]}
world:
  kind: tips
  tasks: {{count: {{min: 1, max: 6}}, due_in_days: {{uniform: [-14, 14]}}}}
  tips: {{count: {{min: 0, max: 3}}}}
  reactions: {{no_reaction: 0.3}}
  segments:
    - name: all
      preferences: {{is_overdue: {{mean: 0.8, sd: 0.5}}, "hour_sin*priority": {{mean: -1.0, sd: 0.4}}}}
"""
    )
    with contextlib.chdir(warm_file.parent):
        yield oo_sim.load_scenario(path)


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["policy"], row["user_id"], row["t"] if "t" in row else row["seq"]


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    return sorted(table.to_pylist(), key=_key)


def _interleaved(decisions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Users and policies mixed at random, each in its own order."""
    mixed = np.random.default_rng(5).permutation([f"{row['policy']}/{row['user_id']}" for row in decisions])
    queues: dict[str, Iterator[dict[str, Any]]] = {}
    for row in decisions:
        key = f"{row['policy']}/{row['user_id']}"
        queues.setdefault(key, iter([one for one in decisions if f"{one['policy']}/{one['user_id']}" == key]))
    return [next(queues[key]) for key in mixed]


def _replay(client: Client, row: dict[str, Any], learned: Sequence[dict[str, Any]]) -> None:
    """Ask for a decision, and send what was learned in its round, each reaction as a client does that retries."""
    offered = [
        {
            "id": one["id"],
            "content": "",
            "source": one["source"],
            "source_id": one["task_id"],
            "features": {name: one[name] for name in ("is_overdue", "task_age_days", "priority")},
        }
        for one in row["candidates"]
    ]
    context = {"hour_of_day": row["hour"], "day_of_week": row["day"]}
    body = {"user_id": row["user_id"], "candidates": offered, "context": context}
    reply = client.post(f"/score/{quote(row['policy'])}", body)
    assert reply["tip_id"] == row["candidates"][row["chosen"]]["id"]
    assert (reply["score"], reply["propensity"]) == (row["score"], row["propensity"])
    assert reply["decision_id"] == row["decision_id"]
    for one in learned:
        reaction = {"decision_id": one["decision_id"], "reaction": one["reaction"]}
        assert [client.post("/react", reaction)["duplicate"] for _ in range(2)] == [False, True]


@pytest.mark.e2e
def test_a_simulated_run_is_served_again_bit_for_bit(scenario: Scenario, tmp_path: Path) -> None:
    run, state, served = tmp_path / "run", tmp_path / "state", tmp_path / "served"
    oo_sim.run(scenario, events=True, out=run, plot=False)
    decisions, learnings = (_rows(pq.read_table(run / f"{name}.parquet")) for name in ("decisions", "learnings"))
    assert 0 < len(learnings) < len(decisions)  # rewards are missing
    assert len({len(row["candidates"]) for row in decisions}) > 3  # candidate counts vary
    learned = defaultdict[tuple[str, str, int], list[dict[str, Any]]](list)
    for row in learnings:
        learned[row["policy"], row["user_id"], row["t_now"]].append(row)
    late = [row["t_now"] - row["t_decided"] for row in learnings]
    assert (max(late) > 3 and max(map(len, learned.values())) > 2) == (scenario.feedback is not None)
    mixed = _interleaved(decisions)
    half = len(mixed) // 2
    for part in (mixed[:half], mixed[half:]):  # the server is started again in between
        with serving(state, policies={spec: spec for spec in scenario.policies}, seed=SEED) as client:
            for row in part:
                _replay(client, row, learned[row["policy"], row["user_id"], row["t"]])
    export_log(state, served)
    _compare(served / "decisions.parquet", run / "decisions.parquet")
    _compare(served / "learnings.parquet", run / "learnings.parquet")
    tips = {row["decision_id"]: row["candidates"][row["chosen"]]["id"] for row in decisions}
    for row in pq.read_table(served / "learnings.parquet").to_pylist():
        assert row["tip_id"] == tips[row["decision_id"]]  # a simulated log leaves this to the join
    _compare_states(scenario, state)


def _compare(served: Path, simulated: Path) -> None:
    ours, theirs = pq.read_table(served), pq.read_table(simulated)
    assert ours.schema.equals(theirs.schema)
    assert ours.schema.metadata.keys() == theirs.schema.metadata.keys() if theirs.schema.metadata else True
    blank = dict.fromkeys(UNKNOWN)
    kept = [{**row, **{name: None for name in blank if name in row}} for row in _rows(theirs)]
    for row, expected in zip(_rows(ours), kept, strict=True):
        assert {**row, "ts": None} | ({"tip_id": None} if "tip_id" in row else {}) == expected
        assert row["ts"] is not None


def _compare_states(scenario: Scenario, state: Path) -> None:
    db = sqlite3.connect(state / FILE)
    try:
        found = db.execute(
            "SELECT label, user, decisions, ticks, state FROM models JOIN policies ON policies.id = policy"
        ).fetchall()
    finally:
        db.close()
    mounted = Mounts({spec: spec for spec in scenario.policies}).all
    wanted = {label: _final_state(scenario, mounted[label].policy) for label in scenario.policies}
    assert len(found) == USERS * len(scenario.policies)
    for label, user, decisions, ticks, data in found:
        mount = mounted[label]
        mind = mount.packing.unpack(data)  # the last round passes when the user is served again
        mind = lanes.pass_rounds(mount.policy, mind, range(ticks, decisions), lanes.draws(SEED, user))
        lane = int(user.removeprefix("user-"))
        assert lanes.pack(mind) == b"".join(array[..., lane].tobytes() for array in wanted[label])


def _final_state(scenario: Scenario, policy: Policy) -> State:
    """The state of all lanes after a simulation."""
    states = [policy.init(MIN_LANES)]

    def update(*arguments: Any) -> State:
        states.append(policy.update(*arguments))
        return states[-1]

    lanes_of = Block(0, 0, scenario.users).lanes(scenario.seed)
    simulate(
        build(scenario), policy._replace(update=update), lanes_of, scenario.users, scenario.rounds, [scenario.rounds]
    )
    return states[-1]


def test_one_user_is_decided_as_among_many() -> None:
    """The same user alone, in two lanes, and as one of many lanes."""
    policy = make("egreedy")
    user = lanes.draws(3, "user-1")
    offered = lanes.candidates([Offered("", "todoist", None, False, 1.0, priority) for priority in (1, 2, 3)], 9, 2)
    x = np.linspace(0, 1, 7)
    state = policy.init(MIN_LANES)
    for t in range(20):
        decision = lanes.choose(policy, state, offered, t, user)
        assert (decision.chosen[0], decision.score[0]) == (decision.chosen[1], decision.score[1])
        state = lanes.learn(policy, state, lanes.Lesson(x * (t % 3), 0.5, t, t, True), user)
        again = lanes.Packing(policy).unpack(lanes.pack(state))
        assert all((one == two).all() for one, two in zip(state, again, strict=True))
