"""Simulate, compare and serve bandit recommenders: one policy code, in simulation as in service.

What is used most can be had from here; each name is imported when it is first used, so `import oo_sim` is cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oo_sim.contract import Policy
    from oo_sim.experiment import run
    from oo_sim.policies import POLICIES
    from oo_sim.report import Run, load_run
    from oo_sim.runlog import RunLogError
    from oo_sim.scenario import Scenario, ScenarioError
    from oo_sim.scenario import load as load_scenario

__version__ = "0.1.0"

_HOMES = {
    "POLICIES": ("oo_sim.policies", "POLICIES"),
    "Policy": ("oo_sim.contract", "Policy"),
    "Run": ("oo_sim.report", "Run"),
    "RunLogError": ("oo_sim.runlog", "RunLogError"),
    "Scenario": ("oo_sim.scenario", "Scenario"),
    "ScenarioError": ("oo_sim.scenario", "ScenarioError"),
    "load_run": ("oo_sim.report", "load_run"),
    "load_scenario": ("oo_sim.scenario", "load"),
    "run": ("oo_sim.experiment", "run"),
}

__all__ = [
    "POLICIES",
    "Policy",
    "Run",
    "RunLogError",
    "Scenario",
    "ScenarioError",
    "__version__",
    "load_run",
    "load_scenario",
    "run",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
