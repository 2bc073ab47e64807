"""Every planted fault is named by the right check, at the first decision that shows it."""

from __future__ import annotations

import pyarrow.compute as pc
import pytest

from oo_sim.audit import audit_tables

from .faults import FAULTS, Fault
from .faulty import LastOnTie
from .simulator import Simulator


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.kind.__name__}-{fault.policy}")
def test_the_right_check_names_the_fault(fault: Fault) -> None:
    simulator = fault.kind(fault.policy, users=6, rounds=40, **fault.parameters)
    report = audit_tables(*simulator.run(), simulator.manifest())
    (found,) = report.policies
    assert not report.refused
    assert not report.clean
    assert found.first is not None
    assert found.first.check == fault.check, report
    assert found.first.t == min(wrong.t for wrong in found.firsts.values())


def test_the_report_names_user_round_and_what_should_be() -> None:
    """One probability is changed, of one decision; the report says which, and what it should have been."""
    simulator = Simulator("egreedy", users=4, rounds=20)
    decided, learned = simulator.run()
    rows = decided.to_pylist()
    row = next(row for row in rows if row["user_id"] == "user-2" and row["t"] == 11)
    row["propensity"] /= 2
    report = audit_tables(decided.from_pylist(rows, decided.schema), learned, simulator.manifest())
    assert report.violations == 1
    first = report.policies[0].first
    assert first is not None
    assert (first.check, first.user_id, first.t, first.replicate) == ("propensity", "user-2", 11, 0)
    assert float(first.expected) == pytest.approx(2 * float(first.logged))
    assert "egreedy: user user-2, replicate 0, decision 12 (t=11): propensity: logged" in str(first)


def test_candidates_that_differ_may_tie_either_way() -> None:
    """Before anything is learned a bonus depends on x alone: candidates due 40 or 41 days ago have the
    same vector, not the same columns, so that serving the later one is no fault.
    """
    simulator = LastOnTie("linucb", users=12, rounds=2)
    decided, learned = simulator.run()
    before = audit_tables(decided, learned, simulator.manifest()).policies[0].checks["tie"].wrong
    rows = decided.to_pylist()
    for row in rows:
        for i, candidate in enumerate(row["candidates"]):
            if candidate["task_age_days"] > 30:
                candidate["task_age_days"] += i
    apart = audit_tables(decided.from_pylist(rows, decided.schema), learned, simulator.manifest())
    assert apart.policies[0].checks["tie"].wrong < before
    assert apart.policies[0].checks["argmax"].wrong == 0
    assert apart.policies[0].checks["features"].wrong == 0


def test_a_harmless_rewrite_raises_no_alarm() -> None:
    """Scores that differ in the last bits, as another order of summing makes them, are no fault."""
    simulator = Simulator("linucb", users=4, rounds=40)
    decided, learned = simulator.run()
    nudged = pc.multiply(decided["score"], 1 + 1e-12)
    decided = decided.set_column(decided.column_names.index("score"), decided.field("score"), nudged)
    assert audit_tables(decided, learned, simulator.manifest()).clean
