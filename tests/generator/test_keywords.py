"""What a tip is about and whether it contradicts the hour: known answers."""

from __future__ import annotations

import pytest

from oo_sim.generator.appeal.keywords import about, contradicts

TASKS = ("Call the bank", "Write the quarterly report", "Ada", "Prepare dinner menu", "Do it")


@pytest.mark.parametrize(
    ("tip", "task"),
    [
        ("Call your bank before it closes.", 0),
        ("Draft the first page: write a quarterly report outline.", 1),
        ("WRITE THE QUARTERLY REPORT", 1),
        ("Start the quarterly report.", 1),  # two of three content words
        ("File a report.", None),  # one of three
        ("Phone Ada now.", 2),
        ("Adapt your plan.", None),
        ("Call the bank, then write the quarterly report.", 0),
        ("Drink water.", None),
        ("", None),
    ],
)
def test_about(tip: str, task: int | None) -> None:
    assert about(tip, TASKS) == task


def test_no_tasks_and_blank_tasks_are_never_named() -> None:
    assert about("Call the bank", []) is None
    assert about("Call the bank", ["", "...", "\u2014"]) is None


@pytest.mark.parametrize(
    ("tip", "hour", "wrong"),
    [
        ("Good morning! Call the bank.", 20, True),
        ("Good morning! Call the bank.", 8, False),
        ("Before bed, read ten pages.", 9, True),
        ("Before bed, read ten pages.", 23, False),
        ("Before bed, read ten pages.", 1, False),
        ("Tonight is fine for it.", 2, False),
        ("Have lunch outside.", 22, True),
        ("Plan tomorrow morning now.", 20, False),
        ("Tomorrow's breakfast wants eggs.", 20, False),
        ("Prepare dinner menu now.", 9, False),  # the task's own words
        ("Embed the video.", 9, False),
        ("Call the bank.", 3, False),
    ],
)
def test_contradicts(tip: str, hour: int, wrong: bool) -> None:
    assert contradicts(tip, hour, TASKS) is wrong
