"""Spec patterns: one text for a grid of policy specs, such as `linucb:alpha=[0.1,0.3,1,3]`.

A value is a list `[0.1,0.3,1]`, a geometric range `log(0.1,10,5)`, an even range `lin(0,1,5)` (from, to, how
many) or a plain value. Several of them are crossed; the last one written varies fastest.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence

from oo_sim.errors import SpecError
from oo_sim.scenario.scalars import ScalarError, read_number
from oo_sim.scenario.spec import MAX_SPEC, Parameter, PolicySpec, parse_spec
from oo_sim.scenario.text import clip

MAX_GRID = 1000
"""The most specs that a pattern may stand for."""
_DIGITS = 4  # significant digits of the inner values of a range, so that labels stay short
_GROUP = re.compile(r"=\s*(?:\[([^\][()=]*)\]|([A-Za-z]+)\s*\(([^\][()=]*)\))\s*(?=,|$)")
_ADVICE = "write a list such as alpha=[0.1,0.3,1], alpha=log(0.1,10,5) or alpha=lin(0,1,5)"


def expand_spec(text: str) -> tuple[PolicySpec, ...]:
    """All specs that a pattern stands for, in order; a plain spec stands for itself. Raises SpecError.

    The ends of a range are as written, the values between them rounded to four significant digits, and all
    are whole numbers where the ends are and the steps fall on whole numbers.
    """
    if len(text) > MAX_SPEC:
        raise SpecError(f"the pattern has {len(text)} characters; at most {MAX_SPEC} are read")
    grids = [_values(match) for match in _GROUP.finditer(text)]
    count = math.prod(len(grid) for grid in grids)
    if count > MAX_GRID:
        raise SpecError(f"'{clip(text)}' stands for {count:,} policies; at most {MAX_GRID:,} are run")
    parts = _GROUP.split(text)[:: _GROUP.groups + 1]
    if any(mark in part for part in parts for mark in "[]()"):
        raise SpecError(f"'{clip(text)}' does not read; {_ADVICE}")
    specs = tuple(_filled(parts, chosen) for chosen in itertools.product(*grids))
    [(most, times)] = Counter(specs).most_common(1)
    if times > 1:
        raise SpecError(f"'{clip(text)}' gives {clip(str(most))} twice; list each value once")
    return specs


def _filled(parts: Sequence[str], chosen: Sequence[str]) -> PolicySpec:
    return parse_spec("".join(itertools.chain(*zip(parts, [f"={word}" for word in chosen], strict=False), parts[-1:])))


def _values(match: re.Match[str]) -> list[str]:
    """The values of one list or range, as words."""
    items, kind, ends = match.groups()
    if kind is None:
        return [word.strip() for word in items.split(",")]
    if kind not in _RANGES:
        raise SpecError(f"'{clip(kind)}' is not a range; {_ADVICE}")
    return _range(kind, f"{kind}({ends.strip()})", [word.strip() for word in ends.split(",")])


def _range(kind: str, text: str, words: Sequence[str]) -> list[str]:
    try:
        numbers = [read_number(word) for word in words]
    except ScalarError as error:
        raise SpecError(f"{clip(text)}: {error}") from None
    if len(numbers) != 3 or any(number is None for number in numbers):
        raise SpecError(f"{clip(text)} requires three numbers: from, to and how many; {_ADVICE}")
    first, last, count = (number or 0 for number in numbers)
    if not isinstance(count, int) or not 2 <= count <= MAX_GRID:
        raise SpecError(f"{clip(text)}: how many must be a whole number from 2 to {MAX_GRID:,}, not {words[2]}")
    if kind == "log" and (first <= 0 or last <= 0):
        raise SpecError(f"{clip(text)}: the ends of a log range must be above 0; lin(...) takes any")
    inner = [_RANGES[kind](first, last, i / (count - 1)) for i in range(1, count - 1)]
    return [str(value) for value in _tidy([first, *(float(f"{value:.{_DIGITS}g}") for value in inner), last])]


def _tidy(values: Sequence[int | float]) -> Sequence[Parameter]:
    """Whole numbers where the ends are written so and all fall on them."""
    ends = isinstance(values[0], int) and isinstance(values[-1], int)
    whole = ends and all(float(value).is_integer() for value in values)
    return [int(value) for value in values] if whole else [float(value) for value in values]


_RANGES: dict[str, Callable[[float, float, float], float]] = {
    "lin": lambda first, last, part: first + (last - first) * part,
    "log": lambda first, last, part: first ** (1 - part) * last**part,
}
