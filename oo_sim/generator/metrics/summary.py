"""The table of a tip bank: validity, cost, latency, variety, grounding and leaks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import partial

from oo_sim.generator.bank.files import Bank
from oo_sim.generator.bank.record import OK, Record, is_answered
from oo_sim.generator.bank.rescore import NOT_RECORDED
from oo_sim.generator.gateway.exchange import Try
from oo_sim.generator.metrics.metric import Metric, Section, mean, over_samples, percentile, ratio, share
from oo_sim.generator.metrics.prices import Prices, cost
from oo_sim.generator.metrics.text import (
    across_users,
    distinct,
    misses_the_hour,
    names_a_task,
    repeats,
    self_bleu,
    sentences,
)

BUDGET = 500
"""Words of each sample of users on which variety is measured."""


def summarise(bank: Bank, budget: int = BUDGET, prices: Prices | None = None) -> tuple[Section, ...]:
    """All metrics of a bank. Shares of tips are over the tips asked for, so that failing gains nothing."""
    records = bank.records
    return (
        Section("validity", tuple(_validity(records))),
        Section("failed tries", tuple(_failures(records))),
        Section("cost", (*_cost(records), *([cost(records, bank.info.model, prices)] if prices else []))),
        Section("latency", tuple(_latency(records, bank.info.latency))),
        Section("tips", tuple(_tips(records, budget))),
        Section("grounding", tuple(_grounding(records, bank.info.canary))),
    )


def _validity(records: Sequence[Record]) -> list[Metric]:
    flags = sorted({flag for record in records if record.status == OK for flag in record.flags})
    return [
        _generations("valid at the first try", records, lambda one: one.status == OK and len(one.tries) == 1),
        _generations("valid in the end", records, lambda one: one.status == OK),
        ratio(
            "tries per success",
            [(one.user_id, len(one.tries), one.status == OK) for one in records],
            "successes",
            "tries of failures included",
        ),
        mean("tips per request", [(one.user_id, len(one.tips)) for one in records], "generations", "failures give 0"),
        *(_generations(f"flagged {flag}", records, partial(_flagged, flag)) for flag in flags),
    ]


def _flagged(flag: str, record: Record) -> bool:
    return flag in record.flags


def _generations(name: str, records: Sequence[Record], holds: Callable[[Record], bool], note: str = "") -> Metric:
    """The share of generations of which something holds."""
    return share(name, [(one.user_id, holds(one), 1) for one in records], "generations", note)


def _failures(records: Sequence[Record]) -> list[Metric]:
    tries = _tries(records)
    lost = Counter((one.attempt, one.failure) for _, one in tries if one.failure)
    ends = sum(record.failure == NOT_RECORDED for record in records)
    by_try = [
        share(
            f"try {attempt}: {failure}",
            [(user, one.failure == failure, 1) for user, one in tries if one.attempt == attempt],
            f"tries number {attempt}",
        )
        for (attempt, failure), _ in sorted(lost.items(), key=lambda item: (item[0][0], -item[1], str(item[0][1])))
    ]
    cut = [(user, one.finish_reason == "length", 1) for user, one in tries if is_answered(one)]
    by_try += [share("replies cut off for their length", cut, "answered tries")] if any(row[1] for row in cut) else []
    why = "the recorded tries end too soon; counted as failed"
    if ends:
        by_try.append(_generations("end: not recorded", records, lambda one: one.failure == NOT_RECORDED, why))
    return by_try


def _cost(records: Sequence[Record]) -> list[Metric]:
    answered = [(user, one) for user, one in _tries(records) if one.usage_reported or any(one.estimate)]
    reported = sum(one.usage_reported for _, one in answered)
    tips = [(record.user_id, 0, len(record.tips)) for record in records]
    replayed = [(user, one.replayed, 1) for user, one in _tries(records)]
    return [
        ratio(
            "tokens per usable tip, reported",
            [*tips, *((user, sum(one.usage), 0) for user, one in answered if one.usage_reported)],
            "tips",
            f"of {reported} tries, failed ones included",
        ),
        ratio(
            "tokens per usable tip, estimated",
            [*tips, *((user, sum(one.estimate), 0) for user, one in answered)],
            "tips",
            f"of {len(answered) - reported} tries without a count: a token for 4 characters",
        ),
        share("tries with reported tokens", [(user, one.usage_reported, 1) for user, one in _tries(records)], "tries"),
        *([share("tries replayed from a cassette", replayed, "tries")] if any(row[1] for row in replayed) else []),
    ]


def _latency(records: Sequence[Record], kind: str) -> list[Metric]:
    one_try = [(user, one.latency_ms) for user, one in _tries(records)]
    whole = [(record.user_id, sum(one.latency_ms for one in record.tries)) for record in records]
    return [
        percentile(f"{what} p{rank}, ms", values, rank, unit, f"{kind}; failures included")
        for what, values, unit in (("try", one_try, "tries"), ("generation", whole, "generations"))
        for rank in (50, 95)
    ]


def _tips(records: Sequence[Record], budget: int) -> list[Metric]:
    usable = [(record.user_id, len(record.tips), record.n) for record in records]
    came = f"{sum(len(record.tips) for record in records)} tips came"
    asked = [(record.user_id, 0, record.n) for record in records]
    tips = [(record.user_id, tip) for record in records for tip in record.tips]
    again = [(user, 1, 0) for user in repeats((user, tip.content) for user, tip in tips)]
    texts: dict[str, list[str]] = defaultdict(list)
    for user, tip in tips:
        texts[user].append(tip.content)
    samples = across_users(texts, budget)
    words = sum(len(text) for sample in samples for text in sample)
    of = f"{words} words, {len(samples)} samples of users"
    note = "" if words == budget * len(samples) else f"fewer than the {budget} words that sets are compared on"
    variety = {
        "distinct-1": lambda sample: distinct(sample, 1),
        "distinct-2": lambda sample: distinct(sample, 2),
        "self-BLEU": self_bleu,
    }
    return [
        share("usable tips", usable, "tips asked for"),
        share("repeats within a user", [*asked, *again], "tips asked for", came),
        *(
            over_samples(name, [measure(one) for one in samples], of, note, is_share=name != "self-BLEU")
            for name, measure in variety.items()
        ),
        share(
            "tips of more than two sentences",
            [*asked, *((user, sentences(tip.content) > 2, 0) for user, tip in tips)],
            "tips asked for",
            came,
        ),
        share(
            "rationales of more than one sentence",
            [*asked, *((user, sentences(tip.rationale or "") > 1, 0) for user, tip in tips)],
            "tips asked for",
            came,
        ),
    ]


def _grounding(records: Sequence[Record], canary: str) -> list[Metric]:
    named: list[tuple[str, float, float]] = []
    wrong: list[tuple[str, float, float]] = []
    for record in records:
        context = record.parsed_context
        tasks, texts = [task.content for task in context.tasks], [tip.content for tip in record.tips]
        named.append((record.user_id, sum(names_a_task(text, tasks) for text in texts), record.n))
        wrong.append((record.user_id, sum(misses_the_hour(text, context.hour_of_day) for text in texts), record.n))
    came = f"{sum(len(record.tips) for record in records)} tips came"
    leaks = [(user, canary in (one.reply or ""), 1) for user, one in _tries(records)]
    return [
        share("tips that name one of the user's tasks", named, "tips asked for", came),
        share("tips that contradict the hour", wrong, "tips asked for", came),
        share("replies that leak the canary", leaks, "tries"),
    ]


def _tries(records: Sequence[Record]) -> list[tuple[str, Try]]:
    return [(record.user_id, one) for record in records for one in record.tries]
