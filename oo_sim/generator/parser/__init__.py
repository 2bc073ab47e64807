"""From a model's reply to tips, under one of two policies; every refusal has a class and says what is wrong.

`faithful` is the contract: JSON as it stands, or inside one surrounding fence. `lenient` also makes repairs
that lose and guess nothing, each flagged. Time is linear in the reply, which is read up to `MAX_CHARS` only.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, get_args

from oo_sim.generator.parser.faithful import read_faithful
from oo_sim.generator.parser.items import TEXT_FLAGS, read_items
from oo_sim.generator.parser.lenient import read_lenient
from oo_sim.generator.parser.outcome import CLASSES, MAX_CHARS, MAX_ID, MAX_TIPS, MalformedError, Parsed, Tip

ParserPolicy = Literal["faithful", "lenient"]
POLICIES: tuple[str, ...] = get_args(ParserPolicy)

__all__ = [
    "CLASSES",
    "MAX_CHARS",
    "MAX_ID",
    "MAX_TIPS",
    "POLICIES",
    "MalformedError",
    "Parsed",
    "ParserPolicy",
    "Tip",
    "parse",
]

_NO_REPAIR = {"cut", "fewer", "task_id", "unsafe_id"} | TEXT_FLAGS


def parse(
    reply: str | None,
    n: int,
    policy: ParserPolicy = "faithful",
    *,
    salvage: bool = False,
    taken: Collection[str] = (),
) -> Parsed:
    """The tips in `reply`, at most `n` of them, none with an id out of `taken`: those of the tasks beside them.

    `salvage` (lenient only) keeps the complete items of an array that was cut off, a lone object where
    several were asked for, and the first of tips that say the same. Raises `MalformedError` when the reply
    holds no tips under the policy, and ValueError when `n`, `policy` or `salvage` make no sense.
    """
    _check(n, policy, salvage)
    text = (reply or "").strip()
    if not text:
        raise MalformedError("empty", "the reply is empty")
    if len(text) > MAX_CHARS:
        raise MalformedError("too_long", f"the reply has {len(text)} characters; at most {MAX_CHARS} are read")
    if policy == "faithful":
        items, flags = read_faithful(text)
        return Parsed(*read_items(items, n, flags, taken=taken), "accept")
    items, flags = read_lenient(text, n, salvage)
    tips, noted = read_items(items, n, flags, taken=taken, unique=True, salvage=salvage)
    if "salvaged" in noted:
        return Parsed(tips, noted, "salvage")
    return Parsed(tips, noted, "repair" if set(noted) - _NO_REPAIR else "accept")


def _check(n: int, policy: str, salvage: bool) -> None:
    if not 1 <= n <= MAX_TIPS:
        raise ValueError(f"n: {n} tips asked for; expected a whole number from 1 to {MAX_TIPS}")
    if policy not in POLICIES:
        raise ValueError(f"parser policy {policy!r} is unknown; there are {', '.join(POLICIES)}")
    if salvage and policy != "lenient":
        raise ValueError("salvage belongs to the lenient parser; the faithful one keeps nothing of a broken reply")
