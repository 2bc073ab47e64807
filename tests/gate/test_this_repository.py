"""This repository gates itself. After a change that is meant, accept it: `oo-sim gate accept --reason ...`."""

from __future__ import annotations

import pytest

from oo_sim.pytest_plugin import Gate


@pytest.mark.parametrize("policy", ["linucb", "egreedy"])
def test_quickstart(oo_gate: Gate, policy: str) -> None:
    oo_gate.check("quickstart", policy)
