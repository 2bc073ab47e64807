"""The pytest fixture `oo_gate`: a test passes while a policy does no worse than its recorded baseline.

    def test_policy(oo_gate):
        oo_gate.check("quickstart", "linucb")

pytest imports this module in every run, so it imports nothing heavy before the fixture is used.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import oo_sim

if TYPE_CHECKING:
    from oo_sim.contract import Policy
    from oo_sim.gate import Report
    from oo_sim.scenario import Scenario

_BASELINES, _STRICT = "oo_gate_baselines", "oo_gate_strict"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The ini options: where baselines are kept, and whether changed bits fail."""
    parser.addini(_BASELINES, "the directory of oo-sim's baselines, from pytest's root directory", default="")
    parser.addini(_STRICT, "whether bits that changed fail until they are accepted (true, false)", default="")


class Gate:
    """Checks policies against the baselines in a directory."""

    def __init__(self, root: Path, directory: str = "", strict: str = "") -> None:
        said = {"baselines": directory, "strict": strict.lower() == "true" if strict else ""}
        self.root, self._given = root, {key: value for key, value in said.items() if value != ""}

    def check(self, scenario: str | Path | Scenario, *policies: str | Policy) -> Report:
        """Fail the test unless each policy (of all that were recorded) is identical, equivalent or improved.

        A scenario is the name of a shipped one, or a file from pytest's root directory. Fails too where there is no
        baseline, or it is of another environment. Warns, with the first decision that differs, where bits changed and
        the statistics pass.
        """
        __tracebackhide__ = True
        report, refusal = None, ""
        try:
            said = oo_sim.settings.settings(self.root, self._given)
            report = oo_sim.gate.check(
                said.scenario(str(scenario)) if isinstance(scenario, str | Path) else scenario,
                policies=policies or None,
                directory=said.baselines,
                workers=said.workers,
                strict=said.strict,
            )
        except oo_sim.errors.OoSimError as error:
            refusal = str(error)
        if report is None or report.exit_code:  # outside of the handler, so that the message stands there once
            pytest.fail(refusal if report is None else "\n".join(oo_sim.gate.lines(report)), pytrace=False)
        for case in report.cases:
            if case.change:
                warnings.warn(f"oo-sim gate: {case.name}: {case.verdict}, yet {case.change}", stacklevel=2)
        return report


@pytest.fixture(scope="session")
def oo_gate(pytestconfig: pytest.Config) -> Gate:
    """Checks policies against their recorded baselines: `oo_gate.check("quickstart", "linucb")`."""
    ini = pytestconfig.getini
    return Gate(pytestconfig.rootpath, ini(_BASELINES), ini(_STRICT))
