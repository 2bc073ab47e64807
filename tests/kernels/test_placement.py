"""`oo_sim.bench.placement`: every kernel is looked at, and one that depends on where its arrays lie is seen."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from oo_sim import kernels
from oo_sim.bench import placement
from oo_sim.contract import F64


def test_every_kernel_that_others_call_is_measured_once() -> None:
    written = [
        f"{path.stem}.{name}"
        for path in sorted(Path(kernels.__file__).parent.glob("*.py"))
        for name in re.findall(r"^@kernel\ndef ([a-z]\w*)\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert len(written) > 50
    assert [f"{kernel.__module__.rpartition('.')[2]}.{kernel.__name__}" for kernel, _ in placement.CASES] == written


@pytest.mark.compiled
def test_every_kernel_takes_what_the_table_gives_it() -> None:
    placed = placement.bench(repeats=1)
    assert len(placed) == len(placement.CASES)
    assert all(each.ratio >= 1.0 and each.microseconds > 0.0 for each in placed)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("gap", [0, 4160])
def test_arrays_keep_what_they_hold_and_lie_as_told(gap: int, backwards: bool) -> None:
    given = [np.arange(6.0).reshape(2, 3), 7, np.ones((0, 3)), np.array([True, False, True]), np.arange(2)]
    out = placement.laid(given, gap, backwards)
    arrays = [each for each in out if isinstance(each, np.ndarray)]
    assert out[1] == 7
    for before, after in zip(given, out, strict=True):
        np.testing.assert_array_equal(before, after)
        assert np.asarray(before).dtype == np.asarray(after).dtype
    starts = [each.__array_interface__["data"][0] for each in arrays]  # of an empty one, ctypes says another
    ends = [(start, start + each.nbytes) for start, each in zip(starts, arrays, strict=True)]
    ends = ends[::-1] if backwards else ends
    assert ends[0][0] % 64 == 0
    for (_, end), (start, _) in pairwise(ends):
        assert gap <= start - end < gap + 8


def touchy(one: F64, two: F64) -> None:
    """As slow as code that a compiler writes for arrays that touch."""
    for _ in range(2000 if one.ctypes.data + one.nbytes == two.ctypes.data else 20):
        pass


def test_a_kernel_that_depends_on_where_its_arrays_lie_is_seen() -> None:
    (found,) = placement.bench(repeats=3, cases=[(touchy, ("n", "n"))])
    assert found.kernel == "test_placement.touchy"
    assert found.ratio > 1.2
