"""A corpus of replies as models really write them, each with what either parser policy must make of it.

`faithful` and `lenient` hold an outcome (accept, repair) or the class of the refusal.
"""

from __future__ import annotations

import json
from typing import NamedTuple

A = '{"id": "water", "content": "Water the ferns before lunch.", "rationale": "They are three days late."}'
B = '{"id": "tax", "content": "Open the tax letter and note its date.", "rationale": "It is urgent."}'
WATER, TAX = "Water the ferns before lunch.", "Open the tax letter and note its date."
TWO = f"[{A}, {B}]"
PYTHON = (
    "[{'id': 'water', 'content': 'Water the ferns before lunch.', 'rationale': None},"
    " {'id': 'tax', 'content': \"Open the tax letter and note its date.\"}]"
)


class Reply(NamedTuple):
    """One reply; `tips` are (id, content) as they must come out wherever the reply is taken."""

    name: str
    text: str | None
    faithful: str
    lenient: str
    n: int = 2
    tips: tuple[tuple[str, str], ...] = (("water", WATER), ("tax", TAX))


def one(content: str, id_: str = "a") -> tuple[tuple[str, str], ...]:
    """The tips of a reply with a single one."""
    return ((id_, content),)


REPLIES = (
    # as asked for
    Reply("bare", TWO, "accept", "accept"),
    Reply("pretty printed", TWO.replace("{", "{\n  ").replace(", ", ",\n  "), "accept", "accept"),
    Reply("blanks around", f"\n\n  {TWO} \t\n", "accept", "accept"),
    Reply(
        "extra keys",
        '[{"id": "a", "content": "Go.", "score": 3, "tags": ["x", {"y": []}]}]',
        "accept",
        "accept",
        1,
        one("Go."),
    ),
    Reply(
        "escapes",
        r'[{"id": "a", "content": "Say \"hi\" \u2014 now\n"}]',
        "accept",
        "accept",
        1,
        one('Say "hi" \u2014 now\n'),
    ),
    Reply(
        "emoji and right-to-left",
        '[{"id": "a", "content": "\u260e\ufe0f \u05d0\u05de\u05d0 \U0001f9fe"}]',
        "accept",
        "accept",
        1,
        one("\u260e\ufe0f \u05d0\u05de\u05d0 \U0001f9fe"),
    ),
    Reply(
        "brackets in a text",
        '[{"id": "a", "content": "Tick [x] in {list}, then ]"}]',
        "accept",
        "accept",
        1,
        one("Tick [x] in {list}, then ]"),
    ),
    Reply(
        "fence in a text",
        '[{"id": "a", "content": "Write ``` on top"}]',
        "accept",
        "accept",
        1,
        one("Write ``` on top"),
    ),
    Reply(
        "think tag in a text",
        '[{"id": "a", "content": "Read <think> by IBM"}]',
        "accept",
        "accept",
        1,
        one("Read <think> by IBM"),
    ),
    Reply(
        "comment marks in a text",
        '[{"id": "a", "content": "See http://x.org # top"}]',
        "accept",
        "accept",
        1,
        one("See http://x.org # top"),
    ),
    Reply("no rationale", '[{"id": "a", "content": "Go."}]', "accept", "accept", 1, one("Go.")),
    Reply(
        "rationale null",
        '[{"id": "a", "content": "Go.", "rationale": null}]',
        "accept",
        "accept",
        1,
        one("Go."),
    ),
    Reply("more than asked for", f'[{A}, {B}, {{"id": "c", "content": "Rest."}}]', "accept", "accept"),
    Reply("fewer than asked for", f"[{A}]", "accept", "accept", 2, one(WATER, "water")),
    # ids
    Reply("no id", '[{"content": "Go."}]', "accept", "repair", 1, one("Go.", "tip-0")),
    Reply("id null", '[{"id": null, "content": "Go."}]', "accept", "repair", 1, one("Go.", "tip-0")),
    Reply("id blank", '[{"id": "  ", "content": "Go."}]', "accept", "repair", 1, one("Go.", "tip-0")),
    Reply("id an object", '[{"id": {}, "content": "Go."}]', "accept", "repair", 1, one("Go.", "tip-0")),
    Reply("id a number", '[{"id": 7, "content": "Go."}]', "accept", "repair", 1, one("Go.", "7")),
    Reply(
        "id twice",
        '[{"id": "a", "content": "Go."}, {"id": "a", "content": "Stay."}]',
        "accept",
        "repair",
        2,
        (("a", "Go."), ("a-2", "Stay.")),
    ),
    Reply(
        "given id looks made up",
        '[{"content": "Go."}, {"id": "tip-0", "content": "Stay."}]',
        "accept",
        "repair",
        2,
        (("tip-0-2", "Go."), ("tip-0", "Stay.")),
    ),
    # fences
    Reply("fenced", f"```json\n{TWO}\n```", "accept", "repair"),
    Reply("fenced, no language", f"```\n{TWO}\n```", "accept", "repair"),
    Reply("fenced on one line", f"```{TWO}```", "accept", "repair"),
    Reply("fenced, upper case", f"```JSON\n{TWO}\n```\n", "accept", "repair"),
    Reply(
        "fenced, fence in a text",
        '```json\n[{"id": "a", "content": "Use ```x``` marks"}]\n```',
        "accept",
        "repair",
        1,
        one("Use ```x``` marks"),
    ),
    Reply("tildes", f"~~~\n{TWO}\n~~~", "prose", "repair"),
    Reply("fence twice", f"```\n```json\n{TWO}\n```\n```", "prose", "repair"),
    Reply("fence never closed", f"```json\n{TWO}", "prose", "repair"),
    # around it
    Reply("prose before", f"Sure! Here are two tips:\n\n{TWO}", "prose", "repair"),
    Reply("prose behind", f"{TWO}\n\nLet me know if you want more.", "prose", "repair"),
    Reply("prose with brackets", f"From your list [ferns, tax] and {{notes}} I chose:\n{TWO}", "prose", "repair"),
    Reply("assignment", f"tips = {TWO};", "prose", "repair"),
    Reply("think block", f'<think>Two tasks. ["draft"]? No.</think>\n{TWO}', "prose", "repair"),
    Reply("think block, other name", f"<Reasoning effort='low'>{{hm</Reasoning>{TWO}", "prose", "repair"),
    Reply("think block, unopened", f"Two tasks, so...\n</think>\n{TWO}", "prose", "repair"),
    Reply("think block, unclosed", f"<think>Two tasks.\n{TWO}", "prose", "truncated"),
    Reply("byte order mark", f"\ufeff{TWO}", "prose", "repair"),
    # shapes
    Reply("wrapped", f'{{"tips": {TWO}}}', "shape", "repair"),
    Reply("wrapped with a count", f'{{"count": 2, "result": {TWO}}}', "shape", "repair"),
    Reply("wrapped in a list", f"[{TWO}]", "item", "repair"),
    Reply("wrapped twice", f'{{"a": {{"tips": {TWO}}}}}', "shape", "shape"),
    Reply("two lists in one object", f'{{"tips": {TWO}, "more": []}}', "shape", "shape"),
    Reply(
        "keyed by id",
        '{"water": {"content": "' + WATER + '"}, "tax": {"content": "' + TAX + '"}}',
        "shape",
        "repair",
    ),
    Reply("JSON lines", f"{A}\n{B}", "prose", "repair"),
    Reply("objects and commas", f"{A},\n{B}", "prose", "repair"),
    Reply("fenced JSON lines", f"```jsonl\n{A}\n{B}\n```", "prose", "repair"),
    Reply("lone object, one asked for", A, "shape", "repair", 1, one(WATER, "water")),
    Reply("lone object, two asked for", A, "shape", "count"),
    Reply("plain texts", '["Water the ferns.", "Open the letter."]', "item", "item"),
    Reply("a text", '"Water the ferns."', "shape", "shape"),
    Reply("markdown list", "1. **Water the ferns**\n2. Open the letter", "no_json", "no_json"),
    Reply("list of boxes", "- [ ] Water the ferns\n- [ ] Open the letter", "prose", "ambiguous"),
    # syntax that can be read in one way only
    Reply("trailing comma", f"[{A}, {B},]", "syntax", "repair"),
    Reply("trailing comma in an object", '[{"id": "a", "content": "Go.",}]', "syntax", "repair", 1, one("Go.")),
    Reply("missing comma", f"[{A} {B}]", "syntax", "repair"),
    Reply("line comment", f"[{A}, // the plants\n{B}]", "syntax", "repair"),
    Reply("block comment", f"[/* two */ {A}, {B}]", "syntax", "repair"),
    Reply("hash comment", f"[\n# tips\n{A}, {B}]", "syntax", "repair"),
    Reply("Python literals", PYTHON, "syntax", "repair"),
    Reply(
        "Python quotes inside",
        r"""[{'id': 'a', 'content': 'Say "hi", it\'s time', 'done': True}]""",
        "syntax",
        "repair",
        1,
        one('Say "hi", it\'s time'),
    ),
    # guesses and losses
    Reply("empty array", "[]", "count", "count"),
    Reply("two arrays", f"Draft: []\nFinal: {TWO}", "prose", "ambiguous"),
    Reply("two arrays, same", f"{TWO}\n{TWO}", "prose", "ambiguous"),
    Reply("array and object", f"{TWO}\n{A}", "prose", "ambiguous"),
    Reply("one broken line of two", "{'id': 'a', 'content': 'It's late'}\n" + A, "syntax", "syntax", 1),
    Reply("one unquoted line of two", "{id: a, content: Go}\n" + A, "syntax", "syntax", 1),
    Reply("objects in prose", f"First {A} and then {B}", "prose", "ambiguous"),
    Reply("ellipsis", f"[{A}, ...]", "syntax", "lazy"),
    Reply("ellipsis in a comment", f"[{A} // ... and so on\n]", "syntax", "lazy"),
    Reply("unquoted keys", "[{id: 'a', content: 'Go.'}]", "syntax", "syntax"),
    Reply("unquoted text", '[{"id": "a", "content": Go home}]', "syntax", "syntax"),
    Reply("apostrophe in quotes", "[{'id': 'a', 'content': 'Don't wait'}]", "syntax", "syntax"),
    Reply("curly quotes", "[{\u201cid\u201d: \u201ca\u201d}]", "syntax", "syntax"),
    Reply("NaN", '[{"id": "a", "content": "Go.", "score": NaN}]', "values", "values"),
    Reply("Infinity in broken JSON", '[{"id": "a", "content": "Go.", "score": Infinity,}]', "values", "values"),
    Reply("bad escape", r'[{"id": "a", "content": "Open D:\Xmas"}]', "syntax", "syntax"),
    Reply("long number", '[{"id": ' + "9" * 5000 + ', "content": "Go."}]', "values", "values"),
    Reply(
        "key twice",
        '[{"id": "a", "content": "Go.", "content": "Stay."}]',
        "accept",
        "values",
        1,
        one("Stay."),
    ),
    Reply("key twice in broken JSON", '[{"id": "a", "content": "Go.", "content": "Stay.",}]', "syntax", "values"),
    Reply(
        "same tip twice",
        '[{"id": "a", "content": "Go."}, {"id": "b", "content": "go. "}]',
        "accept",
        "duplicate",
        2,
        (("a", "Go."), ("b", "go. ")),
    ),
    Reply("stray closing bracket", f"{TWO}]", "prose", "syntax"),
    Reply("array in a broken array", '[{"id": "a", "tags": [{"content": "Go."}], "x": y}]', "syntax", "syntax"),
    # items
    Reply("null item", f"[null, {A}]", "item", "item"),
    Reply("no content", f'[{A}, {{"id": "b", "rationale": "Because."}}]', "item", "item"),
    Reply("content under another name", '[{"id": "a", "tip": "Go."}]', "item", "item"),
    Reply("content null", '[{"id": "a", "content": null}]', "item", "item"),
    Reply("content blank", '[{"id": "a", "content": " \\n\\u200b"}]', "item", "item"),
    Reply("content a number", '[{"id": "a", "content": 5}]', "item", "item"),
    Reply("content a list", '[{"id": "a", "content": ["Go."]}]', "item", "item"),
    Reply("content no Unicode", '[{"id": "a", "content": "Go \\ud83d"}]', "item", "item"),
    Reply("third item broken, two asked for", f"[{A}, {B}, 5]", "item", "item"),
    Reply("schema for content", '[{"id": "a", "content": "..."}]', "placeholder", "placeholder"),
    Reply("schema's words", '[{"id": "a", "content": "The tip, at most 2 sentences."}]', "placeholder", "placeholder"),
    Reply("schema in brackets", f'[{A}, {{"id": "b", "content": "<your tip here>"}}]', "placeholder", "placeholder"),
    Reply("a tip about a tip", '[{"id": "a", "content": "Tip them."}]', "accept", "accept", 1, one("Tip them.")),
    # encoded twice, and keys in another case
    Reply("encoded twice", json.dumps(TWO), "shape", "repair"),
    Reply("encoded twice in a fence", f"```json\n{json.dumps(TWO)}\n```", "shape", "repair"),
    Reply("wrapper encoded twice", json.dumps(f'{{"tips": {TWO}}}'), "shape", "repair"),
    Reply("items encoded twice", json.dumps([A, B]), "item", "repair"),
    Reply("one item encoded twice", f"[{A}, {json.dumps(B)}]", "item", "item"),
    Reply("encoded twice, cut", json.dumps(TWO[:-40]), "shape", "shape"),
    Reply("a text with brackets", '"[no JSON]"', "shape", "shape"),
    Reply("encoded thrice", json.dumps(json.dumps(TWO)), "shape", "shape"),
    Reply("keys in capitals", TWO.replace('"id"', '"ID"').replace('"content"', '"Content"'), "item", "repair"),
    Reply("keys in capitals, alone", A.replace('"content"', '"CONTENT"'), "shape", "repair", 1, one(WATER, "water")),
    Reply(
        "keys in two cases",
        '[{"id": "a", "content": "Go.", "Content": "Stay."}]',
        "accept",
        "accept",
        1,
        one("Go."),
    ),
    Reply(
        "raw line break in a text",
        '[{"id": "a", "content": "Go.\nNow\tthen."}]',
        "syntax",
        "repair",
        1,
        one("Go.\nNow\tthen."),
    ),
    # what only talks about tips
    Reply("errors", '{"errors": [{"content": "Rate limit"}]}', "shape", "shape", 1),
    Reply("error beside a list", f'{{"error": null, "tips": {TWO}}}', "shape", "shape", 1),
    Reply("error with a content", '{"error": true, "content": "No tips today."}', "shape", "ambiguous", 1),
    Reply("chat message", '{"role": "assistant", "content": "Here are your tips:"}', "shape", "ambiguous", 1),
    Reply("chatty wrapper", f'{{"content": "Sure, here they are!", "tips": {TWO}}}', "shape", "ambiguous", 1),
    Reply("chatty wrapper of one", f'{{"content": "Sure!", "tip": {A}}}', "shape", "ambiguous", 1),
    Reply(
        "lone tip with tags",
        '{"id": "a", "content": "Go.", "tags": ["x"], "meta": {"k": 1}}',
        "shape",
        "repair",
        1,
        one("Go."),
    ),
    # nothing, and the end too soon
    Reply("null", None, "empty", "empty"),
    Reply("nothing", "", "empty", "empty"),
    Reply("blanks", " \n\t ", "empty", "empty"),
    Reply("only a byte order mark", "\ufeff", "no_json", "empty"),
    Reply("refusal", "I'm sorry, but I cannot help with that.", "no_json", "no_json"),
    Reply("cut in a text", TWO[:-40], "truncated", "truncated"),
    Reply("cut between items", f"[{A},", "truncated", "truncated"),
    Reply("cut before the bracket", TWO[:-1], "truncated", "truncated"),
    Reply("cut behind a fence", f"```json\n{TWO[:60]}", "prose", "truncated"),
    Reply("one bracket", "[", "truncated", "truncated"),
    Reply("deep nesting", "[" * 100_000, "values", "values"),
    Reply("too long", "[" * 12_000_000, "too_long", "too_long"),
)
