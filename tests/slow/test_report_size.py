"""The report of three shipped scenarios as they ship, with every figure there is: small enough to send by mail."""

from __future__ import annotations

from pathlib import Path

import pytest

import oo_sim
from oo_sim.page import report_html

pytestmark = pytest.mark.slow


def test_three_shipped_scenarios_in_one_file(tmp_path: Path) -> None:
    names = ("quickstart", "commuters", "llm_tips")
    runs = [oo_sim.run(name, events=True, out=tmp_path / name, plot=False) for name in names]
    page = report_html(runs)
    assert len(page.encode()) < 3_000_000
    assert page.count("<img") == 7 * len(names)  # six of each run, and the differences
    assert "<script" not in page
