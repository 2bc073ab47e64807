"""The mock's judge, user and embedder: deterministic, and sensitive to what texts mean (`mock.meaning`)."""

from __future__ import annotations

import hashlib
import json
import math
import re
from functools import lru_cache
from typing import Any

from oo_sim.generator.mock.draws import Draws
from oo_sim.generator.mock.meaning import disorder, ideas, taste
from oo_sim.generator.mock.profile import Judge, User
from oo_sim.generator.mock.tips import Item, contents, read_prompt

DIMENSIONS = 64
REACTIONS = ("dismiss", "not_helpful", "snooze", "helpful", "done")
CUTS = (-1.5, -0.5, 0.5, 1.5)
"""Where the mock's user changes its mind: an ordered logit of its taste, the project's default one."""
_BLOCKS = 3  # tasks, first tips, second tips
_GRADE = re.compile(r"^- (\w+), a whole number from (-?\d+) to (-?\d+):", re.MULTILINE)


def verdict(messages: list[dict[str, Any]], judge: Judge, draws: Draws) -> str:
    """Which of two sets of tips the mock's user likes more, or grades on a rubric, as the judge's reply."""
    asked = read_prompt(messages)
    grades = _GRADE.findall(str(messages[0].get("content"))) if messages else []
    if len(asked.blocks) < (2 if grades else _BLOCKS) or draws.chance("unparsable", judge.unparsable):
        return "Both have their merits."
    if grades:
        share = 1 / (1 + math.exp(-_merit(asked.blocks[1], asked.tasks, asked.hour)))
        return json.dumps({name: round(int(low) + share * (int(high) - int(low))) for name, low, high in grades})
    if draws.chance("first position", judge.first_position):
        return json.dumps({"winner": "A"})
    first, second = (_merit(block, asked.tasks, asked.hour) for block in asked.blocks[1:_BLOCKS])
    if draws.chance("wrong", judge.wrong):
        first, second = second, first
    return json.dumps({"winner": "tie" if abs(first - second) < 1e-9 else "A" if first > second else "B"})


def reaction(messages: list[dict[str, Any]], user: User, draws: Draws) -> str:
    """How the mock's user reacts to the tip in its prompt, drawn from an ordered logit of its taste."""
    asked = read_prompt(messages)
    if len(asked.blocks) < 2 or draws.chance("unparsable", user.unparsable):
        return "That depends."
    if draws.chance("none", user.none):
        return json.dumps({"reaction": "none"})
    if draws.chance("first option", user.first_option):
        listed = re.findall(r"^- (\w+):", str(messages[-1].get("content")), re.MULTILINE)
        return json.dumps({"reaction": listed[0] if listed else "none"})
    texts = contents(asked.blocks[1])
    utility = taste(texts[0] if texts else "", asked.tasks, asked.hour)
    u = draws.uniform("reaction")
    place = sum(u >= 1 / (1 + math.exp(utility - cut)) for cut in CUTS)
    return json.dumps({"reaction": REACTIONS[place]})


def _merit(tips: list[Item], tasks: list[str], hour: int | None) -> float:
    """The mean taste of a set's tips."""
    texts = contents(tips)
    return sum(taste(text, tasks, hour) for text in texts) / len(texts) if texts else -5.0


@lru_cache(maxsize=4096)
def embed(text: str) -> list[float]:
    """A unit vector: each idea adds signed ones at three places given by its hash, so that synonyms are alike; disorder
    has a direction of its own. Texts without ideas give zeros."""
    vector = [0.0] * DIMENSIONS
    for idea in sorted(ideas(text)):
        digest = hashlib.blake2b(idea.encode("utf-8", "replace"), digest_size=6).digest()
        for at in range(3):
            vector[digest[at] % (DIMENSIONS - 1)] += 1.0 if digest[3 + at] & 1 else -1.0
    vector[-1] = 2.0 * disorder(text)
    length = math.sqrt(sum(value * value for value in vector))
    return [round(value / length, 6) for value in vector] if length else vector
