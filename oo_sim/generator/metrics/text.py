"""How varied texts are: distinct-n and self-BLEU on a fixed budget of words, and repeats."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from oo_sim.generator.grounding import words

Gram = tuple[str, ...]
_ORDER = 4


def within_budget(texts: Iterable[str], budget: int) -> list[tuple[str, ...]]:
    """The first texts as words, `budget` words in all (the last text may be cut): both measures fall with length,
    so sets are compared at one length."""
    taken: list[tuple[str, ...]] = []
    for text in texts:
        said = words(text)[:budget]
        budget -= len(said)
        if said:
            taken.append(said)
        if not budget:
            break
    return taken


def distinct(texts: Sequence[tuple[str, ...]], n: int) -> float | None:
    """The share of n-grams that differ from all others. Source: Li et al. (2016), distinct-n."""
    grams = [gram for text in texts for gram in _grams(text, n)]
    return len(set(grams)) / len(grams) if grams else None


def self_bleu(texts: Sequence[tuple[str, ...]]) -> float | None:
    """The mean BLEU-4 of each text against all others: 1 when all are the same. None with fewer than two.

    Sources: Zhu et al. (2018); BLEU: Papineni et al. (2002), smoothed by one above unigrams: Lin and Och (2004).
    """
    if len(texts) < 2:
        return None
    counts = [[Counter(_grams(text, n)) for text in texts] for n in range(1, _ORDER + 1)]
    highest = [_two_highest(order) for order in counts]
    scores = [_bleu(texts, counts, highest, at) for at in range(len(texts))]
    return sum(scores) / len(scores)


def repeats(by_user: Iterable[tuple[str, str]]) -> int:
    """How many of (user, text) say what that user was told before."""
    seen: set[tuple[str, tuple[str, ...]]] = set()
    count = 0
    for user, text in by_user:
        said = (user, words(text) or (text,))
        count += said in seen
        seen.add(said)
    return count


def _grams(text: tuple[str, ...], n: int) -> list[Gram]:
    return [text[at : at + n] for at in range(len(text) - n + 1)]


def _two_highest(counts: Sequence[Counter[Gram]]) -> dict[Gram, tuple[int, int, int]]:
    """For each gram its highest count in one text, that text, and its highest count elsewhere."""
    best: dict[Gram, tuple[int, int, int]] = {}
    for at, counter in enumerate(counts):
        for gram, count in counter.items():
            first, holder, second = best.get(gram, (0, -1, 0))
            best[gram] = (count, at, first) if count > first else (first, holder, max(second, count))
    return best


def _bleu(
    texts: Sequence[tuple[str, ...]],
    counts: Sequence[Sequence[Counter[Gram]]],
    highest: Sequence[dict[Gram, tuple[int, int, int]]],
    at: int,
) -> float:
    length = len(texts[at])
    logs = []
    for order, (counter, best) in enumerate(zip((row[at] for row in counts), highest, strict=True)):
        total = sum(counter.values())
        matched = sum(min(count, _elsewhere(best[gram], at)) for gram, count in counter.items())
        smooth = 1 if order else 0
        if matched + smooth == 0:
            return 0.0
        logs.append(math.log((matched + smooth) / (total + smooth)))
    nearest = min((len(text) for index, text in enumerate(texts) if index != at), key=lambda n: (abs(n - length), n))
    brevity = min(0.0, 1 - nearest / length)
    return math.exp(brevity + sum(logs) / len(logs))


def _elsewhere(best: tuple[int, int, int], at: int) -> int:
    first, holder, second = best
    return second if holder == at else first
