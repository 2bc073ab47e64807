"""How the server asks for tips: so many at once, the others in a queue, and a gateway that fails is left alone."""

from __future__ import annotations

import asyncio
from typing import Protocol

from oo_sim.generator import Generation, GenerationContext, GenerationError
from oo_sim.serving.replies import RefusalError

AT_ONCE = 16
"""Generations under way; a gateway's client has as many connections."""
QUEUE = 256
"""Generations that wait for their turn; their wait is not the model's time."""
FAILURES = 3
"""Failures in a row after which recommendations do without tips."""
COOLING = 30.0
"""Seconds after which one recommendation asks again."""
PROBE = 1.0
"""The most seconds that this recommendation waits; what becomes of its question counts all the same."""


class Generator(Protocol):
    """What writes tips: the generator room's async client, or whatever stands in for it."""

    async def generate(self, context: GenerationContext, n: int = 3, user_id: str | None = None) -> Generation:
        """At most `n` tips for the context. Raises GenerationError."""

    async def aclose(self) -> None:
        """Frees what it holds."""


class Desk:
    """Asks a generator, for calls on one event loop.

    The breaker (Nygard 2007, "Release It!") counts what a gateway that is away or hangs does: it cannot be reached, or
    no answer comes in time. A gateway that answers with an error costs no time, and is asked.
    """

    def __init__(self, generator: Generator, at_once: int = AT_ONCE, queue: int = QUEUE) -> None:
        self._generator, self._at_once, self._queue = generator, at_once, queue
        self._turn = asyncio.Semaphore(at_once)
        self._waiting = self._failures = 0
        self._asks_again = 0.0  # by the loop's clock, where the breaker is open
        self._probes: set[asyncio.Task[Generation]] = set()

    async def generate(self, context: GenerationContext, n: int, user_id: str) -> Generation:
        """Tips, when it is their turn. Raises GenerationError, and RefusalError (503) where the queue is full."""
        if self._turn.locked() and self._waiting >= self._queue:
            raise RefusalError(503, "too many tips are being written; try again", retry_after=10)
        self._waiting += 1
        try:
            await self._turn.acquire()
        finally:
            self._waiting -= 1
        try:
            made = await self._generator.generate(context, n, user_id)
        except asyncio.CancelledError:  # a deadline passed while the gateway had the question
            self._failed()
            raise
        except GenerationError as error:
            if error.status == 503:
                self._failed()
            raise
        else:
            self._failures = 0
            return made
        finally:
            self._turn.release()

    async def soon(self, context: GenerationContext, n: int, user_id: str, deadline: float) -> Generation | str:
        """Tips within `deadline` seconds, or why there are none."""
        loop = asyncio.get_running_loop()
        try:
            if self._failures < FAILURES:
                async with asyncio.timeout(deadline):
                    return await self.generate(context, n, user_id)
            if (left := self._asks_again - loop.time()) > 0:
                return f"the gateway failed {self._failures} times in a row; it is asked again in {left:.0f} s"
            self._asks_again = loop.time() + COOLING  # the others do not ask meanwhile
            probe = loop.create_task(self.generate(context, n, user_id))
            self._probes.add(probe)
            probe.add_done_callback(self._probed)
            deadline = min(deadline, PROBE)
            async with asyncio.timeout(deadline):
                return await asyncio.shield(probe)
        except TimeoutError:
            return f"no tips within {deadline:g} s"
        except GenerationError as error:
            return error.message
        except RefusalError as refusal:
            return refusal.message

    async def aclose(self) -> None:
        """Free what is held."""
        for probe in self._probes:
            probe.cancel()
        await self._generator.aclose()

    def _failed(self) -> None:
        self._failures += 1
        self._asks_again = asyncio.get_running_loop().time() + COOLING

    def _probed(self, probe: asyncio.Task[Generation]) -> None:
        self._probes.discard(probe)
        if not probe.cancelled():
            probe.exception()  # it has been counted; nobody else asks for it
