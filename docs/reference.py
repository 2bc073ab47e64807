"""Writes the generated references: commands from the command line itself, scenario fields from the JSON Schema, the
Python interface from its docstrings.

    python docs/reference.py

A test regenerates them and compares, so that none can be out of date.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

import typer

from oo_sim import contract
from oo_sim.cli import COMMANDS
from oo_sim.contract import Policy
from oo_sim.policies import POLICIES
from oo_sim.scenario import json_schema

HERE = Path(__file__).parent
NOTE = "<!-- Written by docs/reference.py; change the source and run it again. -->"


def cli_reference() -> str:
    """Every command with its words, arguments and options, in the order of `oo-sim --help`."""
    parts = [
        "# Commands\n",
        NOTE,
        "\nExit codes, unless a command says otherwise: 0 all well, 1 a policy failed, 2 usage or invalid input, 130 "
        "interrupted; `gate check` and `audit` have 3 to 5 as well.\n",
    ]
    for name, entry in COMMANDS.items():
        found = _functions(name, importlib.import_module(entry.module).app)
        if list(found) != [name]:
            parts += [f"## oo-sim {name}\n", f"{entry.help}\n"]
        for path, function in found.items():
            level = "##" if list(found) == [name] else "###"
            parts += [f"{level} oo-sim {path}\n", *_command(path, function)]
    return "\n".join(parts).rstrip() + "\n"


def _functions(name: str, app: typer.Typer) -> dict[str, Callable[..., Any]]:
    """The functions behind a command: itself, or its subcommands by `command subcommand`."""
    named = {info.name or _dashed(info.callback): info.callback for info in app.registered_commands if info.callback}
    if name in named:
        return {name: named[name]}
    own = app.registered_callback.callback if app.registered_callback else None
    inner = {f"{name} {child}": function for child, function in named.items()}
    return ({name: own} if own else {}) | inner


def _dashed(function: Callable[..., Any] | None) -> str:
    return function.__name__.replace("_", "-") if function else ""


class Parameter(NamedTuple):
    """An argument or option: how it is written, what it is, and its default."""

    written: str
    help: str
    default: str
    is_argument: bool
    usage: str


def _command(path: str, function: Callable[..., Any]) -> Iterator[str]:
    words, _, example = inspect.getdoc(function).partition("Example:")  # type: ignore[union-attr]
    hints = get_type_hints(function, include_extras=True)
    signature = inspect.signature(function).parameters
    known = [_parameter(name, hints[name], signature[name].default) for name in signature if hints[name] is not Any]
    rows = sorted((p for p in known if p), key=lambda p: not p.is_argument)
    usage = [p.usage for p in rows if p.is_argument]
    options = ["[OPTIONS]"] if any(not p.is_argument for p in rows) else []
    yield f"{words.strip()}\n".replace("<", "&lt;")
    yield "```text\n" + " ".join(["oo-sim", path, *options, *usage]) + "\n```\n"
    if example:
        yield f"```sh\n{example.strip()}\n```\n"
    if rows:
        yield "| argument or option | what it is | default |\n|---|---|---|"
        yield "".join(f"| {p.written} | {_cell(p.help)} | {p.default} |\n" for p in rows)


def _parameter(name: str, hint: Any, default: Any) -> Parameter | None:
    kind, *notes = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    info = next((note for note in notes if hasattr(note, "param_decls")), None)
    if info is None:
        return None
    required = default is inspect.Parameter.empty
    bare = next((each for each in get_args(kind) if each is not NoneType), kind)
    value = info.metavar or _type_name(bare)
    if type(info).__name__ == "ArgumentInfo":
        value = info.metavar or name.upper()
        many = value if value.endswith("...") or get_origin(kind) is not list else f"{value}..."
        return Parameter(f"`{value}`", info.help or "", _default(default), True, many if required else f"[{many}]")
    # Typer's first positional argument is a name where it is text.
    first = [info.default] if isinstance(info.default, str) else []
    names = ", ".join(f"`{each}`" for each in [*first, *info.param_decls] or [f"--{name.replace('_', '-')}"])
    written = names if kind is bool else f"{names} `{value}`"
    words = f"{info.help or ''} Environment: {info.envvar}." if info.envvar else info.help or ""
    return Parameter(written, words, _default(default), False, "")


def _type_name(kind: Any) -> str:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "\\|".join(each.value for each in kind)
    return {"int": "N", "float": "X", "Path": "PATH"}.get(getattr(kind, "__name__", ""), "TEXT")


def _default(value: Any) -> str:
    if value is inspect.Parameter.empty or value is ...:
        return "required"
    value = value.value if isinstance(value, Enum) else value
    return "" if value is None or value is False or value == "" else f"`{value}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def scenario_reference() -> str:
    """Every field of a scenario file: what it takes and its default; models in the order in which they are met."""
    schema = json_schema()
    models: Mapping[str, Any] = schema["$defs"]
    order = [name for name in _met(schema, models) if name in models]
    parts = [
        "# Fields of a scenario file\n",
        NOTE,
        "\n`scenarios/README.md` explains them with examples, and `oo-sim scenario schema` prints the JSON Schema that "
        "this page is made from, for editors. What must fit between fields is checked when a file is read.\n",
        "## At the top\n",
        *_model(schema),
    ]
    for name in dict.fromkeys(order):
        parts += [f"## {name}\n", f"{_prose(models[name].get('description', ''))}\n", *_model(models[name])]
    return "\n".join(parts).rstrip() + "\n"


def _met(node: Any, models: Mapping[str, Any], seen: tuple[str, ...] = ()) -> Iterator[str]:
    """The names of the models that a schema refers to, depth first."""
    if isinstance(node, list):
        for item in node:
            yield from _met(item, models, seen)
    elif isinstance(node, dict):
        if "$ref" in node:
            name = node["$ref"].rpartition("/")[2]
            yield name
            if name not in seen:
                yield from _met(models[name], models, (*seen, name))
        for key, value in node.items():
            if key not in ("$defs", "default", "discriminator"):
                yield from _met(value, models, seen)


def _model(model: Mapping[str, Any]) -> Iterator[str]:
    required = model.get("required", [])
    yield "| field | value | default |\n|---|---|---|"
    rows = []
    for name, field in model["properties"].items():
        default = "required" if name in required else _json(field["default"]) if "default" in field else ""
        rows.append(f"| `{name}` | {_value(field)} | {default} |\n")
    yield "".join(rows)


def _json(value: Any) -> str:
    kept = {k: v for k, v in value.items() if v not in (None, {}, [])} if isinstance(value, dict) else value
    return "" if kept in (None, {}, "") else f"`{json.dumps(kept)}`".replace("|", "\\|")


def _value(field: Mapping[str, Any]) -> str:
    """What a field takes, in words."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in field or "enum" in field:
        return " or ".join(f"`{each}`" for each in field.get("enum", [field.get("const")]))
    several = field.get("anyOf") or field.get("oneOf")
    if several:
        return ", or ".join(_value(each) for each in several if each.get("type") != "null")
    kinds = {"integer": _number, "number": _number, "array": _array, "object": _mapping, "string": _text}
    write = kinds.get(field.get("type", ""))
    return write(field) if write else "`true` or `false`"


def _number(field: Mapping[str, Any]) -> str:
    noun = "whole number" if field["type"] == "integer" else "number"
    low = f"above {_plain(field['exclusiveMinimum'])}, " if "exclusiveMinimum" in field else ""
    if low:
        return f"{noun}, {low}at most {_plain(field['maximum'])}"
    return f"{noun}, {_plain(field['minimum'])} to {_plain(field['maximum'])}"


def _plain(value: float) -> str:
    return f"{value:,.10g}"


def _text(field: Mapping[str, Any]) -> str:
    if "pattern" in field:
        return f"text like `{field['pattern']}`"
    return f"text, at most {field['maxLength']:,} characters" if "maxLength" in field else "text"


def _array(field: Mapping[str, Any]) -> str:
    low, high = field.get("minItems"), field.get("maxItems")
    count = f"{low}" if low == high else f"{low or 0} to {high}" if high else f"{low} or more"
    items = field.get("items") or field["prefixItems"][0]
    return f"list of {count}, each: {_value(items)}"


def _mapping(field: Mapping[str, Any]) -> str:
    inside = field.get("properties")
    if not inside:
        return f"mapping to: {_value(field['additionalProperties'])}"
    values = {_value(each) for each in inside.values()}
    keys = ", ".join(f"`{key}`" for key in inside)
    words = values.pop() if len(values) == 1 else "; ".join(f"`{k}`: {_value(v)}" for k, v in inside.items())
    one = len({_value(each) for each in inside.values()}) == 1
    return f"mapping of any of {keys} to: {words}" if one else f"mapping of {words}"


def _prose(text: str) -> str:
    return " ".join(text.split())


def api_reference() -> str:
    """The Python interface, from its docstrings: what is called, which policy to take, what policies and worlds are."""
    costs = json.loads((HERE / "costs.json").read_text(encoding="utf-8"))
    lines = ["# Python interface", "", "Written by `python docs/reference.py` from the docstrings.", ""]
    lines += ["## Calls", ""]
    for room, names in _CALLS.items():
        for name in names:
            lines += _documented(getattr(importlib.import_module(room), name), f"{room}.{name}")
    lines += [
        "## Which policy?",
        "",
        f"Time is CPU time per decision, as a multiple of linucb's {costs['microseconds']:.1f} µs: `quickstart` with "
        f"{costs['users']:,} users and {costs['rounds']} rounds in one process, the least of {costs['turns']} turns. "
        "It is that of the whole loop, the world and the tallies included; the policies alone differ by more. A "
        "difference of 0.2 may be the machine. `python docs/costs.py` measures it; `docs/costs.json` has the ranges.",
        "",
        "| policy | take it | model per user | bytes per user | time | paper |",
        "|---|---|---|---|---|---|",
    ]
    for name, entry in POLICIES.items():
        size, time = _state_bytes(entry.factory()), costs["ratio"][name]
        lines.append(f"| `{name}` | {entry.when} | {entry.model} | {size:,} | {time:.1f} | {entry.paper} |")
    lines += ["", "## Policies", ""]
    for name, entry in POLICIES.items():
        lines += _documented(entry.factory, name)
    lines += ["## What policies and worlds are made of", ""]
    for name in ("Policy", "FeatureMap", "Batch", "Probs", "Learning", "World", "Offer", "Response", "Lanes"):
        lines += _documented(getattr(contract, name), f"oo_sim.contract.{name}")
    return "\n".join(lines).rstrip() + "\n"


_CALLS = {
    "oo_sim": ("run", "compare", "sweep", "load_run", "load_scenario"),
    "oo_sim.experiment": ("shard", "merge", "partial", "status"),
    "oo_sim.errors": ("OoSimError",),
}


def _state_bytes(policy: Policy) -> int:
    """Bytes that a policy keeps for each user."""

    def size(state: Any) -> int:
        return sum(map(size, state)) if isinstance(state, tuple) else state.nbytes

    return int(size(policy.init(2))) // 2


def _documented(thing: Any, name: str) -> Iterator[str]:
    yield from (f"### {name}", "")
    with suppress(TypeError, ValueError):
        if not (isinstance(thing, type) and issubclass(thing, BaseException)):
            text = re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(thing)))
            yield from ("```python", f"{name.rpartition('.')[2]}{text}", "```", "")
    yield from ("```text", inspect.cleandoc(thing.__doc__ or ""), "```", "")


PAGES = {
    "cli-reference.md": cli_reference,
    "scenario-reference.md": scenario_reference,
    "api-reference.md": api_reference,
}
"""File -> what writes it."""


def main() -> None:
    """Write all pages."""
    for name, write in PAGES.items():
        (HERE / name).write_text(write(), encoding="utf-8")
        typer.echo(str(HERE / name))


if __name__ == "__main__":
    main()
