"""Names of policies: the built-in ones, their aliases on the wire, and `module:factory` for private ones."""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable, Mapping

from oo_sim.contract import FeatureMap, Policy
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

POLICIES: dict[str, Factory] = {
    "linucb": linucb,
    "egreedy": egreedy,
    "greedy": greedy,
    "thompson": thompson,
    "softmax": softmax,
    "squarecb": squarecb,
    "bootstrap_ts": bootstrap_ts,
    "logistic_ts": logistic_ts,
    "linucb_disjoint": linucb_disjoint,
    "linucb_hybrid": linucb_hybrid,
    "dlinucb": dlinucb,
    "swlinucb": swlinucb,
    "restart_linucb": restart_linucb,
    "random": random,
    "oracle": oracle,
}
"""Every built-in policy by name: a function of its parameters."""

ALIASES = {"linucb-v1": "linucb", "egreedy-v1": "egreedy"}
"""Names on the wire."""


class UnknownPolicyError(ValueError):
    """A policy cannot be made: no such name, no such parameter, or a parameter out of range."""


def factory(name: str) -> Factory:
    """The function that makes the policy `name`: a built-in one, an alias, or `module:factory`."""
    if ":" in name:
        return _private(name)
    known = ALIASES.get(name, name)
    if known not in POLICIES:
        close = difflib.get_close_matches(name, [*POLICIES, *ALIASES], n=1)
        hint = f"did you mean {close[0]}?" if close else f"choose one of {', '.join(POLICIES)}"
        raise UnknownPolicyError(f"there is no policy {name!r}; {hint} (a private one is module:factory)")
    return POLICIES[known]


def _private(name: str) -> Factory:
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        raise UnknownPolicyError(f"policy {name}: cannot import {module}: {error}") from error
    except AttributeError as error:
        raise UnknownPolicyError(f"policy {name}: module {module} has no {attribute!r}") from error
    except Exception as error:
        raise UnknownPolicyError(f"policy {name}: importing {module} raised {type(error).__name__}: {error}") from error
    if not callable(found) or not _has_signature(found):
        raise UnknownPolicyError(
            f"policy {name}: {attribute} is {type(found).__name__}, not a Python function that makes a Policy"
        )
    factory: Factory = found
    return factory


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
        raise UnknownPolicyError(f"policy {name}: {error}") from error
    if not isinstance(policy, Policy):
        raise UnknownPolicyError(f"policy {name}: the factory returned {type(policy).__name__}, not a Policy")
    return policy
