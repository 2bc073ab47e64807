"""Simulate, compare and serve bandit recommenders: one policy code, in simulation as in service.

What is used most can be had from here; each name is imported when it is first used, so `import oo_sim` is cheap.
Their types stand in `__init__.pyi`.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "POLICIES": ("oo_sim.policies", "POLICIES"),
    "Policy": ("oo_sim.contract", "Policy"),
    "Run": ("oo_sim.results", "Run"),
    "RunLogError": ("oo_sim.logs", "RunLogError"),
    "Scenario": ("oo_sim.scenario", "Scenario"),
    "ScenarioError": ("oo_sim.scenario", "ScenarioError"),
    "compare": ("oo_sim.studies", "compare"),
    "evaluate": ("oo_sim.studies", "evaluate"),
    "fit": ("oo_sim.fitting", "fit"),
    "load_run": ("oo_sim.results", "load_run"),
    "load_scenario": ("oo_sim.scenario", "load"),
    "run": ("oo_sim.experiment", "run"),
    "sweep": ("oo_sim.studies", "sweep"),
}

__all__ = [
    "POLICIES",
    "Policy",
    "Run",
    "RunLogError",
    "Scenario",
    "ScenarioError",
    "__version__",
    "compare",
    "evaluate",
    "fit",
    "load_run",
    "load_scenario",
    "run",
    "sweep",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
