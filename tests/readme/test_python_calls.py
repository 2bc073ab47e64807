"""All that the command line does has its call in Python: docs/python.md names it, and it is there."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from oo_sim.cli import COMMANDS, _load

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text()
ROWS = dict(re.findall(r"^\| `oo-sim ([a-z -]+)` \| (.*) \|$", PAGE, re.MULTILINE))


def commands() -> Iterator[str]:
    """Every command of the command line, and those below it."""
    for name in COMMANDS:
        below = getattr(_load(name), "commands", {})
        if not below or getattr(_load(name), "invoke_without_command", False):
            yield name
        yield from (f"{name} {each}" for each in below)


def test_every_command_has_its_call_and_no_other_is_named() -> None:
    assert sorted(ROWS) == sorted(commands())


@pytest.mark.parametrize("command", ROWS)
def test_the_call_of_a_command_is_there(command: str) -> None:
    calls = re.findall(r"`(oo_sim(?:\.\w+)+)", ROWS[command])
    assert calls
    for call in calls:
        assert callable(resolved(call)), call


def resolved(name: str) -> Any:
    """What stands under a dotted name, as after `import` of the modules in it."""
    found: Any = importlib.import_module("oo_sim")
    path = "oo_sim"
    for part in name.split(".")[1:]:
        path += f".{part}"
        try:
            found = getattr(found, part)
        except AttributeError:
            found = importlib.import_module(path)
    return found


def test_a_command_without_a_call_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    app = typer.Typer()
    app.command("forgotten")(lambda: None)
    monkeypatch.setattr("oo_sim.cli.COMMANDS", {**COMMANDS, "forgotten": COMMANDS["run"]})
    monkeypatch.setitem(globals(), "COMMANDS", {**COMMANDS, "forgotten": COMMANDS["run"]})
    assert "forgotten" in set(commands()) - set(ROWS)
