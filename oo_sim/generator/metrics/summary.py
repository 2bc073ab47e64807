"""The table of a tip bank: validity, cost, latency, variety, grounding and leaks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from oo_sim.generator.bank.files import Bank
from oo_sim.generator.bank.record import OK, Record
from oo_sim.generator.exchange import Try
from oo_sim.generator.grounding import about, contradicts
from oo_sim.generator.metrics.metric import Metric, Section, mean, ratio, share
from oo_sim.generator.metrics.text import distinct, repeats, self_bleu, within_budget

BUDGET = 2000
"""Words on which variety is measured."""


def summarise(bank: Bank, budget: int = BUDGET) -> tuple[Section, ...]:
    """All metrics of a bank. Shares of tips are over the tips asked for, so that who fails gains nothing."""
    records = bank.records
    return (
        Section("validity", tuple(_validity(records))),
        Section("failed tries", tuple(_failures(records))),
        Section("cost", tuple(_cost(records))),
        Section("latency", tuple(_latency(records, bank.info.latency))),
        Section("tips", tuple(_tips(records, budget))),
        Section("grounding", tuple(_grounding(records, bank.info.canary))),
    )


def _validity(records: Sequence[Record]) -> list[Metric]:
    n = len(records)
    good = [record for record in records if record.status == OK]
    tries = sum(len(record.tries) for record in records)
    flags = Counter(flag for record in good for flag in record.flags)
    return [
        share("valid at the first try", sum(len(record.tries) == 1 for record in good), n, "generations"),
        share("valid in the end", len(good), n, "generations"),
        ratio("tries per success", tries, len(good), "successes", "tries of failures included"),
        mean("tips per request", [float(len(record.tips)) for record in records], "generations", "failures give 0"),
        *(share(f"flagged {flag}", count, n, "generations") for flag, count in sorted(flags.items())),
    ]


def _failures(records: Sequence[Record]) -> list[Metric]:
    made = Counter(one.attempt for record in records for one in record.tries)
    lost = Counter((one.attempt, one.failure) for record in records for one in record.tries if one.failure)
    ends = Counter(record.failure for record in records if record.failure)
    by_try = [
        share(f"try {attempt}: {failure}", count, made[attempt], f"tries number {attempt}")
        for (attempt, failure), count in sorted(lost.items(), key=lambda item: (item[0][0], -item[1], str(item[0][1])))
    ]
    unknown = ends["not_recorded"]
    why = "the recorded tries end too soon; counted as failed"
    return [*by_try, *([share("end: not recorded", unknown, len(records), "generations", why)] if unknown else [])]


def _cost(records: Sequence[Record]) -> list[Metric]:
    tips = sum(len(record.tips) for record in records)
    tries = [one for record in records for one in record.tries]
    answered = [one for one in tries if one.usage_reported or any(one.estimate)]
    reported = [one for one in answered if one.usage_reported]
    missing = len(answered) - len(reported)
    spent = sum(sum(one.usage) for one in reported)
    guessed = sum(sum(one.estimate) for one in answered)
    return [
        ratio(
            "tokens per usable tip, reported", spent, tips, "tips", f"of {len(reported)} tries, failed ones included"
        ),
        ratio(
            "tokens per usable tip, estimated",
            guessed,
            tips,
            "tips",
            f"of {missing} tries without a count: a token for 4 characters",
        ),
        share("tries with reported tokens", len(reported), len(tries), "tries"),
    ]


def _latency(records: Sequence[Record], kind: str) -> list[Metric]:
    one_try = [one.latency_ms for record in records for one in record.tries]
    whole = [sum(one.latency_ms for one in record.tries) for record in records]
    return [
        Metric(
            f"{what} p{rank}, ms", _percentile(values, rank), f"{len(values)} {unit}", note=f"{kind}; failures included"
        )
        for what, values, unit in (("try", one_try, "tries"), ("generation", whole, "generations"))
        for rank in (50, 95)
    ]


def _percentile(values: Sequence[float], rank: int) -> float | None:
    return float(np.percentile(values, rank)) if values else None


def _tips(records: Sequence[Record], budget: int) -> list[Metric]:
    texts = [(record.user_id, tip.content) for record in records for tip in record.tips]
    asked = sum(record.n for record in records)
    taken = within_budget((text for _, text in texts), budget)
    used = sum(map(len, taken))
    of, note = f"{used} words", "" if used == budget else f"fewer than the {budget} words that sets are compared on"
    return [
        share("usable tips", len(texts), asked, "tips asked for"),
        share("repeats within a user", repeats(texts), asked, "tips asked for", _came(len(texts))),
        Metric("distinct-1", distinct(taken, 1), of, is_share=True, note=note),
        Metric("distinct-2", distinct(taken, 2), of, is_share=True, note=note),
        Metric("self-BLEU", self_bleu(taken), of, note=note),
    ]


def _grounding(records: Sequence[Record], canary: str) -> list[Metric]:
    asked = sum(record.n for record in records)
    named = wrong = came = 0
    for record in records:
        context = record.parsed_context
        tasks = [task.content for task in context.tasks]
        came += len(record.tips)
        named += sum(about(tip.content, tasks) is not None for tip in record.tips)
        wrong += sum(contradicts(tip.content, context.hour_of_day, tasks) for tip in record.tips)
    tries = [one for record in records for one in record.tries]
    return [
        share("tips that name one of the user's tasks", named, asked, "tips asked for", _came(came)),
        share("tips that contradict the hour", wrong, asked, "tips asked for", _came(came)),
        share("replies that leak the canary", sum(_leaks(one, canary) for one in tries), len(tries), "tries"),
    ]


def _leaks(one: Try, canary: str) -> bool:
    return canary in (one.reply or "")


def _came(count: int) -> str:
    return f"{count} tips came"
