"""The policies that take part in an experiment, made for the world that they will meet, each under its own label."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from oo_sim.contract import Policy, World
from oo_sim.features import FEATURES
from oo_sim.policies import UnknownPolicyError, factory, make
from oo_sim.scenario import PolicySpec, SpecError, parse_spec


class Entrant(NamedTuple):
    """A policy and the label under which its results stand."""

    label: str
    policy: Policy

    @property
    def hash(self) -> str:
        """A hash of all that makes the policy what it is: name, parameters and features."""
        p = self.policy
        identity = [p.name, dict(sorted(p.parameters.items())), p.features.name, p.features.names]
        return hashlib.blake2b(json.dumps(identity).encode(), digest_size=8).hexdigest()


def entrants(world: World, wanted: Sequence[str | Policy]) -> list[Entrant]:
    """The policies by spec or as they are, for this world. Raises UnknownPolicyError, SpecError."""
    made = [Entrant(*_made(world, one)) for one in wanted]
    seen = Counter(e.label for e in made)
    twice = [label for label, count in seen.items() if count > 1]
    if twice:
        raise UnknownPolicyError(f"policy {twice[0]} is listed twice; tell the two apart by a parameter or a name")
    return made


def _made(world: World, one: str | Policy) -> tuple[str, Policy]:
    if isinstance(one, Policy):
        label, policy = one.name, one
    elif isinstance(one, str):
        spec = parse_spec(one)
        label, policy = str(spec), _from_spec(world, spec)
    else:
        raise UnknownPolicyError(f"{one!r} is no policy; give a spec such as 'linucb:alpha=0.5', or a Policy")
    name = policy.features.name
    if FEATURES.get(name) is policy.features and name not in world.features:
        raise UnknownPolicyError(
            f"policy {label}: features {name!r} cannot be had in a {world.name} world; it has {', '.join(world.features)}"
        )
    return label, policy


def _from_spec(world: World, spec: PolicySpec) -> Policy:
    parameters: dict[str, object] = dict(spec.parameters)
    if world.default_features and "features" in inspect.signature(factory(spec.name)).parameters:
        parameters.setdefault("features", world.default_features)
    return make(spec.name, parameters, world.features)


__all__ = ["Entrant", "SpecError", "UnknownPolicyError", "entrants"]
