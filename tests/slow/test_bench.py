"""`oo-sim bench` as it is typed: every policy against its naive handler. It takes long, and proves no speed here."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from oo_sim.cli import bench
from oo_sim.policies import POLICIES

pytestmark = pytest.mark.slow


def test_every_learning_policy_is_measured() -> None:
    said = CliRunner().invoke(bench.app, ["--repeats", "1", "--json"])
    assert said.exit_code == 0, said.output
    rows = json.loads(said.stdout)["rows"]
    assert {row["policy"] for row in rows} >= set(POLICIES) - {"random", "oracle"}
    assert all(row["ratio"]["median"] > 1 for row in rows), "no policy is slower than one request at a time"
