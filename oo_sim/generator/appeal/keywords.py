"""The appeal model `keywords`: which of the user's tasks a tip names, and whether it contradicts the hour.

A toy that stands for a reader: a good tip, its bare title, the same words shuffled and an insult are all worth the
same to it, and a paraphrase is worth less. Its word lists are its own: metrics and mock models have others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

NAMED = 0.6
"""The share of a task's content words that a tip must hold to name it."""

_WORD = re.compile(r"[^\W_]+")
_STOP = frozenset(
    _WORD.findall(
        "a an and are as at be before by do for from get go have i in is it its me my next no not now of on or our "
        "out so that the then this to up was we will with you your"
    )
)
# Hours in which a part of the day can be spoken of as being now or still ahead; wide, so that only plain
# contradictions count.
_PARTS = {
    "breakfast": (4, 12),
    "sunrise": (3, 10),
    "morning": (3, 13),
    "noon": (10, 15),
    "midday": (10, 15),
    "lunch": (9, 16),
    "lunchtime": (9, 16),
    "afternoon": (10, 19),
    "dinner": (15, 23),
    "supper": (15, 23),
    "evening": (15, 24),
    "tonight": (15, 28),
    "bedtime": (18, 28),
    "bed": (18, 28),
}
_PART = re.compile(rf"\b({'|'.join(_PARTS)})\b")
_OTHER_DAY = re.compile(r"\b(tomorrow|next|every|each|yesterday|last|daily)\b(\W+\w+)?\W*$")


def words(text: str) -> tuple[str, ...]:
    """The words of a text, case folded."""
    return tuple(_WORD.findall(text.casefold()))


def about(text: str, tasks: Sequence[str]) -> int | None:
    """The index of the task that the text names best, or None. The first one wins a tie.

    A task is named when at least `NAMED` of its content words occur in the text.
    """
    spoken = _word_set(text)
    best, found = NAMED, None
    for index, task in enumerate(tasks):
        wanted = _content_words(task)
        share = len(wanted & spoken) / len(wanted) if wanted else 0.0
        if share > best or (share == best and found is None):
            best, found = share, index
    return found


def contradicts(text: str, hour: int, tasks: Sequence[str] = ()) -> bool:
    """Whether the text speaks of a part of the day that is not, at `hour` (0 to 23).

    Parts of another day ("tomorrow morning") do not count, nor do words inside the tasks' own titles.
    """
    said = text.casefold()
    for task in tasks:
        said = said.replace(task.casefold(), " ") if task.strip() else said
    for match in _PART.finditer(said):
        first, end = _PARTS[match[1]]
        now = first <= hour < end or first <= hour + 24 < end
        if not now and not _OTHER_DAY.search(said[max(0, match.start() - 40) : match.start()]):
            return True
    return False


@lru_cache(maxsize=4096)
def _word_set(text: str) -> frozenset[str]:
    return frozenset(words(text))


@lru_cache(maxsize=4096)
def _content_words(task: str) -> frozenset[str]:
    every = _word_set(task)
    return every - _STOP or every
