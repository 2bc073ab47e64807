"""Which of two tip sets is better: a judge model compares them pair by pair, in both orders."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.resources import files
from string import Template
from typing import NamedTuple

from oo_sim.errors import GeneratorInputError
from oo_sim.generator.bank.files import Bank
from oo_sim.generator.bank.record import Record
from oo_sim.generator.client import TipGenerator
from oo_sim.generator.exchange import Call, json_body
from oo_sim.generator.prompt import capped, data_block
from oo_sim.generator.wire import WireError, read_completion

MODEL = "judge"
_WINNERS = {"A": "first", "B": "second", "TIE": "tie"}


class Pair(NamedTuple):
    """The two verdicts on one context: `first`, `second`, `tie` by place, or `unparsable`. None: not asked.

    `verdicts` are of the order (ours, theirs) and then of (theirs, ours). `score` is 1 where ours wins, 0 where
    theirs does, 0.5 for a tie: a disagreement of the orders, or a verdict that cannot be read.
    """

    user_id: str
    verdicts: tuple[str, str] | None
    score: float


def judge_banks(
    client: TipGenerator,
    ours: Bank,
    theirs: Bank,
    *,
    concurrency: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[Pair]:
    """Compares two banks made for the same contexts. A side without tips loses unasked; two such sides tie.

    Raises `GeneratorInputError` when the banks' contexts differ.
    """
    if ours.info.contexts != theirs.info.contexts:
        raise GeneratorInputError("--judge: the two tip banks were made for different contexts")
    pairs: list[Pair] = []
    pool = ThreadPoolExecutor(concurrency)
    try:
        sides = zip(ours.records, theirs.records, strict=True)
        futures = [pool.submit(partial(_judged, client), *both) for both in sides]
        for future in futures:
            pairs.append(future.result())
            if progress is not None:
                progress(len(pairs), len(futures))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return pairs


def read_verdict(reply: str | None) -> str:
    """`first`, `second` or `tie` from a reply such as {"winner": "A"}, bare or fenced; else `unparsable`."""
    text = (reply or "").strip().removeprefix("```json").removeprefix("```").removesuffix("```").strip()
    try:
        value = json.loads(text) if len(text) < 10_000 else None
    except (ValueError, RecursionError):
        return "unparsable"
    winner = value.get("winner") if isinstance(value, dict) else None
    return _WINNERS.get(winner.strip().upper(), "unparsable") if isinstance(winner, str) else "unparsable"


def score(verdicts: tuple[str, str]) -> float:
    """The score of ours from both verdicts: they must agree on the set, not on the place."""
    return {("first", "second"): 1.0, ("second", "first"): 0.0}.get(verdicts, 0.5)


def _judged(client: TipGenerator, ours: Record, theirs: Record) -> Pair:
    if not ours.tips or not theirs.tips:
        return Pair(ours.user_id, None, 0.5 + 0.5 * (bool(ours.tips) - bool(theirs.tips)))
    verdicts = (_asked(client, ours, theirs), _asked(client, theirs, ours))
    return Pair(ours.user_id, verdicts, score(verdicts))


def _asked(client: TipGenerator, first: Record, second: Record) -> str:
    call = Call("/chat/completions", _body(first, second), client.options.call_timeout)
    answer = client.exchange(call, occurrence=first.position)
    if answer.status != 200 or answer.failure is not None:
        return "unparsable"
    try:
        return read_verdict(read_completion(answer.body).text)
    except WireError:
        return "unparsable"


def _body(first: Record, second: Record) -> bytes:
    context = first.parsed_context
    text = _template().substitute(
        hour=f"{context.hour_of_day:02d}",
        tasks=data_block([{"content": capped(task.content)} for task in context.tasks[:20]]),
        first=_tips(first),
        second=_tips(second),
    )
    return json_body({"model": MODEL, "messages": [{"role": "user", "content": text.strip()}], "temperature": 0})


def _tips(record: Record) -> str:
    return data_block([{"content": capped(tip.content, 1000)} for tip in record.tips])


def _template() -> Template:
    return Template(files(__package__).joinpath("prompts/judge.txt").read_text("utf-8"))


def asked_pairs(pairs: Sequence[Pair]) -> list[tuple[str, str]]:
    """The verdicts of the pairs that were asked about."""
    return [pair.verdicts for pair in pairs if pair.verdicts is not None]
