"""exp, log and the normal quantile against 60-digit decimal arithmetic: an independent reference on every machine."""

from __future__ import annotations

import decimal
import math
from decimal import Decimal

import numpy as np
import pytest
from scipy import stats

from oo_sim.contract import F64
from oo_sim.kernels.elementary import exp, log, normal_quantile, normals

CONTEXT = decimal.Context(prec=60)
SMALLEST_UNIFORM = 2.0**-53
PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459")


def relative(got: float, want: Decimal) -> float:
    return float(abs((Decimal(got) - want) / want))


def exp_arguments() -> F64:
    """Random ones, the ends, and where the reduction by ln 2 changes over."""
    g = np.random.default_rng(1)
    seams = (np.arange(-200, 200) + 0.5) * math.log(2.0)
    return np.concatenate(
        [
            g.uniform(-708, 708, 1500),
            g.uniform(-3, 3, 1500),
            seams,
            np.nextafter(seams, 0),
            [-708.0, 708.0, 1e-300, 5e-17],
        ]
    )


def test_exp_is_within_1e_15() -> None:
    """Measured: 1.6e-16 at worst."""
    worst = max(relative(exp(x), CONTEXT.exp(Decimal(x))) for x in exp_arguments().tolist())
    assert worst < 1e-15


def test_exp_of_zero_and_beyond_its_bounds() -> None:
    assert exp(0.0) == exp(-0.0) == 1.0
    assert exp(1e9) == exp(math.inf) == exp(708.0) < math.inf
    assert exp(-1e9) == exp(-math.inf) == exp(-708.0) > 0.0


def test_exp_rises() -> None:
    """Steps of 1e-12 are far above its error, so each must raise it, at the seams of the reduction as well."""
    seams = (np.arange(-40, 40) + 0.5) * math.log(2.0)
    for x in seams.tolist():
        steps = [exp(x + j * max(1e-12, 1e-12 * abs(x))) for j in range(-20, 21)]
        assert steps == sorted(steps)
        assert steps[0] < steps[-1]


def log_arguments() -> F64:
    g = np.random.default_rng(2)
    near_one = 1.0 + g.uniform(-1e-3, 1e-3, 500)
    powers = 2.0 ** g.integers(-1020, 1020, 500) * g.uniform(1, 2, 500)
    seam = math.sqrt(0.5) * np.array([1.0, 2.0, 4.0]) * (1 + np.array([[-1e-15], [0.0], [1e-15]]))
    return np.concatenate([near_one, powers, g.random(500), seam.ravel(), [2.0**-54, 2.0**-1022, 1.7e308]])


def test_log_is_within_1e_15() -> None:
    """Measured: 1.5e-16 at worst, relative to max(1, |ln x|)."""
    for x in log_arguments().tolist():
        want = CONTEXT.ln(Decimal(x))
        assert abs(Decimal(log(x)) - want) < Decimal("1e-15") * max(Decimal(1), abs(want))
    assert log(1.0) == 0.0


def test_log_undoes_exp() -> None:
    for x in np.linspace(-700, 700, 1001).tolist():
        assert math.isclose(log(exp(x)), x, rel_tol=1e-15, abs_tol=4e-16)


def distribution(z: Decimal) -> tuple[Decimal, Decimal]:
    """Phi(z) and phi(z): 1/2 + phi(z) (z + z^3/3 + z^5/15 + ...), Abramowitz & Stegun 26.2.11."""
    density = CONTEXT.exp(-z * z / 2) / CONTEXT.sqrt(2 * PI)
    term = total = z
    k = 1
    while abs(term) > abs(total) * Decimal(10) ** -55:
        k += 2
        term = CONTEXT.divide(CONTEXT.multiply(term, z * z), Decimal(k))
        total = CONTEXT.add(total, term)
    return CONTEXT.add(Decimal("0.5"), CONTEXT.multiply(density, total)), density


def quantile_error(p: float) -> float:
    """The relative error of the quantile of p, by one Newton step from it in exact arithmetic."""
    with decimal.localcontext(CONTEXT):
        z = Decimal(normal_quantile(p))
        mass, density = distribution(z)
        return float(abs((mass - Decimal(p)) / density / z))


def test_normal_quantile_is_within_1e_14() -> None:
    """All three branches (seams at |p - 1/2| = 0.425 and p = e^-25), both tails. Measured: 6e-16 at worst."""
    g = np.random.default_rng(3)
    seams = [0.075, 0.925, math.exp(-25.0)]
    edges = [s * (1 + e) for s in seams for e in (-1e-12, 0.0, 1e-12)]
    tails = 2.0 ** -g.uniform(1, 54, 300)
    near_half = 0.5 + np.array([1.0, -1.0]) * np.array([[1e-3], [1e-8], [1e-15]])
    ends = [2.0**-54, SMALLEST_UNIFORM, 1.0 - SMALLEST_UNIFORM]
    p = [*g.uniform(0, 1, 300), *tails, *(1.0 - tails[tails > 1e-15]), *edges, *near_half.ravel(), *ends]
    assert max(quantile_error(float(x)) for x in p) < 1e-14


def test_normal_quantile_is_odd_bit_for_bit() -> None:
    p = np.random.default_rng(4).integers(1, 2**52, 2000) * SMALLEST_UNIFORM
    assert [normal_quantile(x) for x in p.tolist()] == [-normal_quantile(x) for x in (1.0 - p).tolist()]
    assert normal_quantile(0.5) == 0.0


def test_normal_quantile_is_finite_at_the_ends_of_the_uniforms() -> None:
    lowest, highest = normal_quantile(0.0), normal_quantile(1.0 - SMALLEST_UNIFORM)
    assert lowest == normal_quantile(SMALLEST_UNIFORM / 2) < normal_quantile(SMALLEST_UNIFORM) == -highest
    assert -9.0 < lowest < -8.2


def test_normal_quantile_rises() -> None:
    p = np.sort(
        np.concatenate(
            [s * (1 + np.arange(-50, 51) * 1e-12) for s in (0.075, 0.925, 0.2, math.exp(-25.0))]
            + [np.linspace(0, 1, 2000, endpoint=False), 2.0 ** -np.arange(1.0, 54.0)]
        )
    )
    z = np.array([normal_quantile(x) for x in np.unique(p).tolist()])
    assert (np.diff(z) >= 0).all()


def test_normals_are_quantiles_and_normal() -> None:
    """Kolmogorov-Smirnov on the midpoints of equal cells: off by half a cell at most, and no randomness in it."""
    cells = 1000
    uniform = ((np.arange(cells) + 0.5) / cells).reshape(2, -1)
    out = np.empty_like(uniform)
    normals(uniform, out)
    assert out[1, 7] == normal_quantile(uniform[1, 7])
    assert stats.kstest(out.ravel(), "norm").statistic == pytest.approx(0.5 / cells, rel=1e-9)


@pytest.mark.parametrize("far", [0.0, 1e-15, 1.3e-11, 1.5e-11, 1.0 - 1e-13, SMALLEST_UNIFORM])
def test_normals_are_quantiles_in_rows_with_a_far_tail_too(far: float) -> None:
    """The whole row is the one formula, bit for bit, wherever the far draw stands in it and whatever its neighbours."""
    uniform = np.random.default_rng(5).random((3, 37))
    uniform[:, ::9] = [[math.exp(-25.0), 0.075, 0.925, 0.5, SMALLEST_UNIFORM]] * np.array([[1.0], [0.5], [0.999]])
    for place in (0, 17, 36):
        row = uniform.copy()
        row[1, place] = far
        out = np.empty_like(row)
        normals(row, out)
        assert out.tolist() == [[normal_quantile(p) for p in each] for each in row.tolist()]
