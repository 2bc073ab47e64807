"""Metrics: hand-worked numbers, failures in every denominator, and no NaN whatever the bank."""

from __future__ import annotations

import math
from typing import Any

import pytest

from oo_sim.generator.bank import Bank, BankInfo, Record
from oo_sim.generator.bank.record import context_text
from oo_sim.generator.context import GenerationContext, Task
from oo_sim.generator.gateway.exchange import Try, Usage
from oo_sim.generator.metrics import Metric, summarise
from oo_sim.generator.metrics.prices import Prices
from oo_sim.generator.metrics.text import (
    across_users,
    distinct,
    misses_the_hour,
    names_a_task,
    repeats,
    self_bleu,
    sentences,
    within_budget,
)
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


def test_rules_of_length_by_hand() -> None:
    long = record(["One. Two. Three.", "One. Two."], a_try(1, "truncated", finish_reason="length"), a_try(2))
    long = long._replace(tips=tuple(tip._replace(rationale="Why. Because.") for tip in long.tips))
    short = record(["One.", "One. Two."], a_try(1, finish_reason="stop"))
    found = metrics(long, short, LOST)
    told = {
        "tips of more than two sentences": "1 of 6 tips asked for",
        "rationales of more than one sentence": "2 of 6 tips asked for",
        "replies cut off for their length": "1 of 3 answered tries",
    }
    assert {name: found[name].of for name in told} == told


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
    lowered = {
        "valid at the first try",
        "valid in the end",
        "try 1: prose",
        "tries with reported tokens",
        "usable tips",
        "repeats within a user",
        "tips that name one of the user's tasks",
        "tips that contradict the hour",
        "replies that leak the canary",
    }
    unmoved = {  # 0 of anything stays 0, variety is of the tips that came, and a failure is no answer to be cut off
        "tips of more than two sentences",
        "rationales of more than one sentence",
        "distinct-1",
        "distinct-2",
    }
    assert {name for name, metric in before.items() if metric.is_share} == lowered | unmoved | {"try 1: http_500"}
    for name in lowered:
        first, second = before[name].value, after[name].value
        assert first is not None
        assert second is not None
        assert second < first, name
    for name in unmoved:
        assert after[name].value == before[name].value
    assert after["try 1: http_500"].value == 2 / 5


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
    assert repeats([("u", "Go!"), ("u", "go"), ("v", "Go"), ("u", "stay")]) == ["u"]
    assert repeats([("u", "!"), ("u", "?")]) == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("Go", 1),
        ("Go.", 1),
        ("Go. Now!", 2),
        ("Wait... Then go. Really?", 3),
        ("Pay 3.50 at 10.30 a.m. today.", 1),
        ("Ask J. Smith.", 1),
        ('Say "no." Then rest.', 2),
        ("休む。歩く。", 2),
    ],
)
def test_sentences(text: str, count: int) -> None:
    assert sentences(text) == count


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Water the ferns now.", True),
        ("FERNS: give them water", True),
        ("Give the ferns a drink.", True),  # most of the title's weight
        ("Rest a bit.", False),
        ("The tax is due.", False),
        ("", False),
    ],
)
def test_a_task_is_named_by_most_of_its_letters(text: str, named: bool) -> None:
    assert names_a_task(text, ["Water the ferns", "Open the tax letter"]) is named


@pytest.mark.parametrize(
    ("text", "hour", "misses"),
    [
        ("Do it this morning.", 9, False),
        ("Do it this morning.", 20, True),
        ("Plan tomorrow morning.", 20, False),
        ("Before bedtime.", 23, False),
        ("Before bedtime.", 1, False),
        ("Before bedtime.", 12, True),
        ("Any time.", 3, False),
    ],
)
def test_hours_that_are_not(text: str, hour: int, misses: bool) -> None:
    assert misses_the_hour(text, hour) is misses


def test_variety_is_over_samples_of_users_whatever_their_order() -> None:
    texts = {f"u{at}": [f"word{at} is said to user {at} again", "the same for all"] * 3 for at in range(40)}
    samples = across_users(texts, 50)
    assert len(samples) == 20
    assert all(sum(map(len, sample)) == 50 for sample in samples)
    assert across_users(dict(reversed(texts.items())), 50) == samples
    assert len(across_users(texts, 500)) == 2
    assert len(across_users(texts, 10**6)) == 1
    assert across_users({}, 50) == []


def test_money() -> None:
    prices = Prices.model_validate({"currency": "EUR", "models": {"m": {"prompt": 2, "completion": 10}}})
    bank = Bank(INFO, BANK)
    (cost,) = [one for section in summarise(bank, prices=prices) for one in section.metrics if "cost of" in one.name]
    # three tries of 10 + 5 tokens with a count: 3 (10 * 2 + 5 * 10) / 10^6 for four tips
    assert cost.value == pytest.approx(3 * 70 / 1e6 / 4 * 1000)
    assert cost.note == "1 tries without a count are not in it"
    unknown = prices.model_copy(update={"models": {}})
    (cost,) = [one for section in summarise(bank, prices=unknown) for one in section.metrics if "cost of" in one.name]
    assert (cost.value, cost.note) == (None, "no price for m")
