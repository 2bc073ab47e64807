"""`Scenario`: the whole file as one immutable value, checked, changed, and reduced to its canonical form."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, Field, PrivateAttr, ValidationError, WithJsonSchema

from oo_sim.errors import SpecError
from oo_sim.scenario.dynamics import Feedback
from oo_sim.scenario.explain import problems_of
from oo_sim.scenario.fields import Fault, Frozen, Listed, refuse
from oo_sim.scenario.models import LinearWorld, World
from oo_sim.scenario.people import NAME
from oo_sim.scenario.problems import Problem, ScenarioError, Source
from oo_sim.scenario.spec import PolicySpec, parse_spec
from oo_sim.scenario.text import did_you_mean

VERSION = 1
OVERRIDES = ("users", "rounds", "replicates", "seed", "policies", "name", "description")
"""What `Scenario.with_` may change."""


def _spelled(text: str) -> str:
    try:
        return str(parse_spec(text))
    except SpecError as error:
        refuse([Fault((), str(error))])
        raise


def _known(version: int) -> int:
    if version != VERSION:
        refuse([Fault((), f"is {version}; must be {VERSION}, the only version there is")])
    return version


def _once(policies: tuple[str, ...]) -> tuple[str, ...]:
    """Checked apart from the other fields, so that it is said whatever else is wrong."""
    first: dict[str, int] = {}
    refuse(
        Fault((i,), f"{spec} is policies[{first[spec]}] too; list it once")
        for i, spec in enumerate(policies)
        if first.setdefault(spec, i) != i
    )
    return policies


Version: TypeAlias = Annotated[int, AfterValidator(_known), WithJsonSchema({"const": VERSION})]
Spec: TypeAlias = Annotated[str, AfterValidator(_spelled)]


class Scenario(Frozen):
    """A world, its population, the policies to run, and how long. Frozen; `with_` gives a changed one."""

    version: Version
    name: Annotated[str, Field(pattern=NAME)]
    description: Annotated[str, Field(max_length=2000)] = ""
    users: int = Field(ge=1, le=10_000_000)
    rounds: int = Field(ge=1, le=1_000_000)
    replicates: int = Field(1, ge=1, le=1000)
    seed: int = Field(1, ge=0, le=2**32 - 1)
    policies: Annotated[tuple[Spec, ...], Field(min_length=1, max_length=64), AfterValidator(_once), Listed]
    world: World
    feedback: Feedback | None = None
    _source: Source = PrivateAttr(default_factory=Source)

    def faults(self) -> Iterator[Fault]:
        """Feedback that fits the world."""
        if isinstance(self.world, LinearWorld) and self.feedback:
            for field in ("by_reaction", "by_source"):
                if getattr(self.feedback.missing, field):
                    yield Fault(("feedback", "missing", field), "has no meaning in a linear world; write rate", True)

    @property
    def source(self) -> Source:
        """Where the scenario was written: its name, and the position of every key and value."""
        return self._source

    @property
    def specs(self) -> tuple[PolicySpec, ...]:
        """The policies to run, read."""
        return tuple(parse_spec(text) for text in self.policies)

    def with_(self, **overrides: Any) -> Scenario:
        """The scenario with some of `OVERRIDES` changed; None changes nothing.

        Raises ScenarioError, whose problems name the override, and TypeError for what can't be overridden.
        """
        if unknown := [name for name in overrides if name not in OVERRIDES]:
            hint = did_you_mean(unknown[0], OVERRIDES) or f"; these can: {', '.join(OVERRIDES)}"
            raise TypeError(f"a scenario's {unknown[0]} can't be overridden{hint}")
        changes = {name: value for name, value in overrides.items() if value is not None}
        if isinstance(changes.get("policies"), list | tuple):
            changes["policies"] = [str(p) if isinstance(p, PolicySpec) else p for p in changes["policies"]]
        changed = validate(self.canonical() | changes, Source(f"{self.name}: override"))
        changed._source = self._source.override(changes)
        return changed

    def canonical(self) -> dict[str, Any]:
        """Plain JSON data in a fixed order, with every default; `validate` reads it back."""
        data = self.model_dump(mode="json", exclude_none=True)
        if isinstance(self.world, LinearWorld) and self.world.noise == "bernoulli":
            del data["world"]["noise_sd"]
        return data

    def content_hash(self) -> str:
        """BLAKE2b-256 of the canonical form: equal for scenarios that say the same in different ways."""
        text = json.dumps(self.canonical(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.blake2b(text.encode(), digest_size=32).hexdigest()


def validate(data: Any, source: Source | None = None) -> Scenario:
    """A scenario from plain data, such as of `canonical` or a manifest. Raises ScenarioError."""
    source = source or Source()
    scenario, problems = check(data, source)
    if scenario is None:
        raise ScenarioError(problems)
    return scenario


def check(data: Any, source: Source) -> tuple[Scenario | None, list[Problem]]:
    """The scenario, or None and what is wrong."""
    if not isinstance(data, Mapping):
        return None, [source.problem((), "a scenario is a mapping; start with `version: 1`")]
    try:
        scenario = Scenario.model_validate(data)
    except ValidationError as error:
        return None, problems_of(error, Scenario, data, source)
    scenario._source = source
    return scenario, []


DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The schema (draft 2020-12) of a scenario. What must fit between fields is checked by `load` alone."""
    schema = Scenario.model_json_schema(mode="validation")
    return {"$schema": DIALECT, "title": "oo-sim scenario", **_untitled(schema)}


def _untitled(node: Any) -> Any:
    """Without the titles that only repeat the field's name in other letters."""
    if isinstance(node, list):
        return [_untitled(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {key: _untitled(value) for key, value in node.items() if key != "title" or not isinstance(value, str)}
