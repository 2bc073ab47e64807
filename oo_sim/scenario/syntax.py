"""The YAML parser's complaints in plain words, at the place that a reader would look at."""

from __future__ import annotations

import re

import yaml

from oo_sim.scenario.problems import Position
from oo_sim.scenario.text import clip

_ADVICE = (
    (r"found character '\\t' that cannot start", "a tab; indent with spaces"),
    (r"found character '(.)' that cannot start", "text can't start with {0}; put it in quotes"),
    (
        r"mapping values are not allowed",
        "a second colon on a line, or wrong indentation; quote text that holds ': '",
    ),
    (
        r"sequence entries are not allowed",
        "a list item (-) where none can start; put it on its own line, indented",
    ),
    (r"could not find expected ':'", "a key without colon; write key: value"),
    (r"found unexpected end of stream", "a quote that is never closed; close it"),
    (r"found unexpected document", "a quote that is never closed before the document ends; close it"),
    (
        r"found unknown escape character (.+)",
        "the escape \\{0} is unknown; use single quotes for text with \\",
    ),
    (
        r"expected escape sequence",
        "an escape without its hexadecimal digits; use single quotes for text with \\",
    ),
    (
        r"expected ',' or '(.)'",
        "a list or mapping in brackets goes wrong here; put commas between items and close {0}",
    ),
    (r"expected <block end>, but found", "does not line up with what is above it; indent it alike"),
    (r"expected alphabetic or numeric", "text can't start with & or *; put it in quotes"),
    (
        r"expected chomping or indentation|expected a comment or a line break",
        "after > or | the line must end",
    ),
    (r"found duplicate anchor", "anchors are refused; write values out where they are needed"),
    (r"directive", "a % directive is refused; leave the line out"),
    (r"tag", "tags (!) are refused; leave it out, or put the text in quotes"),
    (r"expected '<document start>'", "text beside the scenario's mapping; indent it, or take it out"),
)
_OPENINGS = re.compile(r"unexpected end of stream|unexpected document|expected ',' or")


def explain_syntax(error: yaml.MarkedYAMLError) -> tuple[Position, str]:
    """Where to look, and what is wrong there."""
    said = error.problem or error.context or "not readable"
    mark = error.problem_mark or error.context_mark
    opened = ""
    if error.context_mark is not None and "expected ':'" in said:
        mark = error.context_mark
    if error.context_mark is not None and _OPENINGS.search(said):
        if "scalar" in (error.context or ""):
            mark = error.context_mark
        else:
            opened = f" (opened on line {error.context_mark.line + 1})"
    position = Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)
    return position, f"not readable as YAML: {_advice(said)}{opened}"


def _advice(said: str) -> str:
    for pattern, advice in _ADVICE:
        if found := re.search(pattern, said):
            return advice.format(*(group.strip("'\"") for group in found.groups()))
    return clip(said, 120)
