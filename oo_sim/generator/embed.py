"""How alike texts are by their embeddings: tips of one reply among themselves, and tips to the user's tasks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import NamedTuple

from oo_sim.generator.bank.files import Bank
from oo_sim.generator.bank.record import Record
from oo_sim.generator.gateway.asking import Asker, Question, Reply
from oo_sim.generator.gateway.exchange import json_body
from oo_sim.generator.metrics.metric import Metric, Section, mean, share

EMBEDDER = "embedder"
_MAX_TASKS = 20

Vector = Sequence[float]


class Likeness(NamedTuple):
    """Of one reply: the mean cosine of its tips among themselves, and of each tip to its nearest task.

    None where there is nothing to compare. `failed`: the embedder gave no vectors.
    """

    user_id: str
    among: float | None = None
    to_task: float | None = None
    failed: bool = False


def embed_bank(
    asker: Asker, bank: Bank, *, alias: str = EMBEDDER, progress: Callable[[int, int], None] | None = None
) -> tuple[list[Likeness], list[Reply]]:
    """The likeness of each record's tips, in order, and what was answered."""
    texts = [_texts(record) for record in bank.records]
    asked = [own for own in texts if own]
    replies = asker.ask([embedding(alias, own) for own in asked], progress)
    answers = iter(replies)
    found = [_likeness(record, next(answers) if own else None) for record, own in zip(bank.records, texts, strict=True)]
    return found, replies


def embedding(alias: str, texts: Sequence[str]) -> Question:
    """The question for the vectors of some texts."""
    return Question(json_body({"model": alias, "input": list(texts)}), texts=len(texts))


def embed_section(found: Sequence[Likeness]) -> Section:
    """Mean cosines, with intervals over users; replies without tips have none and are named."""
    return Section(
        "embeddings",
        (
            _cosines("cosine of tips in one reply", found, [one.among for one in found]),
            _cosines("cosine of tips to the nearest task", found, [one.to_task for one in found]),
            share("embeddings that failed", [(one.user_id, one.failed, 1) for one in found], "generations"),
        ),
    )


def _cosines(name: str, found: Sequence[Likeness], values: Sequence[float | None]) -> Metric:
    told = [(one.user_id, value) for one, value in zip(found, values, strict=True) if value is not None]
    note = f"of {len(found)}; the others have nothing to compare"
    return mean(name, told, "generations", note)


def cosine(first: Vector, second: Vector) -> float:
    """The cosine of two vectors; 0 where one of them is zero. No length overflows it."""
    lengths = math.hypot(*first), math.hypot(*second)
    if not min(lengths):
        return 0.0
    return math.fsum(a / lengths[0] * (b / lengths[1]) for a, b in zip(first, second, strict=True))


def _texts(record: Record) -> list[str]:
    """The tips, and behind them the tasks; nothing where there are no tips."""
    tips = [tip.content for tip in record.tips]
    tasks = [task.content for task in record.parsed_context.tasks if task.content.strip()][:_MAX_TASKS]
    return [*tips, *tasks] if tips else []


def _likeness(record: Record, reply: Reply | None) -> Likeness:
    if reply is None:
        return Likeness(record.user_id)
    if reply.failure is not None:
        return Likeness(record.user_id, failed=True)
    n = len(record.tips)
    return _compared(record.user_id, reply.vectors[:n], reply.vectors[n:])


def _compared(user_id: str, tips: Sequence[Vector], tasks: Sequence[Vector]) -> Likeness:
    among = [cosine(*both) for both in combinations(tips, 2)]
    nearest = [max(cosine(tip, task) for task in tasks) for tip in tips] if tasks else []
    return Likeness(user_id, _mean(among), _mean(nearest))


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None
