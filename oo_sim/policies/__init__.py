"""Policies, one short file each, and the registry that says of each what others need to know."""

from oo_sim.errors import UnknownPolicyError
from oo_sim.policies.registry import (
    ALIASES,
    POLICIES,
    Entry,
    canonical,
    factory,
    learned_with,
    make,
    policy_hash,
    with_model,
)

__all__ = [
    "ALIASES",
    "POLICIES",
    "Entry",
    "UnknownPolicyError",
    "canonical",
    "factory",
    "learned_with",
    "make",
    "policy_hash",
    "with_model",
]
