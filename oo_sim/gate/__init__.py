"""A gate for CI: what policies did is recorded as baselines, and a change that makes one worse or wrong is
reported.

Each name is imported when it is first used (types stand in `__init__.pyi`): pytest imports this package in every run,
also where nobody uses the gate.
"""

import lazy_loader

from oo_sim.errors import GateError

__getattr__, __dir__, _names = lazy_loader.attach(
    __name__,
    submod_attrs={
        "accepting": ["Acceptance", "accept"],
        "baseline": ["DIRECTORY", "read"],
        "checking": ["check"],
        "drawing": ["picture"],
        "judge": ["POWER"],
        "matrix": ["accept_matrix", "check_matrix", "record_matrix"],
        "output": ["github_annotations", "junit", "lines", "markdown"],
        "recording": ["record"],
        "results": ["Case", "MatrixReport", "Report", "ServedReport", "Verdict"],
    },
)
__all__ = ["GateError", *_names]  # noqa: PLE0604 (they are strings)
