"""Prompt templates, versioned by name and content, and the messages written from them.

What users wrote goes in as JSON lines between `<data>` and `</data>`. Inside, every `<`, `>`, `&`, line break
and invisible character is a JSON escape, so no text can close the block or start a line of its own.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from oo_sim.errors import GeneratorInputError
from oo_sim.generator.context import GenerationContext, Task
from oo_sim.generator.texts import read_text

SHOWN_TASKS = 5
MAX_TEXT = 200
"""The most characters of a task's content, or of a signal's name or value, that a prompt shows."""
MAX_SIGNALS = 20

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SECTION = re.compile(r"^--- (\w+) ---\n", re.MULTILINE)
_SECTIONS = ["system", "user", "correction"]
_FIELDS = {
    "weekday",
    "hour",
    "task_count",
    "overdue_count",
    "shown_count",
    "tasks",
    "signals",
    "n",
    "canary",
}
_UNSAFE = re.compile(
    "[<>&\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)

Message = dict[str, str]


class PromptError(GeneratorInputError):
    """A prompt template that cannot be used; the message names the file and what is wrong with it."""


class Prompt(NamedTuple):
    """A template. `version` is its name and content hash; `canary` a word that no answer should ever hold."""

    version: str
    canary: str
    system: Template
    user: Template
    correction: Template

    def messages(self, context: GenerationContext, n: int) -> list[Message]:
        """The system message and the one user message that ask for `n` tips."""
        values = _values(context, n, self.canary)
        return [
            {"role": "system", "content": self.system.substitute(values).strip()},
            {"role": "user", "content": self.user.substitute(values).strip()},
        ]

    def again(self, reply: str, n: int) -> list[Message]:
        """The bad reply as the model's own turn, and the user turn that asks for the bare array again."""
        return [
            {"role": "assistant", "content": reply},
            {"role": "user", "content": self.correction.substitute(n=n, canary=self.canary).strip()},
        ]


@cache
def default_prompt() -> Prompt:
    """The template that ships with the package."""
    return parse_prompt("tips", _shipped())


def _shipped() -> str:
    return files(__package__).joinpath("prompts/tips.txt").read_text("utf-8")


def load_prompt(path: Path) -> Prompt:
    """A template of one's own. Raises `GeneratorInputError`."""
    return parse_prompt(path.stem, read_text(path))


def parse_prompt(name: str, text: str) -> Prompt:
    """The template in `text`: three sections, each behind a line such as `--- system ---`. A text without any
    holds the assistant's instructions: it stands in place of the shipped template's first sentence."""
    head, *rest = _SECTION.split(text.replace("\r\n", "\n"))
    if head.strip() and not rest:
        told = head.strip().replace("$", "$$")
        text = re.sub(r"(?<=^--- system ---\n).*", lambda _: told, _shipped(), count=1, flags=re.MULTILINE)
        head, *rest = _SECTION.split(text)
    if head.strip() or rest[::2] != _SECTIONS:
        raise PromptError(
            f"{name}: expected the assistant's instructions, as plain text; or a template with the sections "
            f"--- {' ---, --- '.join(_SECTIONS)} ---, in this order"
        )
    sections = [Template(section) for section in rest[1::2]]
    for section, template in zip(_SECTIONS, sections, strict=True):
        allowed = {"n", "canary"} if section == "correction" else _FIELDS
        unknown = [] if template.is_valid() else ["a lone $"]
        unknown += sorted(f"${field}" for field in set(template.get_identifiers()) - allowed)
        if unknown:
            raise PromptError(f"{name}: --- {section} --- holds {unknown[0]}; known are {_listed(allowed)}")
    if not {"tasks", "n"} <= set(sections[1].get_identifiers()):
        raise PromptError(f"{name}: --- user --- must hold $tasks and $n")
    digest = hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
    return Prompt(f"{name}@{digest}", f"canary-{digest}", *sections)


def data_block(rows: list[dict[str, Any]]) -> str:
    """Rows as JSON lines between `<data>` and `</data>`, whatever texts they hold."""
    lines = [_UNSAFE.sub(_escaped, json.dumps(row, ensure_ascii=False)) for row in rows]
    return "\n".join(["<data>", *lines, "</data>"])


def capped(text: str, limit: int = MAX_TEXT) -> str:
    """The text, or its beginning and an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _values(context: GenerationContext, n: int, canary: str) -> dict[str, object]:
    shown = context.tasks[:SHOWN_TASKS]
    return {
        "weekday": DAYS[context.day_of_week],
        "hour": f"{context.hour_of_day:02d}",
        "task_count": len(context.tasks),
        "overdue_count": sum(task.is_overdue for task in context.tasks),
        "shown_count": len(shown),
        "tasks": data_block([_task(task) for task in shown]),
        "signals": data_block([_signal(*item) for item in list(context.extra.items())[:MAX_SIGNALS]]),
        "n": n,
        "canary": canary,
    }


def _task(task: Task) -> dict[str, Any]:
    due = task.due_date.isoformat() if task.due_date else None
    return {
        "content": capped(task.content),
        "priority": task.priority,
        "due": due,
        "overdue": task.is_overdue,
    }


def _signal(name: str, value: object) -> dict[str, Any]:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return {"signal": capped(name), "value": capped(text)}


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def _listed(fields: set[str]) -> str:
    return ", ".join(f"${field}" for field in sorted(fields))
