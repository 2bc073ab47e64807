"""Policy specs read to one spelling, and what does not read is refused with advice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oo_sim.scenario import PolicySpec, SpecError, parse_spec

keys = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
words = st.from_regex(r"[a-z][a-z0-9]{2,8}", fullmatch=True).filter(
    lambda w: w not in {"yes", "off", "true", "false", "null", "inf", "nan", "infinity"}
)
numbers = st.one_of(st.integers(-(2**62), 2**62), st.floats(allow_nan=False, allow_infinity=False))
policy_names = st.one_of(
    words, st.builds("{}.{}:{}".format, words, words, words), st.builds("{}:{}".format, words, words)
)


@given(policy_names, st.dictionaries(keys, st.one_of(words, numbers), max_size=4))
def test_round_trip(name: str, parameters: dict[str, int | float | str]) -> None:
    spec = PolicySpec(name, tuple(sorted(parameters.items())))
    again = parse_spec(str(spec))
    assert again == spec
    assert [type(value) for _, value in again.parameters] == [type(value) for _, value in spec.parameters]
    assert spec.private == (":" in name)


@pytest.mark.parametrize(
    ("text", "name", "parameters"),
    [
        ("linucb", "linucb", {}),
        ("linucb-v1", "linucb-v1", {}),
        ("linucb:alpha=0.5,features=oo7x", "linucb", {"alpha": 0.5, "features": "oo7x"}),
        ("linucb: features = oo7x , alpha = 1", "linucb", {"alpha": 1, "features": "oo7x"}),
        ("pkg.mod:factory", "pkg.mod:factory", {}),
        ("mod:factory", "mod:factory", {}),
        ("pkg.mod:factory:alpha=1e-3", "pkg.mod:factory", {"alpha": 0.001}),
        ("mod:factory:a=1,b=x-y/z.w", "mod:factory", {"a": 1, "b": "x-y/z.w"}),
    ],
)
def test_known_answers(text: str, name: str, parameters: dict[str, int | float | str]) -> None:
    assert parse_spec(text) == PolicySpec(name, tuple(sorted(parameters.items())))


def test_order_and_spelling_of_parameters_do_not_matter() -> None:
    assert str(parse_spec("x:b=2,a=0.50")) == str(parse_spec("x:a=5e-1,b=2")) == "x:a=0.5,b=2"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a policy name"),
        ("lin ucb", "not a policy name"),
        ("1ucb", "not a policy name"),
        ("linucb:", "write key=value"),
        ("linucb:alpha=1,", "write key=value"),
        ("linucb:alpha==1", "not a value of alpha"),
        ("linucb:alpha=", "not a value of alpha"),
        ("linucb:=1", "write key=value"),
        ("linucb:alpha=1,alpha=2", "given twice"),
        ("linucb:alpha=[0.1,0.3]", "one spec for each value"),
        ("linucb:alpha=nan", "NaN"),
        ("linucb:alpha=1e999", "too large"),
        ("linucb:alpha=010", "octal"),
        ("linucb:alpha=1_000", "underscores"),
        ("linucb:fast=true", "write a number or a plain word"),
        ("linucb:fast=yes", "write true"),
        ("linucb:alpha=a b", "not a value of alpha"),
        ("pkg.mod", "not a name of a policy factory"),
        ("pkg.mod:", "not a name of a policy factory"),
        ("pkg..mod:f", "not a Python module"),
        ("../evil:f", "not a Python module"),
        ("mod:factory:", "write key=value"),
        ("mod:factory:x", "write key=value"),
        ("mod:fac tory", "not a name of a policy factory"),
        ("x" * 501, "at most 500"),
        ("\x1b[31m", "\\x1b"),
    ],
)
def test_refusals(text: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(text)
    assert words in str(caught.value)
    assert "\x1b" not in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_reads_or_is_refused(text: str) -> None:
    try:
        spec = parse_spec(text)
    except SpecError:
        return
    assert parse_spec(str(spec)) == spec
