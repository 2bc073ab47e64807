"""What a policy is, said once: the built-in ones with all that others need to know of them, and private ones by their
`module:factory`."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from oo_sim.contract import FeatureMap, Policy
from oo_sim.errors import UnknownPolicyError, raised
from oo_sim.policies.baselines import oracle, random
from oo_sim.policies.bootstrap_ts import bootstrap_ts
from oo_sim.policies.dlinucb import dlinucb
from oo_sim.policies.egreedy import egreedy, greedy, softmax
from oo_sim.policies.linucb import linucb
from oo_sim.policies.linucb_disjoint import linucb_disjoint
from oo_sim.policies.linucb_hybrid import linucb_hybrid
from oo_sim.policies.logistic_ts import logistic_ts
from oo_sim.policies.restart_linucb import restart_linucb
from oo_sim.policies.squarecb import squarecb
from oo_sim.policies.swlinucb import swlinucb
from oo_sim.policies.thompson import thompson

Factory = Callable[..., Policy]

Model = Literal["none", "ridge", "ridge by kind", "weighted ridge", "logistic", "bootstrap"]
"""What a policy learns, one for each user: nothing; a ridge regression whose state is `policies.ridge.Ridge`; one for
each kind of candidate; one whose observations lose weight or leave; a logistic regression; several regressions."""


class Entry(NamedTuple):
    """All that others need to know of a built-in policy."""

    factory: Factory
    model: Model
    only_choose: frozenset[str]  # parameters that shape choices alone; every other one may shape what is learned
    paper: str
    when: str  # to take which: for readers who choose
    wire: str | None = None  # its name on the wire, where that is another one


def _entry(factory: Factory, model: Model, only_choose: str, paper: str, when: str, wire: str | None = None) -> Entry:
    return Entry(factory, model, frozenset(only_choose.split()), paper, when, wire)


_LI = "Li, Chu, Langford & Schapire 2010"
POLICIES: Mapping[str, Entry] = {
    "linucb": _entry(
        linucb,
        "ridge",
        "alpha",
        f"{_LI}, Alg. 1 with one shared model",
        "to begin with: little to tune, and no draw of its own; propensities are 0 or 1",
        "linucb-v1",
    ),
    "egreedy": _entry(
        egreedy,
        "ridge",
        "epsilon decay schedule",
        "Sutton & Barto 2018, section 2.2",
        "where logs are to be evaluated later: every candidate has a known positive probability",
        "egreedy-v1",
    ),
    "greedy": _entry(
        greedy,
        "ridge",
        "",
        "Sutton & Barto 2018, section 2.2",
        "as the level without exploration",
    ),
    "thompson": _entry(
        thompson,
        "ridge",
        "scale samples",
        "Agrawal & Goyal 2013",
        "where exploration should decrease by itself; with samples > 1 the propensity is known",
    ),
    "softmax": _entry(
        softmax,
        "ridge",
        "temperature",
        "Sutton & Barto 2018, section 2.8",
        "where near-equal candidates should share the choice; temperature is in units of reward",
    ),
    "squarecb": _entry(
        squarecb,
        "ridge",
        "gamma exponent",
        "Foster & Rakhlin 2020, Alg. 1",
        "where known propensities and a regret bound that needs only a regression are required",
    ),
    "bootstrap_ts": _entry(
        bootstrap_ts,
        "bootstrap",
        "",
        "Eckles & Kaptein 2014; Osband & Van Roy 2015",
        "where the noise is not Gaussian, and ten models for each user may be kept",
    ),
    "logistic_ts": _entry(
        logistic_ts, "logistic", "scale samples", "Chapelle & Li 2011, Alg. 3", "where rewards are near yes or no"
    ),
    "linucb_disjoint": _entry(
        linucb_disjoint,
        "ridge by kind",
        "alpha",
        f"{_LI}, Alg. 1",
        "where tasks and tips are different things, and there is much data on both",
    ),
    "linucb_hybrid": _entry(
        linucb_hybrid, "ridge by kind", "alpha", f"{_LI}, Alg. 2", "where tasks and tips differ in part"
    ),
    "dlinucb": _entry(
        dlinucb,
        "weighted ridge",
        "alpha",
        "Russac, Vernade & Cappé 2019, Alg. 1",
        "where taste drifts slowly and continuously",
    ),
    "swlinucb": _entry(
        swlinucb,
        "weighted ridge",
        "alpha",
        "Cheung, Simchi-Levi & Zhu 2019, Alg. 1",
        "where taste changes, and what is older than a window is worth nothing",
    ),
    "restart_linucb": _entry(
        restart_linucb,
        "weighted ridge",
        "alpha",
        "Zhao, Zhang, Jiang & Zhou 2020, Alg. 1",
        "where taste changes abruptly and rarely; the cheapest that forgets",
    ),
    "random": _entry(
        random,
        "none",
        "",
        "",
        "as the floor of a scale, and for logs that any estimator can use",
    ),
    "oracle": _entry(
        oracle,
        "none",
        "",
        "",
        "as the ceiling of a scale; in simulations only",
    ),
}
"""Every built-in policy by name."""

ALIASES = {entry.wire: name for name, entry in POLICIES.items() if entry.wire is not None}
"""Names on the wire."""


def with_model(*models: Model) -> tuple[str, ...]:
    """The names of the policies that learn such models, in order."""
    return tuple(name for name, entry in POLICIES.items() if entry.model in models)


def factory(name: str) -> Factory:
    """The function that makes the policy `name`: a built-in one, an alias, or `module:factory`."""
    if ":" in name:
        return _private(name)
    known = ALIASES.get(name, name)
    if known not in POLICIES:
        close = difflib.get_close_matches(name, [*POLICIES, *ALIASES], n=1)
        hint = f"did you mean {close[0]}?" if close else f"choose one of {', '.join(POLICIES)}"
        raise UnknownPolicyError(f"there is no policy {name!r}; {hint} (a private one is module:factory)")
    return POLICIES[known].factory


def _private(name: str) -> Factory:
    module, _, attribute = name.partition(":")
    try:
        there = importlib.import_module(module)
    except ImportError as error:
        raise UnknownPolicyError(
            f"policy {name}: cannot import {module}: {error}{_meant(module, attribute)}"
        ) from error
    except Exception as error:
        raise UnknownPolicyError(f"policy {name}: importing {module} {raised(error)}") from error
    try:
        found = getattr(there, attribute)
    except AttributeError as error:
        own = [key for key, value in vars(there).items() if callable(value) and key[0] != "_"]
        close = difflib.get_close_matches(attribute, own, n=1)
        hint = f"; did you mean {module}:{close[0]}?" if close else ""
        raise UnknownPolicyError(f"policy {name}: module {module} has no {attribute!r}{hint}") from error
    if not callable(found) or not _has_signature(found):
        raise UnknownPolicyError(
            f"policy {name}: {attribute} is {type(found).__name__}, not a Python function that makes a Policy"
        )
    factory: Factory = found
    return factory


def _meant(module: str, attribute: str) -> str:
    """What was probably meant where a private policy's module is not there."""
    if module in POLICIES or module in ALIASES:
        return f"; {module} is a policy, whose parameters have values: write {module}:{attribute}=..."
    if module.endswith(".py"):
        return f"; a module is named without .py: write {module[:-3]}:{attribute}"
    close = difflib.get_close_matches(module, [path.stem for path in Path().glob("*.py")], n=1, cutoff=0.7)
    return f"; did you mean {close[0]}:{attribute}?" if close and close[0] != module else ""


def _has_signature(found: object) -> bool:
    try:
        inspect.signature(found)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


def make(
    name: str,
    parameters: Mapping[str, object] | None = None,
    features: Mapping[str, FeatureMap] | None = None,
) -> Policy:
    """Make a policy. `features`, where given, are the only maps that can be filled; a parameter named `features` is
    looked up there. Raises UnknownPolicyError with what is wrong and what would be right."""
    maker = factory(name)
    given = dict(parameters or {})
    accepted = inspect.signature(maker).parameters
    for key in given:
        if key not in accepted:
            close = difflib.get_close_matches(key, accepted, n=1)
            hint = f"did you mean {close[0]}?" if close else f"it takes {', '.join(accepted) or 'none'}"
            raise UnknownPolicyError(f"policy {name} has no parameter {key!r}; {hint}")
    if features is not None and isinstance(wanted := given.get("features"), str):
        if wanted not in features:
            raise UnknownPolicyError(f"policy {name}: no features {wanted!r} here; there are {', '.join(features)}")
        given["features"] = features[wanted]
    try:
        policy = maker(**given)
    except Exception as error:
        what = raised(error) if ":" in name else error
        raise UnknownPolicyError(f"policy {name}: {what}") from error
    if not isinstance(policy, Policy):
        raise UnknownPolicyError(f"policy {name}: the factory returned {type(policy).__name__}, not a Policy")
    return policy.sealed() if name in POLICIES or name in ALIASES else policy


def canonical(name: str, parameters: Mapping[str, object]) -> tuple[str, tuple[tuple[str, object], ...]]:
    """The one spelling of a policy: its alias resolved, and parameters left out that have their default value.

    `linucb`, `linucb-v1` and `linucb` with alpha = 1 are one policy. `features` stays as it is given, because a world
    may have a default of its own; a name that is not known, and a private one, stays as it is.
    """
    known = ALIASES.get(name, name)
    if known not in POLICIES:
        return name, tuple(sorted(parameters.items()))
    defaults = {key: each.default for key, each in inspect.signature(POLICIES[known].factory).parameters.items()}
    given = {k: v for k, v in parameters.items() if k == "features" or k not in defaults or defaults[k] != v}
    return known, tuple(sorted(given.items()))


def policy_hash(policy: Policy) -> str:
    """A hash of all that makes the policy what it is: name, parameters and features."""
    identity = [policy.name, dict(sorted(policy.parameters.items())), policy.features.name, policy.features.names]
    return hashlib.blake2b(json.dumps(identity).encode(), digest_size=8).hexdigest()


def learned_with(policy: Policy) -> dict[str, object]:
    """What the policy's state depends on: two policies can go on from the same state where this is equal."""
    known = POLICIES.get(policy.name)
    free = {"features", *(known.only_choose if known else ())}
    return {
        "policy": policy.name,
        "features": list(policy.features.names),
        **{name: value for name, value in sorted(policy.parameters.items()) if name not in free},
    }
