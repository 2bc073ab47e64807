"""What makes a policy what it is, and what its state depends on, as plain data that can be stored and compared."""

from __future__ import annotations

import hashlib
import json

from oo_sim.contract import Policy

_ONLY_CHOOSE = {
    "linucb": {"alpha"},
    "egreedy": {"epsilon", "decay", "schedule"},
    "softmax": {"temperature"},
    "squarecb": {"gamma", "exponent"},
    "thompson": {"scale", "samples"},
    "logistic_ts": {"scale", "samples"},
    "linucb_disjoint": {"alpha"},
    "linucb_hybrid": {"alpha"},
    "dlinucb": {"alpha"},
    "swlinucb": {"alpha"},
    "restart_linucb": {"alpha"},
}
"""Parameters that shape choices alone. Every other one, and all of a private policy's, may shape what is learned."""


def policy_hash(policy: Policy) -> str:
    """A hash of all that makes the policy what it is: name, parameters and features."""
    identity = [policy.name, dict(sorted(policy.parameters.items())), policy.features.name, policy.features.names]
    return hashlib.blake2b(json.dumps(identity).encode(), digest_size=8).hexdigest()


def learned_with(policy: Policy) -> dict[str, object]:
    """What the policy's state depends on: two policies can go on from the same state where this is equal."""
    free = _ONLY_CHOOSE.get(policy.name, set())
    return {
        "policy": policy.name,
        "features": list(policy.features.names),
        **{name: value for name, value in sorted(policy.parameters.items()) if name not in {*free, "features"}},
    }
