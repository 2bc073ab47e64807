"""Event batches say, row by row, what the arrays say: compared with a plain loop over lanes."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from oo_sim.contract import REACTIONS
from oo_sim.logs import DECISIONS, LEARNINGS, EventSource, coded, decision_batch, learning_batch

from .conftest import SOURCE, events, lanes


def decided(source: EventSource = SOURCE, n: int = 40) -> tuple[list[dict[str, Any]], Any, Any]:
    candidates, decision = lanes(n, 3)
    batch = decision_batch(
        source,
        [f"user-{i}" for i in range(n)],
        np.arange(n),
        candidates=candidates,
        decision=decision,
        expected=decision.score,
        best=decision.score,
    )
    batch.validate(full=True)
    assert batch.schema == coded(DECISIONS)
    return batch.to_pylist(), candidates, decision


def candidate(c: Any, k: int, lane: int) -> dict[str, Any]:
    """One candidate by the definition, without any vector operation."""
    tips_before = int(c.is_llm[:k, lane].sum())
    task = f"task-{c.serial[k, lane]}" if c.serial[k, lane] >= 0 else None
    return {
        "id": f"tip-{lane}-{tips_before}" if c.is_llm[k, lane] else task,
        "source": "llm" if c.is_llm[k, lane] else "todoist",
        "task_id": task,
        "is_overdue": bool(c.is_overdue[k, lane]),
        "task_age_days": c.task_age_days[k, lane],
        "priority": int(c.priority[k, lane]),
    }


def test_a_decision_row_is_its_lane() -> None:
    rows, c, decision = decided()
    for lane, row in enumerate(rows):
        K = int(c.mask[:, lane].sum())
        chosen = int(decision.chosen[lane])
        assert row["candidates"] == [candidate(c, k, lane) for k in range(K)]
        assert row["x"] == decision.x[:K, :, lane].tolist()
        assert row["probs"] == decision.probs[:K, lane].tolist()
        assert (row["hour"], row["day"], row["chosen"]) == (c.hour[lane], c.day[lane], chosen)
        assert (row["propensity"], row["score"]) == (decision.propensity[lane], decision.score[lane])
        assert row["explored"] == bool(decision.explored[lane])
        assert row["expected_reward"] == row["best_expected_reward"] == decision.score[lane]
        assert row["tip_kind"] == ("advice" if c.is_llm[chosen, lane] else "task")
        assert row["decision_id"] == f"linucb/0/{lane}/user-{lane}"
        assert [row[name] for name in ("ts", "prompt_version", "llm_model")] == [None] * 3


def test_what_is_not_known_is_null() -> None:
    rows, _, _ = decided(SOURCE._replace(propensities=False, explores=False))
    assert {row[name] for row in rows for name in ("probs", "propensity", "explored")} == {None}


def test_a_nan_propensity_is_null() -> None:
    candidates, decision = lanes(4, 0)
    propensity = np.array([0.5, np.nan, 0.25, np.nan])
    batch = decision_batch(
        SOURCE,
        list("abcd"),
        np.arange(4),
        candidates=candidates,
        decision=decision._replace(propensity=propensity),
        expected=decision.score,
        best=propensity,
    )
    assert batch["propensity"].to_pylist() == [0.5, None, 0.25, None]


def test_a_tip_about_a_task_names_it_and_an_arm_has_its_place() -> None:
    candidates, decision = lanes(3, 1)
    K, n = candidates.mask.shape
    about = candidates._replace(is_llm=np.ones((K, n)), serial=np.full((K, n), 7))
    arms = candidates._replace(is_llm=np.zeros((K, n)), serial=np.full((K, n), -1))
    ids = [
        decision_batch(
            SOURCE,
            list("abc"),
            np.full(n, 2),
            candidates=each._replace(mask=np.ones((K, n), dtype=bool)),
            decision=decision,
            expected=decision.score,
            best=decision.score,
        )["candidates"].to_pylist()[0][1]
        for each in (about, arms)
    ]
    assert [(c["id"], c["task_id"]) for c in ids] == [("tip-2-1", "task-7"), ("arm-1", None)]


def test_a_learning_row_is_its_lane() -> None:
    n = 12
    g = np.random.default_rng(1)
    x, reward = g.normal(size=(3, n)), g.normal(size=n)
    reaction, learn = np.arange(n) % 7 - 1, g.random(n) < 0.7
    t = np.arange(n) + 5
    batch = learning_batch(
        SOURCE,
        [f"u{i}" for i in range(n)],
        np.arange(n) * 2,
        t_decided=t,
        t_now=t + 3,
        x=x,
        reaction=reaction,
        reward=reward,
        learn=learn,
    )
    batch.validate(full=True)
    assert batch.schema == LEARNINGS
    assert batch.to_pylist() == [
        {
            "policy": "linucb",
            "replicate": 0,
            "user_id": f"u{i}",
            "seq": 2 * i,
            "kind": "reward",
            "decision_id": f"linucb/0/{i + 5}/u{i}",
            "tip_id": None,
            "x": x[:, i].tolist(),
            "reaction": REACTIONS[reaction[i]] if 0 <= reaction[i] < 5 else None,
            "reward": reward[i],
            "t_decided": i + 5,
            "t_now": i + 8,
            "ts": None,
        }
        for i in range(n)
        if learn[i]
    ]


def test_nothing_learned_is_no_rows() -> None:
    _, learnings = events(1, 0)
    assert learning_batch(
        SOURCE,
        ["a"],
        np.zeros(1, np.int64),
        t_decided=np.zeros(1, np.int64),
        t_now=np.zeros(1, np.int64),
        x=np.zeros((3, 1)),
        reaction=np.array([5]),
        reward=np.zeros(1),
        learn=np.array([False]),
    ).equals(learnings.slice(1))


def test_a_number_that_does_not_fit_is_refused() -> None:
    candidates, decision = lanes(2, 0)
    with pytest.raises(pa.ArrowInvalid):
        decision_batch(
            SOURCE,
            ["a", "b"],
            np.array([0, 2**31]),
            candidates=candidates,
            decision=decision,
            expected=decision.score,
            best=decision.score,
        )


def test_a_hundred_thousand_decisions_take_no_python_loop() -> None:
    # A loop over rows does about 5,000 a second and the batches over 200,000: 30,000 tells them apart.
    candidates, decision = lanes(512, 0, K=10, d=7)
    users = pa.array([f"user-{i}" for i in range(512)])
    start = time.process_time()
    for t in range(20):
        decision_batch(
            SOURCE,
            users,
            np.full(512, t),
            candidates=candidates,
            decision=decision,
            expected=decision.score,
            best=decision.score,
        )
    assert 20 * 512 / (time.process_time() - start) > 30_000
