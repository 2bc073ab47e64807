"""The reader gives plain data and exact places, and no word changes its meaning."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oo_sim.scenario.decoding import MAX_BYTES
from oo_sim.scenario.problems import Position
from oo_sim.scenario.reader import MAX_NODES, Reading, read

TEXT = """# a comment
name: first
list:
  - 1
  - {a: 2.5, b: [x, "y"]}
"quoted key": >
  folded
  text
"""


def one(word: str) -> Any:
    reading = read(f"key: {word}")
    assert reading.problems == []
    return reading.data["key"]


def only_problem(text: str | bytes) -> tuple[Position, str]:
    reading = read(text)
    assert len(reading.problems) == 1
    return reading.problems[0].position, reading.problems[0].message


def test_data_and_places() -> None:
    reading = read(TEXT)
    source = reading.source
    assert reading.data == {
        "name": "first",
        "list": [1, {"a": 2.5, "b": ["x", "y"]}],
        "quoted key": "folded text\n",
    }
    assert source.key(("name",)) == (2, 1)
    assert source.value(("name",)) == (2, 7)
    assert source.value(("list",)) == (4, 3)
    assert source.value(("list", 1, "b", 1)) == (5, 21)
    assert source.key(("list", 1, "a")) == (5, 6)
    assert source.key(("quoted key",)) == (6, 1)
    assert source.value(()) == (2, 1)


def test_what_is_not_there_has_the_place_of_what_is_around_it() -> None:
    source = read(TEXT).source
    assert source.value(("list", 1, "c", "d")) == source.value(("list", 1)) == (5, 5)
    assert source.key(("list", 1, "c")) == (5, 5)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        *(("1", 1), ("-7", -7), ("+3", 3), ("0", 0), ("9223372036854775807", 2**63 - 1)),
        *(
            ("1e-3", 0.001),
            ("1E3", 1000.0),
            ("0.5", 0.5),
            (".5", 0.5),
            ("5.", 5.0),
            ("-0.25", -0.25),
            ("0e5", 0.0),
        ),
        *(("true", True), ("false", False), ("null", None), ("", None)),
        *(
            ("yesterday", "yesterday"),
            ("1.2.3", "1.2.3"),
            ("12 30", "12 30"),
            ("10%", "10%"),
            ("1,000", "1,000"),
        ),
        *(("Norway", "Norway"), ("a_1", "a_1"), ("_1", "_1"), ("1e", "1e"), ("e5", "e5"), ("é1", "é1")),
        *(
            ("'no'", "no"),
            ('"12:30"', "12:30"),
            ("'~'", "~"),
            ('"010"', "010"),
            ("'1'", "1"),
            ('""', ""),
            ("'true'", "true"),
        ),
        *(
            ("|\n  no", "no"),
            (">-\n  010", "010"),
            ('"tab\\tand\\nline"', "tab\tand\nline"),
            ('"\\u00e9"', "é"),
        ),
    ],
)
def test_words(word: str, value: Any) -> None:
    read_value = one(word)
    assert read_value == value
    assert type(read_value) is type(value)


@pytest.mark.parametrize(
    "word",
    [
        *("no", "No", "NO", "n", "Y", "yes", "on", "Off", "True", "TRUE", "False", "~", "Null", "NULL"),
        *("010", "-010", "0_1", "0x1F", "0b11", "0o17", "1_000", "1_0.5", "1.0_1", "00.5", "01e3"),
        *("12:30", "12:30:45", "-1:30", "1:30.5", "2026-01-31", "2026-1-1", "2026-01-31T08:00:00Z"),
        *(".inf", "-.Inf", "+.INF", "inf", "Infinity", ".nan", ".NaN", "nan", "1e400", "-1e400", "1e-400"),
        *("9223372036854775808", "-9223372036854775808", "1" * 500),
    ],
)
def test_words_that_could_change_their_meaning_are_refused(word: str) -> None:
    position, message = only_problem(f"key: {word}")
    assert position == (1, 6)
    assert any(words in message for words in ("write", "at most", "quote the text"))


@given(st.integers(-(2**63) + 1, 2**63 - 1))
def test_whole_numbers_round_trip(number: int) -> None:
    assert one(str(number)) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_round_trip(number: float) -> None:
    value = one(repr(number))
    assert value == number
    assert isinstance(value, float)


@given(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"])))
def test_quoted_text_stays_what_it_is(text: str) -> None:
    assert one("'" + text.replace("'", "''") + "'") == text


@pytest.mark.parametrize(
    ("data", "position", "words"),
    [
        (b"a: 1\nb: \x00", (2, 4), "\\x00"),
        (b"a: \x1b[31m", (1, 4), "\\x1b"),
        (b"\xef\xbb\xbfa: 1\nb: \xef\xbb\xbf2", (2, 4), "\\ufeff"),
        (b"\xff\xfea\x00", (1, 1), "UTF-16"),
        (b"a: 1\nb: \xe9t\xe9", (2, 4), "0xe9 is not UTF-8"),
        (b"a: \xed\xa0\x80", (1, 4), "is not UTF-8"),
        (b"\x89PNG\r\n\x1a\n", (1, 1), "is not UTF-8"),
        ("a: \ud800".encode("utf-8", "surrogatepass"), (1, 4), "UTF-8"),
        ("a: b\u2028c: d".encode(), (1, 5), "\\u2028"),
        ("a: b\x85c: d".encode(), (1, 5), "\\x85"),
        (b'a: "\\ud800"', (1, 4), "\\ud800"),
        (b'a: "\\0"', (1, 4), "\\x00"),
        (b'"a\\0": 1', (1, 1), "\\x00"),
        (b"", (1, 1), "empty"),
        (b"# only a comment\n", (1, 1), "empty"),
        (b"a: {b: 1, <<: {c: 2}}", (1, 11), "merge keys"),
        (b"\n# x\n%YAML 1.1\n---\na: 1", (3, 1), "directive"),
    ],
)
def test_unreadable_bytes(data: bytes, position: tuple[int, int], words: str) -> None:
    assert only_problem(data)[0] == position
    assert words in only_problem(data)[1]


def test_text_with_a_lone_surrogate_is_refused() -> None:
    assert only_problem("a: \ud800")[0] == (1, 4)


def test_a_byte_order_mark_and_a_document_start_are_fine() -> None:
    assert read(b"\xef\xbb\xbf---\na: 1\n").data == {"a": 1}


def test_size_is_bounded_in_bytes() -> None:
    fits = "a: 1 #" + "é" * ((MAX_BYTES - 6) // 2)
    assert read(fits).problems == []
    assert "1,000,000" in only_problem(fits + "é")[1]


def test_depth_is_bounded() -> None:
    assert read("[" * 64 + "]" * 64).problems == []
    assert only_problem("[" * 65 + "]" * 65)[0] == (1, 65)


def test_the_number_of_values_is_bounded() -> None:
    assert "20,000" in only_problem("[" + "1," * MAX_NODES + "]")[1]


def test_reading_goes_on_after_a_refused_value_and_within_a_double() -> None:
    reading: Reading = read("a: no\nb: *x\nb: {c: no, c: 1}\nd: 010\ne: 1\n")
    assert [problem.position for problem in reading.problems] == [(1, 4), (2, 4), (3, 1), (4, 4)]
    assert reading.data == {"a": None, "b": None, "d": None, "e": 1}
    assert reading.source.value(("b",)) == (2, 4)
