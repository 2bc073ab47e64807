"""A gate for CI: what policies did is recorded as baselines, and a change that makes one worse or wrong is
reported.

Each name is imported when it is first used: pytest imports this package in every run, also where nobody uses the gate.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from oo_sim.errors import GateError

if TYPE_CHECKING:
    from oo_sim.gate.accepting import Acceptance, accept
    from oo_sim.gate.baseline import DIRECTORY
    from oo_sim.gate.checking import check
    from oo_sim.gate.drawing import picture
    from oo_sim.gate.judge import POWER
    from oo_sim.gate.matrix import accept_matrix, check_matrix, record_matrix
    from oo_sim.gate.output import github_annotations, junit, lines, markdown
    from oo_sim.gate.recording import record
    from oo_sim.gate.results import Case, MatrixReport, Report, Verdict

_HOMES = {
    "DIRECTORY": "baseline",
    "POWER": "judge",
    "MatrixReport": "results",
    "accept_matrix": "matrix",
    "check_matrix": "matrix",
    "record_matrix": "matrix",
    "Acceptance": "accepting",
    "Case": "results",
    "Report": "results",
    "Verdict": "results",
    "accept": "accepting",
    "check": "checking",
    "github_annotations": "output",
    "junit": "output",
    "lines": "output",
    "markdown": "output",
    "picture": "drawing",
    "record": "recording",
}

__all__ = [
    "DIRECTORY",
    "POWER",
    "Acceptance",
    "Case",
    "GateError",
    "MatrixReport",
    "Report",
    "Verdict",
    "accept",
    "accept_matrix",
    "check",
    "check_matrix",
    "github_annotations",
    "junit",
    "lines",
    "markdown",
    "picture",
    "record",
    "record_matrix",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
