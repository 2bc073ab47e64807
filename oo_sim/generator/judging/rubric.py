"""Grades instead of comparisons: a judge grades each set of tips on the criteria of a rubric, which a file declares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from oo_sim.generator.bank.files import Bank
from oo_sim.generator.bank.record import Record
from oo_sim.generator.gateway.asking import Asker, Question, Reply
from oo_sim.generator.gateway.exchange import json_body
from oo_sim.generator.judging.pairs import JUDGE, read_object, tips_block
from oo_sim.generator.metrics.metric import Section, mean, share
from oo_sim.generator.prompt import capped, data_block
from oo_sim.generator.texts import read_text, read_yaml

_STRICT = ConfigDict(frozen=True, extra="forbid")
Text = Annotated[str, Field(min_length=1, max_length=1000)]


class Criterion(BaseModel):
    """What is graded: its name, what it means, and the text of each grade from the worst on that has one."""

    model_config = _STRICT

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
    question: Text
    scale: tuple[int, int] = (1, 5)
    anchors: dict[int, Text] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _in_order(self) -> Criterion:
        low, high = self.scale
        if not low < high <= low + 100:
            raise ValueError(f"scale: [{low}, {high}]; expected two whole numbers that rise")
        outside = [grade for grade in self.anchors if not low <= grade <= high]
        if outside:
            raise ValueError(f"anchors: {outside[0]} lies outside the scale {low} to {high}")
        return self


class Rubric(BaseModel):
    """The criteria that tips are graded on."""

    model_config = _STRICT

    criteria: Annotated[tuple[Criterion, ...], Field(min_length=1, max_length=20)]


def read_rubric(path: Path) -> Rubric:
    """A rubric from a YAML file. Raises `GeneratorInputError`, which names the field."""
    return read_yaml(read_text(path, "rubric"), Rubric, f"rubric {path}")


def grade_bank(
    asker: Asker,
    bank: Bank,
    rubric: Rubric,
    *,
    alias: str = JUDGE,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[tuple[str, dict[str, int] | None]], list[Reply]]:
    """(user, grades by criterion) of each record with tips, None where they are missing; and what was answered."""
    records = [record for record in bank.records if record.tips]
    replies = asker.ask([_question(alias, record, rubric) for record in records], progress)
    graded = [(record.user_id, _grades(reply, rubric)) for record, reply in zip(records, replies, strict=True)]
    return graded, replies


def rubric_section(graded: Sequence[tuple[str, dict[str, int] | None]], rubric: Rubric, alias: str = JUDGE) -> Section:
    """The mean grade of each criterion over the records that have one."""
    lost = [(user, grades is None, 1) for user, grades in graded]
    told = [(user, grades) for user, grades in graded if grades is not None]
    return Section(
        f"rubric by {alias}",
        (
            *(
                mean(
                    f"{one.name} ({one.scale[0]} to {one.scale[1]})",
                    [(user, float(grades[one.name])) for user, grades in told],
                    "generations with tips",
                )
                for one in rubric.criteria
            ),
            share("grades that are missing", lost, "generations with tips", "failed or unreadable"),
        ),
    )


def _grades(reply: Reply, rubric: Rubric) -> dict[str, int] | None:
    """All grades, each on its scale, or None."""
    given = read_object(reply.text) if reply.failure is None else {}
    grades = {}
    for one in rubric.criteria:
        grade = given.get(one.name)
        if type(grade) is not int or not one.scale[0] <= grade <= one.scale[1]:
            return None
        grades[one.name] = grade
    return grades


def _question(alias: str, record: Record, rubric: Rubric) -> Question:
    context = record.parsed_context
    criteria = []
    for one in rubric.criteria:
        criteria.append(f"- {one.name}, a whole number from {one.scale[0]} to {one.scale[1]}: {one.question}")
        criteria += [f"  {grade}: {text}" for grade, text in sorted(one.anchors.items())]
    template = Template(files("oo_sim.generator").joinpath("prompts/rubric.txt").read_text("utf-8"))
    text = template.substitute(
        hour=f"{context.hour_of_day:02d}",
        tasks=data_block([{"content": capped(task.content)} for task in context.tasks[:20]]),
        tips=tips_block(record),
        criteria="\n".join(criteria),
        shape=", ".join(f'"{one.name}": grade' for one in rubric.criteria),
    )
    return Question(
        json_body({"model": alias, "messages": [{"role": "user", "content": text.strip()}], "temperature": 0})
    )
