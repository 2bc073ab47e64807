"""The policies that take part in an experiment, made for the world that they will meet, each under its own label."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from oo_sim.contract import F64, Batch, Learning, Policy, Probs, State, World
from oo_sim.decide import PolicyError
from oo_sim.errors import together
from oo_sim.features import FEATURES
from oo_sim.kernels.philox import MAX_UNIFORMS
from oo_sim.policies import UnknownPolicyError, factory, make, policy_hash
from oo_sim.scenario import (
    PolicyKey,
    PolicySpec,
    Problem,
    Reading,
    Scenario,
    ScenarioError,
    SpecError,
    judged,
    parse_spec,
    policy_key,
)
from oo_sim.worlds import TipBank, build


class Entrant(NamedTuple):
    """A policy, the label under which its results stand, and the bank of its tips, where they come out of one."""

    label: str
    policy: Policy
    bank: TipBank | None = None
    made: Literal["registry", "factory", "here"] = "here"  # by name, by module:factory, or handed over as it is

    @property
    def built_in(self) -> bool:
        """Whether it is named in the registry, so that what its functions hold is known."""
        return self.made == "registry"

    @property
    def name(self) -> str:
        """The label without the bank."""
        return self.label if self.bank is None else self.label.removesuffix(f"+{self.bank.label}")

    @property
    def hash(self) -> str:
        """A hash of all that makes the policy what it is: name, parameters and features."""
        return policy_hash(self.policy)


def entrants(world: World, wanted: Sequence[str | Policy]) -> list[Entrant]:
    """The policies by spec or as they are, for this world. Raises UnknownPolicyError, SpecError, for all at once."""
    first: dict[PolicyKey, str] = {}

    def once(made: Entrant) -> Entrant:
        key = policy_key(made.label) if made.built_in else (made.label, ())
        if (earlier := first.get(key)) is None:
            first[key] = made.label
            return made
        which = "" if earlier == made.label else f": it is {earlier}"
        raise UnknownPolicyError(
            f"policy {made.label} is listed twice{which}; write the one that differs as NAME:PARAMETER=VALUE, or name "
            'a policy made in Python anew: policy._replace(name="other")'
        )

    return together(together(wanted, lambda one: _entrant(world, one)), once)


def playable(reading: Reading) -> Scenario:
    """The scenario of a file, all of whose policies can be made. Raises ScenarioError with all that is wrong: where the
    rest of the file is not valid, also with the names and parameters of its policies, which need no world. Private
    modules are imported, as by a run."""
    try:
        scenario = judged(reading)
    except ScenarioError as error:
        raise ScenarioError([*error.problems, *_unmade(reading)]) from None
    if problems := policy_problems(scenario):
        raise ScenarioError(problems)
    return scenario


def _unmade(reading: Reading) -> Iterator[Problem]:
    """What is wrong with the names and parameters of policies whose specs read."""
    named = reading.data.get("policies") if isinstance(reading.data, Mapping) else None
    for i, text in enumerate(named if isinstance(named, list) else ()):
        if not isinstance(text, str) or reading.covers(("policies", i)):
            continue
        try:
            spec = parse_spec(text)
        except SpecError:
            continue  # that is said already
        try:
            make(spec.name, {name: value for name, value in spec.parameters if name != "features"})
        except UnknownPolicyError as error:
            yield reading.source.problem(("policies", i), str(error))


def policy_problems(scenario: Scenario) -> list[Problem]:
    """What is wrong with the policies that a scenario names, each with its place in the file: a policy that cannot be
    made for this world, or one that stands there twice in two spellings. Private modules are imported, as by a run."""
    world, problems = build(scenario), list[Problem]()
    first: dict[str, int] = {}
    for i, spec in enumerate(scenario.policies):
        path = ("policies", i)
        try:
            [made] = entrants(world, [spec])
        except (UnknownPolicyError, SpecError) as error:
            problems.append(scenario.source.problem(path, str(error)))
            continue
        if made.built_in and (earlier := first.setdefault(made.hash, i)) != i:
            message = f"{spec} is the same policy as policies[{earlier}], {scenario.policies[earlier]}; list it once"
            problems.append(scenario.source.problem(path, message))
    return problems


def with_banks(taking_part: Sequence[Entrant], banks: Sequence[TipBank]) -> list[Entrant]:
    """Every policy with every bank, as `policy+bank`; the policies as they are where there are no banks."""
    if not banks:
        return list(taking_part)
    return [e._replace(label=f"{e.label}+{bank.label}", bank=bank) for bank in banks for e in taking_part]


def _entrant(world: World, one: str | Policy) -> Entrant:
    made: Literal["registry", "factory", "here"]
    if isinstance(one, Policy):
        label, policy, made = one.name, one, "here"
    elif isinstance(one, str):
        spec = parse_spec(one)
        label, policy, made = str(spec), _from_spec(world, spec), "factory" if spec.private else "registry"
    else:
        raise UnknownPolicyError(f"{one!r} is not a policy; give a spec such as 'linucb:alpha=0.5', or a Policy")
    _check(world, label, policy)
    return Entrant(label, policy if made == "registry" else guarded(policy), made=made)


def _from_spec(world: World, spec: PolicySpec) -> Policy:
    parameters: dict[str, object] = dict(spec.parameters)
    if world.default_features and "features" in inspect.signature(factory(spec.name)).parameters:
        parameters.setdefault("features", world.default_features)
    return make(spec.name, parameters, world.features)


def _check(world: World, label: str, policy: Policy) -> None:
    """Refuse what could not be run or written down, before any work is done."""
    if not isinstance(policy.name, str) or not policy.name:
        raise UnknownPolicyError(f"a policy's name must be text, not {policy.name!r}")
    name = policy.features.name
    if FEATURES.get(name) is policy.features and name not in world.features:
        raise UnknownPolicyError(
            f"policy {label}: a {world.name} world has no features {name!r}, but {', '.join(world.features)}"
        )
    try:
        json.dumps(dict(policy.parameters), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UnknownPolicyError(f"policy {label}: parameters must be plain numbers and text: {error}") from error
    if not _is_noise(policy.noise):
        raise UnknownPolicyError(
            f"policy {label}: noise must be two whole numbers from 0 to {MAX_UNIFORMS}, not {policy.noise!r}"
        )


def _is_noise(noise: Any) -> bool:
    return (
        isinstance(noise, tuple)
        and len(noise) == 2
        and all(isinstance(count, int) and 0 <= count <= MAX_UNIFORMS for count in noise)
    )


def guarded(policy: Policy) -> Policy:
    """The same policy on read-only views: writing into what it is shown fails its own run, and no other."""

    def score(state: State, batch: Batch, noise: F64) -> F64:
        return policy.score(state, _shown(batch), _view(noise))

    def probs(scores: F64, batch: Batch) -> Probs:
        made = policy.probs(scores, _shown(batch))
        if not policy.explores and isinstance(made, Probs) and np.any(made.explored):
            raise PolicyError(policy.name, "probs returned a part `explored`; a policy that has one says explores=True")
        return made

    def update(state: State, learning: Learning, noise: F64) -> State:
        arrays = {name: _view(column) for name, column in learning._asdict().items() if name != "tick"}
        return policy.update(state, learning._replace(**arrays), _view(noise))

    return policy._replace(score=score, probs=probs, update=update)


def _shown(batch: Batch) -> Batch:
    return Batch(*(_view(column) for column in batch))


def _view(array: Any) -> Any:
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view
