"""Rounds and decisions count from 1 wherever people read them, and from 0 as `t` in a log: see CONTRIBUTING, Words."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import oo_sim
from oo_sim.audit.report import Wrong
from oo_sim.engine import RoundError
from oo_sim.experiment.lanes import ROUNDS, Seen, _compare
from oo_sim.gate.checking import first_difference
from oo_sim.work.unit import blame

PACKAGE = Path(oo_sim.__file__).parent
COUNTED_FROM_1 = {
    "marks[below[0]]",  # a checkpoint: how many rounds there were
    "world.candidates",  # how many there are in each round
    "done",  # how many iterations a fit has done
    "ratio",  # in a table of speeds: "µs a decision"
}


def numbers(tree: ast.AST) -> Iterator[str]:
    """The source of each value that stands right after `round ` or `decision ` in an f-string."""
    for text in ast.walk(tree):
        if isinstance(text, ast.JoinedStr):
            for before, value in zip(text.values, text.values[1:], strict=False):
                said = before.value if isinstance(before, ast.Constant) else ""
                if isinstance(value, ast.FormattedValue) and re.search(r"\b(round|decision) $", str(said)):
                    yield ast.unparse(value.value)


def test_every_text_of_the_package_counts_rounds_and_decisions_from_1() -> None:
    found = {
        f"{path.relative_to(PACKAGE)}: {number}"
        for path in PACKAGE.rglob("*.py")
        if re.search(r"\b(round|decision) \{", text := path.read_text())
        for number in numbers(ast.parse(text))
        if not number.endswith("+ 1") and number not in COUNTED_FROM_1
    }
    assert not found


def failed(t: int) -> RoundError:
    with pytest.raises(ZeroDivisionError) as cause:
        divmod(1, 0)
    error = RoundError(t, 3)
    error.__cause__ = cause.value
    return error


def differs_in_lanes(t: int) -> str:
    """What is said where a private policy's second try is another one from round t on."""
    first, second = (
        Seen(np.zeros((ROUNDS, 2)), np.zeros((ROUNDS, 3, 2)), np.zeros((ROUNDS, 2), int)) for _ in range(2)
    )
    second.chosen[t:] = 1
    with pytest.raises(oo_sim.errors.UnknownPolicyError) as found:
        _compare("mine", first, second, "a second time", "it draws")
    return str(found.value)


def differs_in_gate(t: int) -> str:
    logs = [
        pa.table({"t": [*range(9)], "user": [0] * 9, "chosen": [int(i > at) for i in range(9)]}) for at in (9, t - 1)
    ]
    return first_difference(*logs)


MESSAGES: dict[str, Callable[[int], str]] = {
    "a failed round": lambda t: str(failed(t)),
    "a failed policy": lambda t: blame(failed(t)),
    "lanes that interact": differs_in_lanes,
    "first difference in the gate": differs_in_gate,
    "a wrong decision in the audit": lambda t: str(Wrong("score", "linucb", 0, "ada", t, "1", "2")),
}


@pytest.mark.parametrize("t", [0, 6])
@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_counts_from_1_and_points_into_the_log_by_t(message: str, t: int) -> None:
    said = MESSAGES[message](t)
    assert re.search(rf"\b(round|decision) {t + 1}\b", said), said
    assert not re.search(rf"\b(round|decision) {t}\b", said), said
    if message.endswith(("in the audit", "difference in the gate")):
        assert f"(t={t})" in said
