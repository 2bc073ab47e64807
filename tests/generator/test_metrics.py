"""Metrics: hand-worked numbers, failures in every denominator, and no NaN whatever the bank."""

from __future__ import annotations

import math
from typing import Any

import pytest

from oo_sim.generator.bank import Bank, BankInfo, Record
from oo_sim.generator.bank.record import context_text
from oo_sim.generator.context import GenerationContext, Task
from oo_sim.generator.exchange import Try, Usage
from oo_sim.generator.metrics import Metric, summarise
from oo_sim.generator.metrics.text import distinct, repeats, self_bleu, within_budget
from oo_sim.generator.parser import Tip

INFO = BankInfo(
    "p@1", "canary-123456", "mock", "simulated", 1, 2, "faithful", False, 2, "tip-generator", 0.7, 30.0, 90.0, "00"
)
CONTEXT = context_text(GenerationContext(tasks=(Task(id="1", content="Water the ferns"),), hour_of_day=20))


def a_try(attempt: int, failure: str | None = None, **fields: Any) -> Try:
    """A try of 100 ms and 10 + 5 reported tokens, answered unless it says otherwise."""
    values = {"status": 200, "latency_ms": 100.0, "usage": Usage(10, 5), "usage_reported": True, **fields}
    return Try(attempt, failure=failure, **values)


def record(tips: list[str], *tries: Try, user: str = "u", status: int = 200, failure: str | None = None) -> Record:
    """A record of two tips asked for."""
    kept = tuple(Tip(str(at), text) for at, text in enumerate(tips))
    return Record(0, user, CONTEXT, 2, status, failure, "", "p@1", "m", (), kept, tries)


def metrics(*records: Record) -> dict[str, Metric]:
    """All metrics of a bank by name."""
    return {metric.name: metric for section in summarise(Bank(INFO, records)) for metric in section.metrics}


LOST = record([], a_try(1, "http_500", status=500, usage=Usage(), usage_reported=False), status=502, failure="http_500")
BANK = (
    record(["Water the ferns.", "Good morning, rest."], a_try(1)),
    record(["Water the ferns!"], a_try(1, "prose", reply="I say canary-123456"), a_try(2)),
    record(["Rest a bit."], a_try(1, usage=Usage(), usage_reported=False, estimate=Usage(7, 3)), user="v"),
    LOST,
)


@pytest.mark.parametrize(
    ("name", "value", "of"),
    [
        ("valid at the first try", 2 / 4, "2 of 4 generations"),
        ("valid in the end", 3 / 4, "3 of 4 generations"),
        ("tries per success", 5 / 3, "5 over 3 successes"),
        ("tips per request", 1.0, "4 generations"),
        ("try 1: prose", 1 / 4, "1 of 4 tries number 1"),
        ("try 1: http_500", 1 / 4, "1 of 4 tries number 1"),
        ("tokens per usable tip, reported", 45 / 4, "45 over 4 tips"),
        ("tokens per usable tip, estimated", 10 / 4, "10 over 4 tips"),
        ("tries with reported tokens", 3 / 5, "3 of 5 tries"),
        ("try p50, ms", 100.0, "5 tries"),
        ("usable tips", 4 / 8, "4 of 8 tips asked for"),
        ("repeats within a user", 1 / 8, "1 of 8 tips asked for"),
        ("tips that name one of the user's tasks", 2 / 8, "2 of 8 tips asked for"),
        ("tips that contradict the hour", 1 / 8, "1 of 8 tips asked for"),
        ("replies that leak the canary", 1 / 5, "1 of 5 tries"),
    ],
)
def test_by_hand(name: str, value: float, of: str) -> None:
    metric = metrics(*BANK)[name]
    assert metric.of == of
    assert metric.value == pytest.approx(value)
    if metric.is_share:
        assert metric.lower is not None
        assert metric.upper is not None
        assert metric.lower <= value <= metric.upper


def test_latencies_are_labelled() -> None:
    found = metrics(*BANK)
    assert found["generation p95, ms"].value == pytest.approx(185.0)
    assert "simulated" in found["try p95, ms"].note


@pytest.mark.parametrize("records", [(), (LOST,), (LOST, LOST), BANK[:1], (record([""], a_try(1)),)])
def test_no_metric_is_ever_nan(records: tuple[Record, ...]) -> None:
    for metric in metrics(*records).values():
        for value in (metric.value, metric.lower, metric.upper):
            assert value is None or math.isfinite(value)


def test_a_failure_lowers_every_share_and_hides_nothing() -> None:
    before, after = metrics(*BANK), metrics(*BANK, LOST)
    for name, metric in before.items():
        value = after[name].value
        if metric.is_share and "of" in metric.of and "words" not in metric.of and "http_500" not in name:
            assert metric.value is not None
            assert value is not None
            assert value < metric.value


def test_distinct() -> None:
    texts = [("a", "b", "a"), ("a", "c")]
    assert distinct(texts, 1) == 3 / 5
    assert distinct(texts, 2) == 1.0
    assert distinct([], 1) is None
    assert distinct([("a",)], 2) is None


def test_self_bleu() -> None:
    same = [tuple("abcdef")] * 3
    assert self_bleu(same) == pytest.approx(1.0)
    assert self_bleu([tuple("abcd"), tuple("efgh")]) == 0.0
    assert self_bleu(same[:1]) is None
    # "a b c d" against "a b c e": precisions 3/4, (2+1)/(3+1), (1+1)/(2+1), (0+1)/(1+1), no brevity penalty
    expected = (3 / 4 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25
    assert self_bleu([tuple("abcd"), tuple("abce")]) == pytest.approx(expected)


def test_self_bleu_has_a_brevity_penalty() -> None:
    # "a b" against "a b c d": all precisions 1, penalty exp(1 - 4/2); back: 2/4, 2/4, 1/3, 1/2
    short, long = math.exp(-1), (2 / 4 * 2 / 4 * 1 / 3 * 1 / 2) ** 0.25
    assert self_bleu([tuple("ab"), tuple("abcd")]) == pytest.approx((short + long) / 2)


def test_the_budget_is_exact() -> None:
    assert within_budget(["a b c", "", "d e f"], 5) == [("a", "b", "c"), ("d", "e")]
    assert within_budget([], 5) == []


def test_repeats_ignore_case_and_punctuation_but_not_the_user() -> None:
    assert repeats([("u", "Go!"), ("u", "go"), ("v", "Go"), ("u", "stay")]) == 1
    assert repeats([("u", "!"), ("u", "?")]) == 0
