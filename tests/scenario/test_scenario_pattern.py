"""Patterns stand for grids of specs; what does not read is refused with advice."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oo_sim.scenario import SpecError, expand_spec, parse_spec


@pytest.mark.parametrize(
    ("pattern", "specs"),
    [
        ("linucb", ["linucb"]),
        ("linucb:alpha=0.5", ["linucb:alpha=0.5"]),
        ("linucb:alpha=[0.1,0.3,1,3]", [f"linucb:alpha={a}" for a in ("0.1", "0.3", "1", "3")]),
        (
            "linucb: alpha = [ 0.1 , 3 ] , features=oo7",
            ["linucb:alpha=0.1,features=oo7", "linucb:alpha=3,features=oo7"],
        ),
        ("linucb:alpha=log(0.01,100,5)", [f"linucb:alpha={a}" for a in (0.01, 0.1, 1.0, 10.0, 100.0)]),
        ("linucb:alpha=log(0.1,10,5)", [f"linucb:alpha={a}" for a in (0.1, 0.3162, 1.0, 3.162, 10.0)]),
        ("x:window=log(10,1000,3)", [f"x:window={w}" for w in (10, 100, 1000)]),
        ("x:p=lin(0,1,5)", [f"x:p={p}" for p in (0.0, 0.25, 0.5, 0.75, 1.0)]),
        ("x:p=lin(5,1,3)", [f"x:p={p}" for p in (5, 3, 1)]),
        ("x:f=[oo5,oo7]", ["x:f=oo5", "x:f=oo7"]),
        ("x:b=[1,2],a=[3,4]", ["x:a=3,b=1", "x:a=4,b=1", "x:a=3,b=2", "x:a=4,b=2"]),
        ("pkg.mod:make:a=[1,2]", ["pkg.mod:make:a=1", "pkg.mod:make:a=2"]),
    ],
)
def test_known_answers(pattern: str, specs: list[str]) -> None:
    assert [str(spec) for spec in expand_spec(pattern)] == specs


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("x:a=[]", "not a value of a"),
        ("x:a=[1,]", "not a value of a"),
        ("x:a=[1,2", "does not read; write a list"),
        ("x:a=[1,[2]]", "does not read; write a list"),
        ("x:a=[1,2]3", "does not read; write a list"),
        ("x:[1,2]", "does not read; write a list"),
        ("[a,b]", "does not read; write a list"),
        ("x:a=[1,1.0,1]", "x:a=1 twice"),
        ("x:a=[1,nan]", "NaN"),
        ("x:a=[1,2],a=3", "given twice"),
        ("x:a=exp(1,2,3)", "'exp' is not a range"),
        ("x:a=log(1,2)", "three numbers"),
        ("x:a=log(1,b,3)", "three numbers"),
        ("x:a=log(0,1,3)", "above 0"),
        ("x:a=log(-1,1,3)", "above 0"),
        ("x:a=lin(0,1,1)", "from 2 to 1,000, not 1"),
        ("x:a=lin(0,1,2.5)", "from 2 to 1,000, not 2.5"),
        ("x:a=lin(0,1e999,3)", "too large"),
        ("x:a=lin(2,2,3)", "twice"),
        ("x:a=lin(1,99,99),b=lin(1,99,99)", "9,801 policies; at most 1,000"),
        ("y" * 501, "at most 500"),
        ("x:a=[\x1b[31m]", "\\x1b"),
    ],
)
def test_refusals(pattern: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        expand_spec(pattern)
    assert words in str(caught.value)
    assert "\x1b" not in str(caught.value)


@given(st.floats(1e-6, 1e6), st.floats(1.5, 1e4), st.integers(2, 60))
def test_log_ranges_keep_their_ends_and_their_ratio(first: float, factor: float, count: int) -> None:
    last = first * factor**count
    values = [float(spec.parameters[0][1]) for spec in expand_spec(f"x:a=log({first!r},{last!r},{count})")]
    assert len(values) == count
    assert (values[0], values[-1]) == (first, last)
    steps = [math.log(b / a) for a, b in itertools.pairwise(values)]
    assert steps == pytest.approx([math.log(last / first) / (count - 1)] * (count - 1), abs=2.1e-3)


@given(st.text("x:a=[]()log,0.19 -", max_size=30))
def test_any_text_reads_or_is_refused(text: str) -> None:
    try:
        specs = expand_spec(text)
    except SpecError:
        return
    assert specs == tuple(parse_spec(str(spec)) for spec in specs)
    assert len(set(specs)) == len(specs) > 0


def test_a_plain_spec_still_refuses_lists() -> None:
    for text in ("x:a=[1,2]", "x:a=log(1,2,3)"):
        with pytest.raises(SpecError):
            parse_spec(text)
