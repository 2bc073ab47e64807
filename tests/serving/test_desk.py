"""Many who ask for tips at once, and a gateway that hangs: `/generate` waits its turn, `/recommend` does without."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from oo_sim.generator import Generation, GenerationContext, GenerationError, Tip
from oo_sim.serving import desk
from oo_sim.serving.desk import Desk
from oo_sim.serving.replies import RefusalError

from .conftest import NoGateway, UnreachableError, Writes, serving

CONTEXT = GenerationContext()
TIP = Tip("walk", "Go out.")


class Slow(Writes):
    """A model that takes its time, and counts how many ask at once; or a gateway that hangs."""

    def __init__(self, seconds: float) -> None:
        super().__init__(TIP)
        self.seconds, self.now, self.most, self.asked = seconds, 0, 0, 0

    async def generate(self, context: GenerationContext, n: int = 3, user_id: str | None = None) -> Generation:
        """The tip, after a while."""
        self.now, self.asked = self.now + 1, self.asked + 1
        self.most = max(self.most, self.now)
        try:
            async with asyncio.timeout(0.5):  # the client's own limit: only the time of the model counts to it
                await asyncio.sleep(self.seconds)
        except TimeoutError:
            raise UnreachableError("no answer in time") from None
        finally:
            self.now -= 1
        return await super().generate(context, n, user_id)


def test_sixty_four_at_once_all_get_their_tips() -> None:
    """16 at once, 0.3 s each, of 0.5 s that the client allows: the last ones wait for 0.9 s before their turn."""

    async def calls() -> tuple[list[Generation], Slow]:
        slow = Slow(0.3)
        asked = Desk(slow)
        return await asyncio.gather(*(asked.generate(CONTEXT, 1, f"u{i}") for i in range(64))), slow

    found, slow = asyncio.run(calls())
    assert [one.user_id for one in found] == [f"u{i}" for i in range(64)]
    assert (slow.most, slow.asked) == (16, 64)


def test_the_queue_is_bounded_and_says_when_to_come_again() -> None:
    async def calls() -> list[Any]:
        asked = Desk(Slow(0.05), at_once=2, queue=3)
        return await asyncio.gather(*(asked.generate(CONTEXT, 1, "u") for _ in range(8)), return_exceptions=True)

    found = asyncio.run(calls())
    assert [type(one) for one in found] == [Generation] * 5 + [RefusalError] * 3
    assert {(one.status, one.retry_after) for one in found[5:]} == {(503, 10)}


def test_a_full_queue_answers_with_retry_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Desk.__init__, "__defaults__", (0, 0))
    with serving(tmp_path, generator=Writes(TIP)) as client:
        answer = client.call("POST", "/generate", {"user_id": "u"})
        assert (answer.status, answer.headers["retry-after"]) == (503, "10")
        reply = client.post("/recommend", {"user_id": "u", "tasks": [{"content": "pay rent"}]})
        assert reply["llm_error"].startswith("too many")


def test_a_hanging_gateway_is_left_alone_after_three_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then one asks now and then, waits for `PROBE` at most, and closes the breaker if an answer comes, even later."""
    monkeypatch.setattr(desk, "COOLING", 0.3)
    monkeypatch.setattr(desk, "PROBE", 0.05)

    async def calls() -> None:
        slow = Slow(60)
        asked = Desk(slow)
        loop = asyncio.get_running_loop()

        async def timed(deadline: float = 0.2) -> tuple[Generation | str, float]:
            start = loop.time()
            return await asked.soon(CONTEXT, 1, "u", deadline), loop.time() - start

        for _ in range(3):
            answer, took = await timed()
            assert answer == "no tips within 0.2 s"
            assert took >= 0.19
        for _ in range(20):
            answer, took = await timed()
            assert str(answer).startswith("the gateway failed 3 times in a row; it is asked again in ")
            assert took < 0.05
        assert slow.asked == 3
        await asyncio.sleep(0.35)
        answers = await asyncio.gather(*(timed() for _ in range(5)))
        assert answers[0][0] == "no tips within 0.05 s"
        assert all(str(answer).startswith("the gateway failed") for answer, _ in answers[1:])
        assert max(took for _, took in answers) < 0.15
        assert slow.asked == 4
        slow.seconds = 0.1  # it has recovered, and answers later than a probe waits
        await asyncio.sleep(0.9)
        assert (await timed())[0] == "no tips within 0.05 s"
        await asyncio.sleep(0.2)
        answer, _ = await timed()
        assert isinstance(answer, Generation)
        await asked.aclose()

    asyncio.run(calls())


@pytest.mark.parametrize("status", [502, 503])
def test_only_a_gateway_that_is_away_opens_the_breaker(status: int) -> None:
    class Fails(NoGateway):
        asked = 0

        async def generate(self, context: GenerationContext, n: int = 3, user_id: str | None = None) -> Generation:
            self.asked += 1
            error = GenerationError("no")
            error.status = status
            raise error

    async def calls() -> int:
        fails = Fails()
        asked = Desk(fails)
        for _ in range(10):
            assert isinstance(await asked.soon(CONTEXT, 1, "u", 1.0), str)
        return fails.asked

    assert asyncio.run(calls()) == (10 if status == 502 else 3)


def test_over_http_a_hanging_gateway_costs_little(tmp_path: Path) -> None:
    with serving(tmp_path, generator=Slow(60), deadline=0.2) as client:
        seconds = []
        for _ in range(8):
            start = time.monotonic()
            reply = client.post("/recommend", {"user_id": "u", "tasks": [{"content": "pay rent"}]})
            seconds.append(time.monotonic() - start)
            assert reply["tip"]["kind"] == "task"
            assert reply["llm_error"]
    assert min(seconds[:3]) >= 0.19
    assert max(seconds[3:]) < 1.0
