"""Broken files are refused at the right place, by the right path, with words that help, and nothing else is said.

Each file of `broken/` starts with one line for each problem, in the order in which they are to be reported:
`# expect: LINE:COLUMN PATH | WORDS`, where PATH is `(file)` for the file as a whole.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from oo_sim.scenario import Problem, ScenarioError, load, loads

FILES = sorted((Path(__file__).parent / "broken").glob("*.yaml"))
EXPECT = re.compile(r"# expect: (\d+):(\d+) (.+) \| (.+)")


class Expected(NamedTuple):
    """What a file announces about one of its problems."""

    line: int
    column: int
    path: str
    words: str


def expected(text: str) -> list[Expected]:
    found = (EXPECT.fullmatch(line) for line in text.splitlines())
    return [Expected(int(m[1]), int(m[2]), m[3], m[4]) for m in found if m]


def as_expected(problem: Problem, words: str) -> Expected:
    said = words if words in problem.message else problem.message
    return Expected(*problem.position, problem.where or "(file)", said)


def test_the_corpus_is_large() -> None:
    assert len(FILES) >= 150


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_refused_with_place_and_help(file: Path) -> None:
    wanted = expected(file.read_text(encoding="utf-8"))
    assert wanted
    with pytest.raises(ScenarioError) as caught:
        load(file)
    problems = caught.value.problems
    words = [entry.words for entry in wanted] + [""] * len(problems)
    assert [as_expected(problem, said) for problem, said in zip(problems, words, strict=False)] == wanted
    assert str(caught.value).splitlines() == [str(problem) for problem in problems]
    assert str(problems[0]).startswith(f"{file}:{wanted[0].line}:{wanted[0].column}: ")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_windows_line_ends_and_a_byte_order_mark_change_no_position(file: Path) -> None:
    plain = file.read_bytes()
    with pytest.raises(ScenarioError) as as_is:
        loads(plain, "x")
    with pytest.raises(ScenarioError) as windows:
        loads(b"\xef\xbb\xbf" + plain.replace(b"\n", b"\r\n"), "x")
    assert [p.position for p in windows.value.problems] == [p.position for p in as_is.value.problems]
