"""The list of faults is whole: enough of them, over every room, each a slip that the source still has room for."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import oo_sim

from .edits import EDITS, Edit

PACKAGE = Path(oo_sim.__file__).parent
ROOMS = {"kernels", "policies", "decide", "worlds", "engine", "logs", "stats", "serving", "generator", "tipbanks"}


def test_there_are_enough_over_every_room() -> None:
    assert len(EDITS) >= 120
    assert {edit.room for edit in EDITS} == ROOMS
    assert len({(edit.file, edit.old, edit.new) for edit in EDITS}) == len(EDITS)


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: f"{edit.file}: {edit.new.strip()[:40]}")
def test_a_fault_is_one_place_of_the_real_source(edit: Edit) -> None:
    before = (PACKAGE / edit.file).read_text()
    assert before.count(edit.old) == 1
    after = before.replace(edit.old, edit.new)
    assert ast.dump(ast.parse(after)) != ast.dump(ast.parse(before))
    assert 1 <= max(edit.old.count("\n"), edit.new.count("\n"), 1) <= 5
    assert (Path(__file__).parents[2] / edit.tests).exists()
