"""Simulate, compare and serve bandit recommenders: one policy code, in simulation as in service.

What is used most can be had from here; each name is imported when it is first used, so `import oo_sim` is cheap.
Their types stand in `__init__.pyi`.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, _, _names = lazy_loader.attach(
    __name__,
    submod_attrs={
        "contract": ["Policy"],
        "experiment": ["run"],
        "fitting": ["fit"],
        "logs": ["RunLogError"],
        "policies": ["POLICIES"],
        "results": ["Run", "load_run"],
        "scenario": ["Scenario", "ScenarioError", "load_scenario"],
        "studies": ["compare", "evaluate", "sweep"],
    },
)
__all__ = ["__version__", *_names]  # noqa: PLE0604 (they are strings)


def __dir__() -> list[str]:
    return sorted(__all__)
