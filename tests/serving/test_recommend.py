"""The pipeline: tasks and tips in one pool, with a gateway that answers, fails, or is late."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from oo_sim.generator import (
    Address,
    AsyncTipGenerator,
    Gateway,
    Generation,
    GenerationContext,
    Tip,
    default_prompt,
)

from .conftest import Client, NoGateway, Writes, serving

NOW = "2026-03-10T09:30:00+00:00"
TASKS = [
    {"id": "later", "content": "water plants", "priority": 4, "due_date": "2026-03-20"},
    {"id": "urgent", "content": "pay rent", "priority": 3, "due_date": "2026-03-08"},
    {"id": "older", "content": "call mum", "priority": 1, "due_date": "2026-03-01T12:00:00Z"},
    {"id": "whenever", "content": "read", "priority": 2},
]


class Late(NoGateway):
    """A generator that takes its time."""

    async def generate(self, context: GenerationContext, n: int = 3, user_id: str | None = None) -> Generation:
        """Never, as far as a test is concerned."""
        await asyncio.sleep(60)
        raise AssertionError


def test_tasks_come_overdue_first_then_urgent_first(tmp_path: Path) -> None:
    """A new user's scores all tie under greedy, so the first of the pool is served: the most urgent overdue task."""
    with serving(tmp_path, policies=["greedy"]) as client:
        body = {"user_id": "u", "tasks": TASKS, "context": {"now": NOW}, "n_llm": 0, "policy": "greedy"}
        reply = client.post("/recommend", body)
        [shown] = client.get("/features/u")["history"]
    assert reply["tip"] == {
        "id": "urgent",
        "given_id": None,
        "content": "pay rent",
        "kind": "task",
        "source": "todoist",
        "rationale": None,
    }
    assert reply["policy"] == "greedy"
    assert reply["prompt_version"] is reply["llm_model"] is reply["llm_error"] is None
    wanted = {"hour_of_day": 9, "day_of_week": 1, "is_overdue": True, "task_age_days": 2.0, "priority": 3}
    assert {name: shown["features"][name] for name in wanted} == wanted  # 10 March 2026 is a Tuesday


def test_a_moment_has_an_age_in_fractions_of_a_day(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        client.post("/recommend", {"user_id": "u", "tasks": TASKS[2:3], "context": {"now": NOW}, "n_llm": 0})
        age = client.get("/features/u")["history"][0]["features"]["task_age_days"]
    assert age == pytest.approx(8 + 21.5 / 24, abs=1e-12)  # from 1 March 12:00 to 10 March 9:30


def test_tips_join_the_pool_and_reactions_teach(tmp_path: Path) -> None:
    tips = Writes(Tip("breathe", "Take a breath.", "You look busy."), Tip("walk", "Go out.", None))
    served = set()
    with serving(tmp_path, generator=tips, seed=3) as client:
        for user in range(40):
            reply = client.post("/recommend", {"user_id": f"u{user}", "tasks": TASKS[:1], "n_llm": 2})
            served.add((reply["tip"]["kind"], reply["tip"]["source"]))
            assert (reply["prompt_version"], reply["llm_model"], reply["policy"]) == ("v1", "model-1", "egreedy-v1")
            assert client.post("/react", {"decision_id": reply["decision_id"], "reaction": "helpful"})["ok"]
        assert client.get("/stats/egreedy/u0")["cumulative_reward"] == 0.5
    assert served == {("task", "todoist"), ("advice", "llm")}
    assert [one.content for one in tips.contexts[0].tasks] == ["water plants"]


def test_only_tips(tmp_path: Path) -> None:
    with serving(tmp_path, generator=Writes(Tip("walk", "Go out.", "It is sunny."))) as client:
        reply = client.post("/recommend", {"user_id": "u"})
    assert reply["tip"] == {
        "id": "walk",
        "given_id": None,
        "content": "Go out.",
        "kind": "advice",
        "source": "llm",
        "rationale": "It is sunny.",
    }


@pytest.mark.parametrize("generator", [NoGateway(), Late()])
def test_without_tips_the_tasks_go_on(tmp_path: Path, generator: NoGateway, caplog: pytest.LogCaptureFixture) -> None:
    with serving(tmp_path, generator=generator, deadline=0.05) as client:
        reply = client.post("/recommend", {"user_id": "u", "tasks": TASKS})
        assert reply["tip"]["kind"] == "task"
        assert reply["llm_error"]
        nothing = client.call("POST", "/recommend", {"user_id": "u", "tasks": []})
    assert nothing.status == 422
    assert nothing.body["detail"][0]["loc"] == ["body", "tasks"]
    assert "no tips by the LLM" in [record.getMessage() for record in caplog.records]


def test_what_an_llm_calls_its_tips_comes_back_in_a_form_that_every_call_takes(tmp_path: Path) -> None:
    """Through the client, the parser and the door: control characters, a task's own id, one twice, one far too long."""
    given = ["a\x00b\u0085", "task-1", "twice", "twice", "x" * 5000, "", "\u202eevil"]
    items = [{"id": name, "content": f"Tip number {i}.", "rationale": "Now."} for i, name in enumerate(given)]

    def answer(request: httpx.Request) -> httpx.Response:
        message = {"role": "assistant", "content": json.dumps(items)}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        choices = [{"index": 0, "finish_reason": "stop", "message": message}]
        return httpx.Response(200, json={"model": "m", "choices": choices, "usage": usage})

    tasks = [{"id": "task-1", "content": "pay rent", "priority": 4}]
    gateway = Gateway("mock", Address(), httpx.MockTransport(answer))
    with serving(tmp_path, generator=AsyncTipGenerator(gateway), policies=["random"], seed=2) as client:
        made = client.post("/generate", {"user_id": "u", "context": {"tasks": tasks}, "n": 7})["candidates"]
        ids = [one["id"] for one in made]
        assert len(set(ids)) == 7
        assert "task-1" not in ids
        assert all(0 < len(one) <= 200 and one.isprintable() for one in ids)
        assert {one["given_id"] for one in made} >= {"task-1", "x" * 5000}
        offered = [{"id": one["id"], "content": one["content"], "source": "llm"} for one in made]
        reply = client.post("/score/random", {"user_id": "u", "candidates": offered})
        reward = {"user_id": "u", "tip_id": reply["tip_id"], "reward": 1, "decision_id": reply["decision_id"]}
        assert client.post("/reward/random", reward)["ok"]
        served = set()
        for _ in range(40):
            one = client.post("/recommend", {"user_id": "u", "tasks": tasks, "n_llm": 7, "policy": "random"})
            assert client.post("/react", {"decision_id": one["decision_id"], "reaction": "snooze"})["ok"]
            served.add(one["tip"]["id"])
    assert served <= {*ids, "task-1"}
    assert len(served) > 5


def test_generate_answers_with_the_contracts_fields(tmp_path: Path) -> None:
    with serving(tmp_path, generator=Writes(Tip("walk", "Go out.", "Sun."), Tip("nap", "Sleep.", None))) as client:
        reply = client.post("/generate", {"user_id": "u", "context": {"tasks": TASKS}, "n": 1})
    assert reply["candidates"] == [
        {"id": "walk", "given_id": None, "content": "Go out.", "source": "llm", "rationale": "Sun."}
    ]
    assert (reply["model"], reply["prompt_tokens"], reply["completion_tokens"]) == ("model-1", 10, 5)


@pytest.mark.parametrize(
    ("task", "context", "overdue"),
    [
        ({"due_date": "2020-01-01"}, {}, True),
        ({"due_date": "2020-01-01T08:00:00Z"}, {}, True),
        ({"due_date": "2999-01-01"}, {}, False),
        ({"due_date": "2026-03-09"}, {"now": NOW}, True),
        ({"due_date": "2026-03-10"}, {"now": NOW}, False),
        ({"due_date": "2026-03-10T09:29:00+00:00"}, {"now": NOW}, True),
        ({"is_overdue": True}, {}, True),  # whoever knows more than the date may say so
        ({}, {}, False),
    ],
)
def test_the_model_is_told_what_is_overdue(
    tmp_path: Path, task: dict[str, object], context: dict[str, object], overdue: bool
) -> None:
    tips = Writes(Tip("walk", "Go out.", None))
    with serving(tmp_path, generator=tips) as client:
        body = {"user_id": "u", "context": {"tasks": [{"content": "pay rent", **task}], **context}}
        client.post("/generate", body)
    [asked] = tips.contexts
    assert [one.is_overdue for one in asked.tasks] == [overdue]
    assert f"Tasks: 1, {int(overdue)} of them overdue" in default_prompt().messages(asked, 1)[1]["content"]


def test_generate_takes_the_hour_that_is_named_else_that_of_now(tmp_path: Path) -> None:
    tips = Writes()
    with serving(tmp_path, generator=tips) as client:
        for context in ({}, {"now": NOW}, {"now": NOW, "hour_of_day": 5}, {"hour_of_day": 5, "day_of_week": 6}):
            client.post("/generate", {"user_id": "u", "context": context})
    assert [(one.hour_of_day, one.day_of_week) for one in tips.contexts] == [(12, 0), (9, 1), (5, 1), (5, 6)]


def test_tasks_need_no_id(tmp_path: Path) -> None:
    """One without is `task-<index>`, or whatever of that name is free."""
    tips = Writes()
    tasks = [{"content": "a"}, {"content": "b", "id": "task-2"}, {"content": "c"}, {"content": "d", "id": "task-2-2"}]
    with serving(tmp_path, generator=tips, policies=["greedy"]) as client:
        client.post("/generate", {"user_id": "u", "context": {"tasks": tasks}})
        reply = client.post("/recommend", {"user_id": "u", "tasks": tasks[::2], "n_llm": 0, "policy": "greedy"})
        assert client.post("/react", {"decision_id": reply["decision_id"], "reaction": "snooze"})["ok"]
    assert [one.id for one in tips.contexts[0].tasks] == ["task-0", "task-2", "task-2-3", "task-2-2"]
    assert (reply["tip"]["id"], reply["tip"]["content"]) == ("task-0", "a")


def test_generate_says_that_the_gateway_is_away(client: Client) -> None:
    answer = client.call("POST", "/generate", {"user_id": "u"})
    assert (answer.status, answer.body["detail"]) == (503, "the gateway cannot be reached")
