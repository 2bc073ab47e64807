"""The parser holds its corpus under both policies, its properties on any text, and its bound on time."""

from __future__ import annotations

import json
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from oo_sim.generator.context import GenerationContext
from oo_sim.generator.parser import CLASSES, MAX_CHARS, MAX_ID, MAX_TIPS, MalformedError, Parsed, ParserPolicy, parse
from oo_sim.generator.parser.items import is_placeholder
from oo_sim.generator.prompt import default_prompt
from oo_sim.serving.bodies import Id

from .replies import REPLIES, TWO, A, B, Reply

TAKEN = {"accept", "repair", "salvage"}


def outcome(text: str | None, n: int, policy: ParserPolicy, salvage: bool = False) -> tuple[str, Parsed | None]:
    """The outcome or the class of the refusal, and what was parsed."""
    try:
        parsed = parse(text, n, policy, salvage=salvage)
    except MalformedError as error:
        classed = error.cls if error.cls in CLASSES and error.message else f"unknown class {error.cls}"
        return classed, None
    return parsed.outcome, parsed


def test_the_corpus_is_large_and_its_names_differ() -> None:
    assert len({reply.name for reply in REPLIES}) == len(REPLIES) >= 60


@pytest.mark.parametrize("policy", ["faithful", "lenient"])
@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: reply.name)
def test_corpus(reply: Reply, policy: ParserPolicy) -> None:
    wanted = reply.faithful if policy == "faithful" else reply.lenient
    got, parsed = outcome(reply.text, reply.n, policy)
    assert got == wanted
    if wanted in TAKEN:
        assert parsed is not None
        assert tuple((tip.id, tip.content) for tip in parsed.tips) == reply.tips


@pytest.mark.parametrize(
    ("text", "contents"),
    [
        (f"[{A}, {B[:50]}", 1),
        (f"[{A}, {B}", 2),
        (f"Here: [{A},", 1),
        (A, 1),
        (f"[{A}, {A.replace('water', 'x')}]", 1),
    ],
)
def test_salvage_keeps_what_is_complete_and_only_when_asked_for(text: str, contents: int) -> None:
    assert outcome(text, 2, "lenient")[1] is None
    got, parsed = outcome(text, 2, "lenient", salvage=True)
    assert (got, len(parsed.tips if parsed else ())) == ("salvage", contents)


@pytest.mark.parametrize("text", [f"[{A}, ...]", f"[{A}, {{'id': x}}]", f"{TWO} [{A},", "[", "[1, 2", f"[{A}, 5]"])
def test_salvage_guesses_nothing(text: str) -> None:
    assert outcome(text, 2, "lenient", salvage=True)[1] is None


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zs", "Zl", "Zp", "Co", "Cn"]), min_size=1).filter(
    lambda text: not is_placeholder(text)
)
ITEMS = st.lists(
    st.fixed_dictionaries({"id": TEXTS, "content": TEXTS}, optional={"rationale": TEXTS}),
    min_size=1,
    max_size=6,
    unique_by=(lambda item: item["id"], lambda item: item["content"].casefold()),
)


@pytest.mark.parametrize("policy", ["faithful", "lenient"])
def test_whatever_the_schema_of_the_prompt_says_is_not_a_tip(policy: ParserPolicy) -> None:
    """Each key's words, as the template has them; as a rationale they are dropped, since the tip may be one."""
    system = default_prompt().messages(GenerationContext(), 1)[0]["content"]
    words = re.findall(r'"(?:id|content|rationale)": ((?:[^,}]|, at)+)', system)
    assert len(words) == 3
    for said in [*words, "...", "<your tip here>", "\u2026"]:
        assert outcome(json.dumps([{"id": "a", "content": said}]), 1, policy)[0] == "placeholder", said
        parsed = parse(json.dumps([{"id": "a", "content": "Go.", "rationale": said}]), 1, policy)
        assert (parsed.tips[0].rationale, parsed.flags) == (None, ("rationale_dropped",))


@settings(max_examples=80, deadline=None)
@given(ITEMS, st.booleans(), st.booleans())
def test_whatever_json_says_comes_out_as_it_was(items: list[dict[str, str]], ascii_only: bool, fenced: bool) -> None:
    text = json.dumps(items, ensure_ascii=ascii_only)
    for policy in ("faithful", "lenient"):
        parsed = parse(f"```json\n{text}\n```" if fenced else text, 6, policy)
        assert [(tip.id, tip.content) for tip in parsed.tips] == [(item["id"], item["content"]) for item in items]
        assert [tip.rationale for tip in parsed.tips] == [item.get("rationale") for item in items]
        assert ("fewer" in parsed.flags) == (len(items) < 6)


@settings(max_examples=60, deadline=None)
@given(ITEMS)
def test_python_repr_is_read_without_loss(items: list[dict[str, str]]) -> None:
    got, parsed = outcome(repr(items), 6, "lenient")
    assert got in TAKEN
    assert parsed is not None
    assert [tip.content for tip in parsed.tips] == [item["content"] for item in items]


IDS = {
    "control": ("a\x00b\x1b[31mc", "a-b-[31mc", {"unsafe_id"}),
    "bidi": ("\u202eevil", "evil", {"unsafe_id"}),
    "only what cannot be seen": ("x\u200b", "x", {"unsafe_id"}),
    "long": ("y" * 5000, "y" * MAX_ID, {"unsafe_id"}),
    "a task's": ("task-1", "task-1-2", {"task_id"}),
    "a task's, hidden": ("task-1\u200b", "task-1-2", {"task_id", "unsafe_id"}),
    "blanks": ("my tip", "my tip", set()),
}


@pytest.mark.parametrize("policy", ["faithful", "lenient"])
@pytest.mark.parametrize("kind", IDS)
def test_ids_are_safe_and_the_given_one_is_kept(kind: str, policy: ParserPolicy) -> None:
    given, safe, flags = IDS[kind]
    parsed = parse(json.dumps([{"id": given, "content": "Go."}]), 1, policy, taken=["task-1"])
    assert (parsed.tips[0].id, parsed.tips[0].given_id) == (safe, given if given != safe else None)
    assert set(parsed.flags) == flags
    assert parsed.outcome == "accept"


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=6) | st.sampled_from(["a", "a\x00", "tip-0", "tip-1", "t", "y" * 250]), max_size=8))
def test_whatever_ids_come_those_handed_out_are_safe_unique_and_no_tasks(ids: list[str]) -> None:
    items = [{"id": id_, "content": f"Go {at}."} for at, id_ in enumerate([*ids, "a"])]
    parsed = parse(json.dumps(items), 64, taken={"t", "a-2", "tip-1"})
    made = [tip.id for tip in parsed.tips]
    assert len(set(made)) == len(made) == len(items)
    assert not set(made) & {"t", "a-2", "tip-1"}
    for one in made:
        assert TypeAdapter(Id).validate_python(one) == one
        assert one.isprintable()
        assert len(one) <= MAX_ID


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("Go \x1b[31mred\x1b[0m.", "ansi"),
        ("Go \x07 now.", "control"),
        ("Go \u202e now.", "bidi"),
        ("Go <b>now</b>.", "html"),
        ("Fish &amp; chips.", "html"),
        ("Is 3 < 5 > 2?\nYes & no.", None),
    ],
)
def test_texts_that_a_page_or_terminal_would_obey_are_flagged_and_kept(text: str, flag: str | None) -> None:
    for item in ({"content": text}, {"content": "Go.", "rationale": text}):
        parsed = parse(json.dumps([{"id": "a", **item}]), 1, "lenient")
        assert parsed.flags == ((flag,) if flag else ())
        assert text in parsed.tips[0]


SCRAPS = st.sampled_from(
    [*"[]{}\",:'\\ \n", "```", "...", "//", "/*", "*/", "NaN", "<think>", "</think>", A, B, "\ud800", "1e9"]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(SCRAPS, max_size=30).map("".join) | st.text(), st.integers(1, MAX_TIPS), st.booleans())
def test_no_text_crashes_it(text: str, n: int, salvage: bool) -> None:
    _, parsed = outcome(text, n, "faithful")
    if parsed is not None and not {"duplicate", "values"} & {outcome(text, n, "lenient")[0]}:
        assert outcome(text, n, "lenient")[0] in {"accept", "repair"}
    _, parsed = outcome(text, n, "lenient", salvage)
    if parsed is not None:
        assert 1 <= len(parsed.tips) <= n
        assert len({tip.id for tip in parsed.tips}) == len(parsed.tips)
        for tip in parsed.tips:
            assert tip.content.encode()
            assert tip.content.strip()


FULL = MAX_CHARS - 8
SLOW = {
    "12 MB of brackets": "[" * 12_000_000,
    "12 MB of blanks": " " * 12_000_000,
    "brackets": "[" * FULL,
    "empty arrays": "x[" + "[]," * (FULL // 3),
    "empty objects": "x[" + "{}," * (FULL // 3),
    "lines": "{}\n" * (FULL // 3),
    "numbers": "x[" + "1," * (FULL // 2),
    "quotes": "x[" + "''," * (FULL // 3),
    "escapes": 'x["' + "\\" * (FULL - 3),
    "prose brackets": "[a]" * (FULL // 3),
    "open comments": "[/* ]" * (FULL // 5),
    "open quotes": "['a] " * (FULL // 5),
    "open think blocks": "<think " * (FULL // 7),
    "closed think blocks": "<think></think>" * (FULL // 15),
    "fences": "```" * (FULL // 3),
    "same ids": "[" + ",".join(['{"id":"a","content":"b"}'] * (FULL // 25)) + "]",
}


@pytest.mark.parametrize("name", SLOW)
def test_no_reply_takes_a_second(name: str) -> None:
    """Processor time, so that a busy machine does not fail it; each takes under 0.3 s when measured alone."""
    for policy, salvage in (("faithful", False), ("lenient", True)):
        start = time.thread_time()
        outcome(SLOW[name], 3, policy, salvage)  # type: ignore[arg-type]
        assert time.thread_time() - start < 1.0


@pytest.mark.parametrize(
    ("n", "policy", "salvage", "says"),
    [
        (0, "faithful", False, "from 1 to 64"),
        (65, "lenient", False, "from 1 to 64"),
        (1, "strict", False, "unknown"),
        (1, "faithful", True, "salvage"),
    ],
)
def test_senseless_wishes_are_refused(n: int, policy: ParserPolicy, salvage: bool, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse("[]", n, policy, salvage=salvage)
