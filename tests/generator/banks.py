"""Banks of plain task lists, and a gateway that interrupts the making of one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from oo_sim.generator.bank import (
    Bank,
    contexts_from_tasks,
    generate_bank,
)
from oo_sim.generator.gateway.client import Gateway, TipGenerator
from oo_sim.generator.gateway.settings import Options

TITLES = ("Water the ferns", "Open the tax letter", "Call Ada about the roof")


def users(n: int) -> list[Any]:
    """Plain task lists of n users; every third context is the same as an earlier one."""
    tasks = [{"id": str(at), "content": title} for at, title in enumerate(TITLES)]
    return [(f"user-{at % 5}", tasks if at % 3 == 0 else tasks[at % 3 :], at % 3 * 7 + 4, 2) for at in range(n)]


def bank(out: Path, gateway: Gateway, n: int = 40, concurrency: int = 1, **options: Any) -> Bank:
    """A bank of n contexts."""
    with TipGenerator(gateway, options=replace(Options(), **options)) as client:
        return generate_bank(client, contexts_from_tasks(users(n)), 3, out, concurrency=concurrency)


class Stopper(httpx.BaseTransport):
    """Passes calls on until it has passed `limit`, then interrupts."""

    def __init__(self, inner: Any, limit: int) -> None:
        self.inner, self.left = inner, limit

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The inner answer, or Ctrl-C."""
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        got: httpx.Response = self.inner.handle_request(request)
        return got
