"""Simulate, compare and serve bandit recommenders: one policy code, in simulation as in service.

All that the command line does has its call here, but for `oo_sim.gate`, which is a module of its own: see
`docs/python.md`. Each name, and each room such as `oo_sim.figures`, is imported when it is first used, so
`import oo_sim` is cheap. Their types stand in `__init__.pyi`.
"""

import lazy_loader

__version__ = "0.1.0"

_ROOMS = [
    *("audit", "entrants", "errors", "experiment", "figures", "fitting", "logs", "page", "results"),
    *("scenario", "settings", "show", "tipbanks", "work"),
]
__getattr__, _, _names = lazy_loader.attach(
    __name__,
    submodules=["gate", *_ROOMS],
    submod_attrs={
        "contract": ["Policy"],
        "experiment": ["merge", "partial", "run", "status"],
        "fitting": ["fit"],
        "logs": ["RunLogError", "open_log"],
        "page": ["report"],
        "policies": ["POLICIES"],
        "results": ["Run", "load_run"],
        "scenario": ["Scenario", "ScenarioError", "load_scenario"],
        "serving.export": ["export_log"],
        "serving.migrate": ["migrate"],
        "studies": ["compare", "evaluate", "sweep"],
        "studies.auditing": ["audit_log"],
        "studies.banks": ["fit_appeal", "generate", "rescore"],
    },
)
__all__ = ["__version__", *(name for name in _names if name not in _ROOMS)]  # noqa: PLE0604 (they are strings)


def __dir__() -> list[str]:
    return sorted(__all__)
