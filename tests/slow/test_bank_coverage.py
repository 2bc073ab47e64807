"""The 95 % intervals of a bank's metrics cover what they are of: users differ, and tips fail together."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from oo_sim.generator.bank import Bank, BankInfo, Record
from oo_sim.generator.bank.record import context_text
from oo_sim.generator.context import GenerationContext, Task
from oo_sim.generator.exchange import Try, Usage
from oo_sim.generator.metrics import summarise
from oo_sim.generator.parser import Tip

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SEEDS, USERS, EACH, N = 300, 60, 8, 3
CONTEXT = context_text(GenerationContext(tasks=(Task(id="1", content="Water the ferns"),), hour_of_day=20))
INFO = BankInfo(
    "p@1", "canary-123456", "mock", "simulated", 1, N, "faithful", False, 2, "tip-generator", 0.7, 30.0, 90.0, "00"
)
WORDS = [f"word{at}" for at in range(400)]
MEASURED = (
    "valid at the first try",
    "valid in the end",
    "tries per success",
    "tips per request",
    "tokens per usable tip, reported",
    "try p50, ms",
    "generation p95, ms",
    "usable tips",
    "distinct-1",
    "distinct-2",
    "self-BLEU",
    "tips of more than two sentences",
    "tips that name one of the user's tasks",
    "tips that contradict the hour",
)


def bank(seed: int, users: int = USERS) -> Bank:
    """A bank of users with rates of their own: of failing, of grounded replies, of a pace."""
    rng = np.random.default_rng(seed)
    records: list[Record] = []
    for user in range(users):
        works, grounded, pace = rng.beta(8, 2), rng.beta(4, 2), rng.lognormal(6, 0.4)
        for _ in range(EACH):
            first, second = rng.random(2) < works
            tries = [a_try(rng, 1, pace, bool(first))] + ([] if first else [a_try(rng, 2, pace, bool(second))])
            good = bool(first or second)
            about = rng.random() < grounded  # a reply is about tasks as a whole, or it is not
            tips = tuple(Tip(str(at), text(rng, about)) for at in range(N)) if good else ()
            status, failure = (200, None) if good else (502, "prose")
            records.append(
                Record(len(records), f"u{user}", CONTEXT, N, status, failure, "", "p@1", "m", (), tips, tuple(tries))
            )
    return Bank(INFO, tuple(records))


def a_try(rng: np.random.Generator, attempt: int, pace: float, good: bool) -> Try:
    """One try at the user's pace."""
    usage = Usage(100, int(rng.integers(20, 80)))
    latency = float(pace * rng.lognormal(0, 0.3))
    return Try(attempt, 200, latency, None if good else "prose", usage=usage, usage_reported=True)


def text(rng: np.random.Generator, about: bool) -> str:
    """A tip of a dozen words, common ones more often."""
    said = " ".join(rng.choice(WORDS, 8, p=ZIPF))
    late = " this morning" if rng.random() < 0.2 else ""
    long = " Go. Then rest. Then go again" if rng.random() < 0.15 else ""
    return f"{'Water the ferns' if about else 'Rest'} {said}{late}.{long}"


ZIPF = 1 / np.arange(1, len(WORDS) + 1)
ZIPF /= ZIPF.sum()


def measured(made: Bank) -> dict[str, tuple[float, float, float]]:
    """Value and bounds of each metric."""
    found = {}
    for section in summarise(made):
        for metric in section.metrics:
            if metric.name in MEASURED:
                assert metric.value is not None
                assert metric.lower is not None
                assert metric.upper is not None
                found[metric.name] = metric.value, metric.lower, metric.upper
    return found


def test_coverage_of_every_metric() -> None:
    """300 fixed seeds: by chance one of 14 true 95 % is outside of 91.5 to 99 % once in 25 times."""
    values, inside = defaultdict(list), defaultdict(list)
    runs = [measured(bank(seed)) for seed in range(SEEDS)]
    for run in runs:
        for name, (value, _, _) in run.items():
            values[name].append(value)
    large = measured(bank(10**6, 20 * USERS))
    variety = (
        "distinct-1",
        "distinct-2",
        "self-BLEU",
    )  # of samples of groups of this size: their own mean is the truth
    for name in MEASURED:
        truth = float(np.mean(values[name])) if name in variety else large[name][0]
        inside[name] = [run[name][1] <= truth <= run[name][2] for run in runs]
    shares = {name: float(np.mean(each)) for name, each in inside.items()}
    print(shares)
    assert len(shares) == len(MEASURED)
    assert all(0.915 <= share <= 0.99 for share in shares.values()), shares
