"""The pytest fixture `oo_gate`: a test passes while a policy does no worse than its recorded baseline.

    def test_policy(oo_gate):
        oo_gate.check("quickstart", "linucb")

pytest imports this module in every run, so it imports nothing else before the fixture is used.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from oo_sim.contract import Policy
    from oo_sim.gate import Report
    from oo_sim.scenario import Scenario

_BASELINES = "oo_gate_baselines"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The ini option that says where baselines are kept."""
    parser.addini(
        _BASELINES, "the directory of oo-sim's baselines, from pytest's root directory", default="scenarios/baselines"
    )


class Gate:
    """Checks policies against the baselines in a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def check(self, scenario: str | Path | Scenario, *policies: str | Policy) -> Report:
        """Fail the test unless each policy (of all that were recorded) is identical, equivalent or improved.

        Fails too where there is no baseline, or it is of another environment.
        """
        __tracebackhide__ = True
        from oo_sim.gate import GateError, check, lines  # noqa: PLC0415 (so that pytest starts fast)

        report, refusal = None, ""
        try:
            report = check(scenario, policies=policies or None, directory=self.directory)
        except GateError as error:
            refusal = str(error)
        if report is None or report.exit_code:  # outside of the handler, so that the message stands there once
            pytest.fail(refusal if report is None else "\n".join(lines(report)), pytrace=False)
        return report


@pytest.fixture(scope="session")
def oo_gate(pytestconfig: pytest.Config) -> Gate:
    """Checks policies against their recorded baselines: `oo_gate.check("quickstart", "linucb")`."""
    return Gate(pytestconfig.rootpath / pytestconfig.getini(_BASELINES))
