"""What texts are like: how varied, on a fixed budget of words; how many sentences; whether they name a task, or a time
of day that it is not.

These measures share no word list with the simulated users or the mock models, so that what they say is not an echo.
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest

Gram = tuple[str, ...]
_ORDER = 4
MAX_SAMPLES = 20
NAMED = 0.5
"""The share of a title's weight that a text must hold to name it."""
_WORD = re.compile(r"[^\W_]+")
_END = re.compile(  # a full stop, an ellipsis, closing quotes; and the full stops of Chinese and Japanese
    "(?<!\\b[A-Z])(?<!\\d)[.!?\u2026]+[\"'\u201d\u2019)]*\\s+(?=[^\\W_a-z]|[\"'\u201c\u2018(])|[\u3002\uff01\uff1f](?=.)"
)
_DAY_PARTS = {
    "breakfast": (6, 10),
    "morning": (5, 12),
    "noon": (11, 13),
    "lunch": (11, 14),
    "afternoon": (12, 18),
    "dinner": (17, 21),
    "evening": (17, 23),
    "tonight": (18, 28),
    "bedtime": (21, 28),
}
_TIME = re.compile(rf"\b({'|'.join(_DAY_PARTS)})\b")
_ELSEWHEN = re.compile(r"\b(tomorrow|yesterday|every|each|next|last)\W+(\w+\W+)?$")


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
    lengths = Counter(map(len, texts))
    scores = [_bleu(counts, highest, at, _nearest(lengths, len(text))) for at, text in enumerate(texts)]
    return sum(scores) / len(scores)


def repeats(by_user: Iterable[tuple[str, str]]) -> list[str]:
    """The users of those (user, text) that say what that user was told before."""
    seen: set[tuple[str, tuple[str, ...]]] = set()
    found = []
    for user, text in by_user:
        said = (user, words(text) or (text,))
        if said in seen:
            found.append(user)
        seen.add(said)
    return found


def across_users(texts: Mapping[str, Sequence[str]], budget: int) -> list[list[tuple[str, ...]]]:
    """Samples of texts as words, `budget` words each, from disjoint groups of users: as many, up to 20, as have enough.

    Users are put into groups and texts into order by a fixed seed. With too few words for one, all there are.
    """
    rng = random.Random(1)
    users = sorted(texts)
    rng.shuffle(users)
    shuffled = {user: rng.sample(list(texts[user]), len(texts[user])) for user in users}
    for count in range(min(MAX_SAMPLES, len(users)), 0, -1):
        groups = [users[at::count] for at in range(count)]
        samples = [within_budget(_in_turns([shuffled[user] for user in group]), budget) for group in groups]
        if count == 1 or all(sum(map(len, sample)) == budget for sample in samples):
            return samples
    return []


def _in_turns(lists: Sequence[Sequence[str]]) -> Iterator[str]:
    """The first of each, the second of each, and so on."""
    for row in zip_longest(*lists):
        yield from (text for text in row if text is not None)


def words(text: str) -> tuple[str, ...]:
    """The words of a text, case folded."""
    return tuple(_WORD.findall(text.casefold()))


def sentences(text: str) -> int:
    """How many sentences a text has: ends of sentences before a further word, but for those of numbers and initials."""
    return len(_END.findall(text.strip())) + 1 if text.strip() else 0


def names_a_task(text: str, tasks: Iterable[str]) -> bool:
    """Whether the letters of the text's words make up most of some task's title. Short words weigh next to nothing."""
    said = set(words(text))
    return any(_overlap(words(task), said) >= NAMED for task in tasks)


def misses_the_hour(text: str, hour: int) -> bool:
    """Whether the text names a part of today that is over, or hours away, at `hour` (0 to 23); or such an o'clock."""
    for found in _TIME.finditer(text.casefold()):
        if _ELSEWHEN.search(text.casefold()[max(0, found.start() - 16) : found.start()]):
            continue
        first, last = _DAY_PARTS[found[1]]
        if not (first - 2 <= hour <= last or first - 2 <= hour + 24 <= last):
            return True
    return False


def _overlap(title: tuple[str, ...], said: set[str]) -> float:
    weights = {word: max(len(word) - 2, 0) ** 2 for word in title}
    whole = sum(weights.values())
    return sum(weight for word, weight in weights.items() if word in said) / whole if whole else float(said >= {*title})


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


def _nearest(lengths: Counter[int], own: int) -> int:
    """The length of another text that is nearest to a text's own, the shorter one of two."""
    if lengths[own] > 1:
        return own
    return min((one for one in lengths if one != own), key=lambda one: (abs(one - own), one))


def _bleu(
    counts: Sequence[Sequence[Counter[Gram]]],
    highest: Sequence[dict[Gram, tuple[int, int, int]]],
    at: int,
    nearest: int,
) -> float:
    logs = []
    for order, (counter, best) in enumerate(zip((row[at] for row in counts), highest, strict=True)):
        total = sum(counter.values())
        matched = sum(min(count, _elsewhere(best[gram], at)) for gram, count in counter.items())
        smooth = 1 if order else 0
        if matched + smooth == 0:
            return 0.0
        logs.append(math.log((matched + smooth) / (total + smooth)))
    brevity = min(0.0, 1 - nearest / counts[0][at].total())
    return math.exp(brevity + sum(logs) / len(logs))


def _elsewhere(best: tuple[int, int, int], at: int) -> int:
    first, holder, second = best
    return second if holder == at else first
