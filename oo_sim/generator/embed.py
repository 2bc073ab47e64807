"""How alike texts are by their embeddings: tips of one reply among themselves, and tips to the user's tasks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import combinations
from typing import NamedTuple

from oo_sim.generator.bank.files import Bank
from oo_sim.generator.bank.record import Record
from oo_sim.generator.client import TipGenerator
from oo_sim.generator.exchange import Call, json_body
from oo_sim.generator.wire import WireError, read_embeddings

MODEL = "embedder"
_MAX_TASKS = 20

Vector = list[float]


class Likeness(NamedTuple):
    """Of one reply: the mean cosine of its tips among themselves, and of each tip to its nearest task.

    None where there is nothing to compare. `failed`: the embedder gave no vectors.
    """

    user_id: str
    among: float | None = None
    to_task: float | None = None
    failed: bool = False


def embed_bank(
    client: TipGenerator, bank: Bank, *, concurrency: int = 1, progress: Callable[[int, int], None] | None = None
) -> list[Likeness]:
    """The likeness of each record's tips, in order."""
    found: list[Likeness] = []
    pool = ThreadPoolExecutor(concurrency)
    try:
        futures = [pool.submit(partial(_likeness, client), record) for record in bank.records]
        for future in futures:
            found.append(future.result())
            if progress is not None:
                progress(len(found), len(futures))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return found


def cosine(first: Vector, second: Vector) -> float:
    """The cosine of two vectors; 0 where one of them is zero. No length overflows it."""
    lengths = math.hypot(*first), math.hypot(*second)
    if not min(lengths):
        return 0.0
    return math.fsum(a / lengths[0] * (b / lengths[1]) for a, b in zip(first, second, strict=True))


def _likeness(client: TipGenerator, record: Record) -> Likeness:
    tips = [tip.content for tip in record.tips]
    if not tips:
        return Likeness(record.user_id)
    tasks = [task.content for task in record.parsed_context.tasks if task.content.strip()][:_MAX_TASKS]
    body = json_body({"model": MODEL, "input": [*tips, *tasks]})
    answer = client.exchange(Call("/embeddings", body, client.options.call_timeout), occurrence=record.position)
    if answer.status != 200 or answer.failure is not None:
        return Likeness(record.user_id, failed=True)
    try:
        vectors = read_embeddings(answer.body, len(tips) + len(tasks))
    except WireError:
        return Likeness(record.user_id, failed=True)
    return _compared(record.user_id, vectors[: len(tips)], vectors[len(tips) :])


def _compared(user_id: str, tips: Sequence[Vector], tasks: Sequence[Vector]) -> Likeness:
    among = [cosine(*both) for both in combinations(tips, 2)]
    nearest = [max(cosine(tip, task) for task in tasks) for tip in tips] if tasks else []
    return Likeness(user_id, _mean(among), _mean(nearest))


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None
