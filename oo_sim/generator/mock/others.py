"""The mock's judge and embedder: deterministic, and sensitive to what the texts say."""

from __future__ import annotations

import hashlib
import json
import math
from functools import lru_cache
from typing import Any

from oo_sim.generator.grounding import about, contradicts, words
from oo_sim.generator.mock.draws import Draws
from oo_sim.generator.mock.profile import Judge
from oo_sim.generator.mock.tips import Item, contents, read_prompt

DIMENSIONS = 64
_BLOCKS = 3  # tasks, first tips, second tips


def verdict(messages: list[dict[str, Any]], judge: Judge, draws: Draws) -> str:
    """Which of two sets of tips names more of the tasks and contradicts the hour less, as the judge's reply."""
    asked = read_prompt(messages)
    if len(asked.blocks) < _BLOCKS or draws.chance("unparsable", judge.unparsable):
        return "Both have their merits."
    if draws.chance("first position", judge.first_position):
        return json.dumps({"winner": "A"})
    first, second = (_merit(block, asked.tasks, asked.hour) for block in asked.blocks[1:_BLOCKS])
    return json.dumps({"winner": "tie" if first == second else "A" if first > second else "B"})


def _merit(tips: list[Item], tasks: list[str], hour: int | None) -> int:
    texts = contents(tips)
    named = {about(text, tasks) for text in texts} - {None}
    wrong = sum(contradicts(text, hour, tasks) for text in texts) if hour is not None else 0
    return len(named) - wrong


@lru_cache(maxsize=4096)
def embed(text: str) -> list[float]:
    """A unit vector: each word adds a signed one at a place given by its hash; texts without words give zeros."""
    vector = [0.0] * DIMENSIONS
    for word in words(text):
        digest = hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=2).digest()
        vector[digest[0] % DIMENSIONS] += 1.0 if digest[1] & 1 else -1.0
    length = math.sqrt(sum(value * value for value in vector))
    return [round(value / length, 6) for value in vector] if length else vector
