"""What statistics say of fixed outcomes is recorded, and a change of it shows with both values."""

from __future__ import annotations

import pytest

from oo_sim.gate.numbers import numbers, other


def test_numbers_are_the_same_again_and_a_change_shows() -> None:
    before = numbers()
    assert len(before) > 100
    assert not list(other(before, numbers()))
    rounded = before | {"mean.lower": (before["mean.lower"] or 0.0) * (1 + 1e-8)}
    assert not list(other(before, rounded))
    changed = before | {"mean.lower": 0.25, "wilson.upper": None}
    assert [name for name, _, _ in other(before, changed)] == ["mean.lower", "wilson.upper"]


@pytest.mark.parametrize("statistic", ["paired", "band", "together", "sequence", "iqm", "power"])
def test_each_statistic_is_in_it(statistic: str) -> None:
    assert any(name.startswith(f"{statistic}.") for name in numbers())
