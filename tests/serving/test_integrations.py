"""`/integrations`: what a token is worth, without a call to its service for each call here."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from oo_sim.errors import GeneratorInputError
from oo_sim.generator.todoist import Account, TokenStatus
from oo_sim.serving import integrations

from .conftest import Client, serving

TOKEN = "0123456789abcdef"


class Scripted(Account):
    """An account that finds what it is told to find: a status, or an error."""

    def __init__(self, *found: TokenStatus | str) -> None:
        super().__init__(SecretStr(TOKEN))
        self.found, self.asked = list(found), 0

    async def check(self, timeout: float = 10.0) -> None:
        """The next of what is to be found."""
        self.asked += 1
        found = self.found.pop(0)
        if found not in ("ok", "expired", "forbidden"):
            raise GeneratorInputError(found)
        self.token_status = found  # type: ignore[assignment]


def until(client: Client, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What is told of Todoist, once it is so."""
    deadline = time.monotonic() + 10
    while not holds(told := client.get("/integrations")["todoist"]):
        assert time.monotonic() < deadline, told
        time.sleep(0.005)
    return dict(told)


def test_without_a_token_it_is_missing_and_nobody_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TODOIST_TOKEN", raising=False)
    with serving(tmp_path) as client:
        told = client.get("/integrations")["todoist"]
    assert told == {"token_status": "missing", "age_seconds": None, "max_age_seconds": 300.0, "error": None}


@pytest.mark.parametrize("status", ["ok", "expired", "forbidden"])
def test_many_calls_ask_once(tmp_path: Path, status: TokenStatus) -> None:
    account = Scripted(status)
    with serving(tmp_path, todoist=account) as client:
        first = client.get("/integrations")["todoist"]
        assert (first["token_status"], first["age_seconds"]) == (None, None)  # not waited for
        told = until(client, lambda told: told["age_seconds"] is not None)
        assert all(client.get("/integrations")["todoist"]["token_status"] == status for _ in range(50))
    assert told["token_status"] == status
    assert account.asked == 1


def test_what_is_old_is_found_out_again_and_a_failure_leaves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(integrations.Tokens.__init__, "__defaults__", (0.02,))
    account = Scripted("ok", "the server is away", "expired", *["expired"] * 1000)
    with serving(tmp_path, todoist=account) as client:
        told = until(client, lambda told: told["error"] is not None)
        assert (told["token_status"], told["error"]) == ("ok", "the server is away")
        told = until(client, lambda told: told["token_status"] == "expired")
        assert told["error"] is None
        assert TOKEN not in str(told)
