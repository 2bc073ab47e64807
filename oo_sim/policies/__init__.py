"""Policies, one short file each, and the registry of their names."""

from oo_sim.policies.identity import learned_with, policy_hash
from oo_sim.policies.registry import ALIASES, POLICIES, UnknownPolicyError, factory, make

__all__ = ["ALIASES", "POLICIES", "UnknownPolicyError", "factory", "learned_with", "make", "policy_hash"]
