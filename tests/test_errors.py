"""The tree of errors: every one that a user can meet is in it, documented, and sets the exit code."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import oo_sim
from oo_sim import errors
from oo_sim.cli import COMMANDS, Entry, app
from oo_sim.errors import OoSimError

INTERNAL = {"oo_sim.generator", "oo_sim.serving", "oo_sim.audit", "oo_sim.scenario"}
"""Rooms with exceptions that never leave them, or that have a tree of their own: replies of gateways, HTTP refusals."""


def modules() -> list[str]:
    return [each.name for each in pkgutil.walk_packages(oo_sim.__path__, "oo_sim.") if "__main__" not in each.name]


def subclasses(root: type[BaseException]) -> set[type[BaseException]]:
    return {root}.union(*(subclasses(each) for each in root.__subclasses__()))


def test_the_documented_tree_is_the_tree() -> None:
    for name in modules():
        importlib.import_module(name)
    found = {each.__name__ for each in subclasses(OoSimError) if each.__module__.startswith("oo_sim.")}
    assert errors.__doc__ is not None
    tree = errors.__doc__.partition("An auditor")[0].partition("    OoSimError")[2]
    assert found == {"OoSimError", *re.findall(r"── (\w+)", tree)}


def test_every_exception_elsewhere_is_of_the_tree_or_never_leaves_its_room() -> None:
    loose = []
    for name in modules():
        module = importlib.import_module(name)
        for each in vars(module).values():
            if isinstance(each, type) and issubclass(each, Exception) and each.__module__ == name:
                room = ".".join(name.split(".")[:2])
                if not issubclass(each, OoSimError) and room not in INTERNAL and not each.__name__.startswith("_"):
                    loose.append(f"{name}.{each.__name__}")
    # signals to start from the beginning, to stop, and to leave a round to the loop: the engine catches all itself
    assert sorted(loose) == [
        "oo_sim.engine.memory.UnkeptError",
        "oo_sim.engine.run.InterruptedRunError",
        "oo_sim.engine.tile.NotFiniteError",
    ]


@pytest.mark.parametrize("code", [1, 2])
def test_an_error_is_one_message_and_its_own_exit_code(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = f"""
import typer
from oo_sim.errors import OoSimError

app = typer.Typer()

class OddError(OoSimError):
    exit_code = {code}

@app.command()
def odd() -> None:
    raise OddError("the moon is full; wait for the sun")
"""
    (tmp_path / f"odd_command_{code}.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(COMMANDS, "odd", Entry(f"odd_command_{code}", "Odd."))
    result = CliRunner().invoke(app, ["odd"])
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", "the moon is full; wait for the sun\n")


def test_all_that_is_refused_is_said_at_once() -> None:
    def make(item: object) -> object:
        if isinstance(item, OoSimError):
            raise item
        return item

    one, two = errors.SpecError("one"), errors.UnknownPolicyError("two")
    assert errors.together([1, 2], make) == [1, 2]
    for items, said in (([1, two], "two"), ([one, 1, two, one], "one\ntwo")):
        with pytest.raises(errors.SpecError if one in items else errors.UnknownPolicyError) as caught:
            errors.together(items, make)
        assert str(caught.value) == said


WRONG = ("linucbx", "egreedy", "linucb:alpha=-1", "greedy")


@pytest.mark.parametrize("call", ["run", "compare", "gate record", "evaluate", "serve"])
def test_a_command_names_every_policy_that_is_wrong(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    where = ["quickstart", "--users=200"]
    if call == "evaluate":
        oo_sim.run("tiny_sets", policies=["random"], users=20, rounds=5, events=True, out="log", plot=False)
        where = ["log"]
    if call == "serve":
        where = ["--state-dir=state"]
    result = CliRunner().invoke(app, [*call.split(), *where, *(f"--policy={policy}" for policy in WRONG)])
    assert result.exit_code == 2
    assert re.findall(r"'linucbx'; did you mean|alpha must be a number", result.stderr) == [
        "'linucbx'; did you mean",
        "alpha must be a number",
    ]
    assert len(result.stderr.splitlines()) == 2
