"""What the mock model says when all goes well: tips about the tasks that it was given."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from oo_sim.generator.mock.draws import Draws
from oo_sim.generator.mock.meaning import words
from oo_sim.generator.mock.profile import Style
from oo_sim.generator.parser import MAX_TIPS

Item = dict[str, Any]

_BLOCK = re.compile(r"^<data>\n(.*?)^</data>$", re.MULTILINE | re.DOTALL)
_WANTED = re.compile(r"(\d{1,3}) (?:\w+ )?tips?\b")
_HOUR = re.compile(r"\b([01]?\d|2[0-3]):\d\d\b")

_ABOUT = (
    "Start with “{task}” now: give it 25 minutes.",
    "{task}: do the first small step right away.",
    "Set a timer and work on “{task}” until it rings.",
    "Clear “{task}” off your list before anything else.",
    "Put your phone away and finish “{task}”.",
    "Take ten minutes for “{task}”. You can stop after that.",
)
_ADVICE = (
    "Drink a glass of water and stretch your back.",
    "Walk around the block, then choose one thing to do.",
    "Write down the three things that matter most today.",
    "Close every window that you do not need.",
    "Tidy your desk for five minutes.",
    "Decide what you will not do today.",
    "Answer the one message that you keep putting off.",
    "Breathe slowly for a minute before you go on.",
)
_OPENINGS = {
    "This morning: ": (3, 13),
    "Before lunch: ": (9, 16),
    "This afternoon: ": (10, 19),
    "This evening: ": (15, 24),
}
"""With the hours at which each is right."""
_REASONS = ("It is the most urgent one.", "It has waited long enough.", "This hour suits it.", "It takes little time.")


class Asked(NamedTuple):
    """What a prompt asks for; `blocks` are the rows of its data blocks."""

    blocks: list[list[Item]]
    hour: int | None
    n: int

    @property
    def tasks(self) -> list[str]:
        """The texts of the first block."""
        return contents(self.blocks[0]) if self.blocks else []


def read_prompt(messages: list[Any]) -> Asked:
    """What the first user message asks for; a prompt that is not ours asks for three tips about nothing."""
    user = (one["content"] for one in messages if one.get("role") == "user" and isinstance(one.get("content"), str))
    text = next(user, "")
    blocks = [_rows(block.splitlines()) for block in _BLOCK.findall(text)]
    bare = _BLOCK.sub("", text)
    wanted, hour = _WANTED.findall(bare), _HOUR.search(bare)
    n = min(max(int(wanted[-1]), 1), MAX_TIPS) if wanted else 3
    return Asked(blocks, int(hour[1]) if hour else None, n)


def contents(rows: list[Item]) -> list[str]:
    """The texts of the rows that have one."""
    return [row["content"] for row in rows if isinstance(row.get("content"), str) and row["content"].strip()]


def write_tips(asked: Asked, style: Style, draws: Draws) -> list[Item]:
    """The items of a good answer."""
    items: list[Item] = []
    for index in range(asked.n):
        content = _content(asked, style, draws, index)
        if items and draws.chance(f"repeat {index}", style.repeats):
            content = items[-1]["content"]
        slug = "-".join(words(content)[:3]) or "tip"
        items.append(
            {
                "id": f"{slug}-{index + 1}",
                "content": content,
                "rationale": draws.choice(f"reason {index}", _REASONS),
            }
        )
    return items


def _content(asked: Asked, style: Style, draws: Draws, index: int) -> str:
    if asked.tasks and draws.chance(f"grounded {index}", style.grounded):
        task = asked.tasks[(draws.below("first", len(asked.tasks)) + index) % len(asked.tasks)]
        text = draws.choice(f"about {index}", _ABOUT).format(task=task)
    else:
        text = draws.choice(f"advice {index}", _ADVICE)
    if asked.hour is None or not draws.chance(f"timed {index}", style.timed):
        return text
    wrong = draws.chance(f"wrong hour {index}", style.wrong_hour)
    openings = [text for text, (first, end) in _OPENINGS.items() if (not first <= asked.hour < end) == wrong]
    return draws.choice(f"opening {index}", openings or [""]) + text


def _rows(lines: list[str]) -> list[Item]:
    """The objects among JSON lines; if any line is none, all are left out, for the prompt is not ours then."""
    try:
        rows = json.loads(f"[{','.join(lines)}]")
    except (ValueError, RecursionError):
        return []
    return [row for row in rows if isinstance(row, dict)]
