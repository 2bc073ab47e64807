"""What the tokens of other services are worth. A call reads what was last found, and its age; it never waits."""

from __future__ import annotations

import asyncio
import time

from oo_sim.errors import GeneratorInputError
from oo_sim.generator.todoist import Account
from oo_sim.serving.replies import Integration, Integrations

MAX_AGE = 300.0
"""Seconds after which what is known of a token is found out again, behind the call that reads it."""


class Tokens:
    """Keeps what is known of the Todoist token of one server process, for calls on one event loop."""

    def __init__(self, account: Account, max_age: float = MAX_AGE) -> None:
        self._account, self._max_age = account, max_age
        self._asked: float | None = None
        self._error: str | None = None
        self._asking: asyncio.Task[None] | None = None

    def look(self) -> Integrations:
        """What is known now. The first look, and one at what is older than `MAX_AGE`, has it found out meanwhile."""
        age = None if self._asked is None else time.monotonic() - self._asked
        missing = self._account.token_status == "missing"
        if not missing and self._asking is None and (age is None or age > self._max_age):
            self._asking = asyncio.get_running_loop().create_task(self._ask())
        todoist = Integration(
            token_status=self._account.token_status,
            age_seconds=None if age is None else round(age, 1),
            max_age_seconds=self._max_age,
            error=self._error,
        )
        return Integrations(todoist=todoist)

    async def aclose(self) -> None:
        """End the call that is under way."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    async def _ask(self) -> None:
        try:
            await self._account.check()
            self._error = None
        except GeneratorInputError as error:  # nothing new is known of the token
            self._error = str(error)
        finally:
            self._asked, self._asking = time.monotonic(), None
