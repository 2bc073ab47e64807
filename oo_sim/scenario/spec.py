"""Policy specs: the short text that names a policy and sets its parameters, in scenario files as in the CLI.

`linucb`, `linucb:alpha=0.5,features=oo7x`, and for private policies `package.module:factory` or
`package.module:factory:alpha=0.5`.
"""

from __future__ import annotations

import re
from typing import NamedTuple, TypeAlias

from oo_sim.errors import SpecError
from oo_sim.policies import canonical
from oo_sim.scenario.scalars import ScalarError, read_scalar
from oo_sim.scenario.text import clip

Parameter: TypeAlias = int | float | str
PolicyKey: TypeAlias = tuple[str, tuple[tuple[str, object], ...]]

MAX_SPEC = 500
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_VALUE = re.compile(r"[A-Za-z0-9_.+/-]+")
_EXAMPLE = "write name, name:key=value,key=value or package.module:factory"


class PolicySpec(NamedTuple):
    """A policy's name (for a private one `module:factory`) and its parameters, sorted by key.

    `str(spec)` is its one spelling: `parse_spec(str(spec)) == spec`.
    """

    name: str
    parameters: tuple[tuple[str, Parameter], ...] = ()

    @property
    def private(self) -> bool:
        """True where the name is a `module:factory` to import."""
        return ":" in self.name

    def __str__(self) -> str:
        parameters = ",".join(f"{key}={value}" for key, value in self.parameters)
        return f"{self.name}:{parameters}" if parameters else self.name


def policy_key(label: str) -> PolicyKey:
    """What is equal for two spellings of one policy: of `linucb`, `linucb:alpha=1` and `linucb-v1`, for example.

    A label that is not a spec, such as that of a policy handed over in Python, is its own key.
    """
    try:
        spec = parse_spec(label)
    except SpecError:
        return label, ()
    return canonical(spec.name, dict(spec.parameters))


def parse_spec(text: str) -> PolicySpec:
    """Read a spec; checks its form only, not that such a policy exists. Raises SpecError."""
    if len(text) > MAX_SPEC:
        raise SpecError(f"the spec has {len(text)} characters; at most {MAX_SPEC} are read")
    head, colon, rest = text.partition(":")
    if "." in head or (colon and "=" not in rest.partition(":")[0] and rest):
        factory, more, parameters = rest.partition(":")
        return PolicySpec(_private(head, factory), _parameters(parameters, bool(more)))
    if not _NAME.fullmatch(head):
        raise SpecError(f"'{clip(head)}' is not a policy name; {_EXAMPLE}")
    return PolicySpec(head, _parameters(rest, bool(colon)))


def _private(module: str, factory: str) -> str:
    if not _MODULE.fullmatch(module):
        raise SpecError(f"'{clip(module)}' is not a Python module; {_EXAMPLE}")
    if not _IDENTIFIER.fullmatch(factory):
        raise SpecError(f"'{clip(factory)}' is not a name of a policy factory; write {clip(module)}:factory")
    return f"{module}:{factory}"


def _parameters(text: str, expected: bool) -> tuple[tuple[str, Parameter], ...]:
    if not expected:
        return ()
    if "[" in text or "]" in text:
        raise SpecError("lists of values are not read; write one spec for each value")
    found: dict[str, Parameter] = {}
    for part in text.split(","):
        key, value = _parameter(part.strip())
        if key in found:
            raise SpecError(f"parameter {key} is given twice; give it once")
        found[key] = value
    return tuple(sorted(found.items()))


def _parameter(part: str) -> tuple[str, Parameter]:
    key, equals, word = (piece.strip() for piece in part.partition("="))
    if not equals or not _IDENTIFIER.fullmatch(key):
        raise SpecError(f"'{clip(part)}' is not a parameter; write key=value, such as alpha=0.5")
    if not _VALUE.fullmatch(word):
        raise SpecError(f"'{clip(word)}' is not a value of {key}; write a number or a plain word")
    try:
        value = read_scalar(word)
    except ScalarError as error:
        raise SpecError(f"parameter {key}: {str(error).split(', or quote')[0]}") from None
    if value is None or isinstance(value, bool):
        raise SpecError(f"parameter {key} is {word}; write a number or a plain word")
    return key, value
