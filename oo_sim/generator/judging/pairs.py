"""Which of two tip sets is better: a judge model compares them pair by pair, in both orders."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from importlib.resources import files
from string import Template
from typing import NamedTuple

from oo_sim.errors import GeneratorInputError
from oo_sim.generator.bank.files import Bank
from oo_sim.generator.bank.record import Record
from oo_sim.generator.gateway.asking import Asker, Question, Reply
from oo_sim.generator.gateway.exchange import json_body
from oo_sim.generator.metrics.metric import Metric, Section, mean, share
from oo_sim.generator.prompt import capped, data_block

JUDGE = "judge"
_WINNERS = {"A": "first", "B": "second", "TIE": "tie"}
UNREADABLE = "unreadable"
MOST = 0.5
"""The share of missing verdicts from which on there is no win rate."""


class Pair(NamedTuple):
    """The two verdicts on one context: `first`, `second`, `tie` by place; or why there is none. None: not asked.

    `verdicts` are of the order (ours, theirs) and then of (theirs, ours). `score` is 1 where ours wins, 0 where theirs
    does, 0.5 for a tie or where the orders disagree, and None where a verdict is missing: that says nothing about the
    tips. `longer` is by how many characters ours is longer.
    """

    position: int
    user_id: str
    verdicts: tuple[str, str] | None
    score: float | None
    longer: int = 0


def judge_banks(
    asker: Asker,
    ours: Bank,
    theirs: Bank,
    *,
    alias: str = JUDGE,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Pair], list[Reply]]:
    """Compares two banks made for the same contexts, and what was answered.

    A side without tips loses unasked; two such sides tie. Raises `GeneratorInputError` when the banks' contexts differ.
    """
    check_same_contexts(ours, theirs)
    sides = list(zip(ours.records, theirs.records, strict=True))
    asked = [both for both in sides if both[0].tips and both[1].tips]
    questions = [_question(alias, *order) for both in asked for order in (both, both[::-1])]
    replies = asker.ask(questions, progress)
    verdicts = iter([_verdict(reply) for reply in replies])
    pairs = []
    for mine, other in sides:
        if mine.tips and other.tips:
            both = (next(verdicts), next(verdicts))
            pairs.append(Pair(mine.position, mine.user_id, both, score(both), length(mine) - length(other)))
        else:
            decided = 0.5 + 0.5 * (bool(mine.tips) - bool(other.tips))
            pairs.append(Pair(mine.position, mine.user_id, None, decided))
    return pairs, replies


def check_same_contexts(ours: Bank, theirs: Bank) -> None:
    """`GeneratorInputError` unless both banks are of the same contexts."""
    if ours.info.contexts != theirs.info.contexts:
        raise GeneratorInputError("the two tip banks were made for different contexts, so they cannot be compared")


def read_verdict(reply: str | None) -> str:
    """`first`, `second` or `tie` from a reply such as {"winner": "A"}, bare or fenced; else `unreadable`."""
    winner = read_object(reply).get("winner")
    return _WINNERS.get(winner.strip().upper(), UNREADABLE) if isinstance(winner, str) else UNREADABLE


def read_object(reply: str | None) -> dict[str, object]:
    """The JSON object that a reply is, bare or fenced; an empty one where it is something else."""
    text = (reply or "").strip().removeprefix("```json").removeprefix("```").removesuffix("```").strip()
    try:
        value = json.loads(text) if len(text) < 10_000 else None
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def score(verdicts: tuple[str, str]) -> float | None:
    """The score of ours from both verdicts: they must agree on the set, not on the place."""
    if not set(verdicts) <= {"first", "second", "tie"}:
        return None
    return {("first", "second"): 1.0, ("second", "first"): 0.0}.get(verdicts, 0.5)


def missing(pairs: Sequence[Pair]) -> float:
    """The share of the pairs asked about that have no score; 0 where none was asked about."""
    asked = [pair for pair in pairs if pair.verdicts is not None]
    return sum(pair.score is None for pair in asked) / len(asked) if asked else 0.0


def judge_section(pairs: Sequence[Pair], alias: str = JUDGE) -> Section:
    """The win rate of ours over the pairs that have a score, and what to know of the judge."""
    asked = [(pair, pair.verdicts) for pair in pairs if pair.verdicts is not None]
    verdicts = [(pair.user_id, verdict) for pair, both in asked for verdict in both]
    decided = [(user, verdict == "first", 1) for user, verdict in verdicts if verdict in ("first", "second")]
    whole = [(pair, both) for pair, both in asked if pair.score is not None]
    flips = [(pair.user_id, pair.score == 0.5 and set(both) != {"tie"}, 1) for pair, both in whole]
    scored = [(pair.user_id, pair.score) for pair in pairs if pair.score is not None]
    lost = len(asked) - len(whole)
    if missing(pairs) > MOST:  # what is left says nothing about the tips
        scored = []
    note = f"{len(pairs) - len(asked)} decided without asking: a side had no tips; {lost} missing"
    return Section(
        f"judge {alias}",
        (
            mean("win rate", scored, f"of {len(pairs)} pairs, ties count half", note, is_share=True),
            share("pairs won", [(user, value == 1, 1) for user, value in scored], "pairs"),
            share("pairs tied", [(user, value == 0.5, 1) for user, value in scored], "pairs"),
            share("verdicts that flip with the order", flips, "pairs with two verdicts"),
            share("verdicts for the first position", decided, "verdicts for one side"),
            share("verdicts that are missing", _lost(verdicts), "verdicts", "failed or unreadable"),
            *_verbosity(pairs),
        ),
    )


def _lost(verdicts: Sequence[tuple[str, str]]) -> list[tuple[str, float, float]]:
    return [(user, verdict not in ("first", "second", "tie"), 1) for user, verdict in verdicts]


def _verbosity(pairs: Sequence[Pair]) -> list[Metric]:
    """The win rate where ours is the longer set and where it is the shorter one; and of the longer set."""
    told = [(pair.user_id, pair.score, pair.longer) for pair in pairs if pair.verdicts and pair.score is not None]
    longer = [(user, value) for user, value, more in told if more > 0]
    shorter = [(user, value) for user, value, more in told if more < 0]
    preferred = [*longer, *((user, 1 - value) for user, value in shorter)]
    unit = "pairs whose lengths differ"
    return [
        mean("win rate of the longer set", preferred, unit, "50 % where length does not matter", is_share=True),
        mean("win rate where ours is longer", longer, "pairs", is_share=True),
        mean("win rate where ours is shorter", shorter, "pairs", is_share=True),
    ]


def length(record: Record) -> int:
    """The characters of a record's tips."""
    return sum(len(tip.content) for tip in record.tips)


def _verdict(reply: Reply) -> str:
    return reply.failure or read_verdict(reply.text)


def _question(alias: str, first: Record, second: Record) -> Question:
    context = first.parsed_context
    text = _template().substitute(
        hour=f"{context.hour_of_day:02d}",
        tasks=data_block([{"content": capped(task.content)} for task in context.tasks[:20]]),
        first=tips_block(first),
        second=tips_block(second),
    )
    messages = [{"role": "user", "content": text.strip()}]
    return Question(json_body({"model": alias, "messages": messages, "temperature": 0}))


def tips_block(record: Record) -> str:
    """A record's tips as data for a prompt."""
    return data_block([{"content": capped(tip.content, 1000)} for tip in record.tips])


def _template() -> Template:
    return Template(files("oo_sim.generator").joinpath("prompts/judge.txt").read_text("utf-8"))
