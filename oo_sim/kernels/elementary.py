"""exp, log and the normal quantile as fixed sequences of IEEE operations, so that their bits agree between machines.

A libm differs between systems and versions in the last bit, and one bit can turn a decision.
"""

from __future__ import annotations

import numpy as np

from oo_sim.contract import F64
from oo_sim.kernels.compile import kernel, scalar

_LOG2E = 1.4426950408889634
_LN2_HIGH = 0.6931471803691238  # 32 bits of ln 2, so that n * _LN2_HIGH is exact
_LN2_LOW = 1.9082149292705877e-10
_ROUND = 6755399441055744.0  # 1.5 * 2^52: adding and subtracting it rounds to the nearest integer
_ROUND_BITS = np.int64(0x4338000000000000)
_ONE_BITS = np.int64(0x3FF0000000000000)
_EXPONENT_LIMIT = 708.0
_SQRT_HALF_BITS = np.int64(0x3FE6A09E667F3BCD)
_MANTISSA = np.int64(52)
SMALLEST = 2.0**-54
NEAR = 0.49999999998  # from 1/2: within, both tails are above e^-25 = 1.39e-11


@scalar
def exp_within(x: float) -> float:
    """e^x with relative error below 1e-15, for -708 <= x <= 708 only.

    Cody-Waite reduction x = n ln 2 + r, |r| <= 0.347, then the Taylor polynomial of degree 12 (remainder < 2e-16),
    evaluated by Estrin's scheme, which keeps its chain of operations short.
    """
    shifted = x * _LOG2E + _ROUND
    n = shifted - _ROUND
    r = (x - n * _LN2_HIGH) - n * _LN2_LOW
    r2 = r * r
    r4 = r2 * r2
    low = (1.0 + r) + r2 * (0.5 + 0.16666666666666666 * r)
    middle = (0.041666666666666664 + 0.008333333333333333 * r) + r2 * (0.001388888888888889 + 0.0001984126984126984 * r)
    high = (2.48015873015873e-05 + 2.7557319223985893e-06 * r) + r2 * (
        2.755731922398589e-07 + 2.505210838544172e-08 * r + r2 * 2.08767569878681e-09
    )
    bits = ((np.float64(shifted).view(np.int64) - _ROUND_BITS) << _MANTISSA) + _ONE_BITS
    return (low + r4 * (middle + r4 * high)) * np.int64(bits).view(np.float64)


@scalar
def exp(x: float) -> float:
    """e^x with relative error below 1e-15; arguments beyond -708 and 708 are taken as those bounds."""
    return exp_within(min(max(x, -_EXPONENT_LIMIT), _EXPONENT_LIMIT))


@scalar
def log(x: float) -> float:
    """ln x for normal positive x, absolute error below 1e-15 max(1, |ln x|).

    x = 2^n m with sqrt(1/2) <= m < sqrt(2); ln m = 2 artanh(s), s = (m - 1) / (m + 1), as its odd series.
    """
    bits = np.float64(x).view(np.int64)
    n = (bits - _SQRT_HALF_BITS) >> _MANTISSA
    m = np.int64(bits - (n << _MANTISSA)).view(np.float64)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    p = 1.0 / 21.0
    p = p * z + 1.0 / 19.0
    p = p * z + 1.0 / 17.0
    p = p * z + 1.0 / 15.0
    p = p * z + 1.0 / 13.0
    p = p * z + 1.0 / 11.0
    p = p * z + 1.0 / 9.0
    p = p * z + 1.0 / 7.0
    p = p * z + 1.0 / 5.0
    p = p * z + 1.0 / 3.0
    p = p * z + 1.0
    return np.float64(n) * _LN2_HIGH + (2.0 * s * p + np.float64(n) * _LN2_LOW)


@scalar
def near_quantile(p: float) -> float:
    """AS 241 where both tails are at least e^-25: the rationals of the centre, |p - 1/2| <= 0.425, and of the tails as
    one, whose coefficients the region picks. A selection vectorises, a branch would not."""
    q = p - 0.5
    central = abs(q) <= 0.425
    tail = p if q < 0.0 else 1.0 - p
    r = 0.180625 - q * q if central else np.sqrt(-log(tail)) - 1.6
    a = 2509.0809287301226727 if central else 7.7454501427834140764e-4
    a = a * r + (33430.575583588128105 if central else 0.0227238449892691845833)
    a = a * r + (67265.770927008700853 if central else 0.24178072517745061177)
    a = a * r + (45921.953931549871457 if central else 1.27045825245236838258)
    a = a * r + (13731.693765509461125 if central else 3.64784832476320460504)
    a = a * r + (1971.5909503065514427 if central else 5.7694972214606914055)
    a = a * r + (133.14166789178437745 if central else 4.6303378461565452959)
    a = a * r + (3.387132872796366608 if central else 1.42343711074968357734)
    b = 5226.495278852545925 if central else 1.05075007164441684324e-9
    b = b * r + (28729.085735721942674 if central else 5.475938084995344946e-4)
    b = b * r + (39307.89580009271061 if central else 0.0151986665636164571966)
    b = b * r + (21213.794301586595867 if central else 0.14810397642748007459)
    b = b * r + (5394.1960214247511077 if central else 0.68976733498510000455)
    b = b * r + (687.1870074920579083 if central else 1.6763848301838038494)
    b = b * r + (42.313330701600911252 if central else 2.05319162663775882187)
    b = b * r + 1.0
    value = (q if central else 1.0) * a / b
    return -value if q < 0.0 and not central else value


@scalar
def _far_tail(r: float) -> float:
    """AS 241's rational for the tails beyond r = 5."""
    r = r - 5.0
    a = 2.01033439929228813265e-7
    a = a * r + 2.71155556874348757815e-5
    a = a * r + 0.0012426609473880784386
    a = a * r + 0.026532189526576123093
    a = a * r + 0.29656057182850489123
    a = a * r + 1.7848265399172913358
    a = a * r + 5.4637849111641143699
    a = a * r + 6.6579046435011037772
    b = 2.04426310338993978564e-15
    b = b * r + 1.4215117583164458887e-7
    b = b * r + 1.8463183175100546818e-5
    b = b * r + 7.868691311456132591e-4
    b = b * r + 0.0148753612908506148525
    b = b * r + 0.13692988092273580531
    b = b * r + 0.59983220655588793769
    b = b * r + 1.0
    return a / b


@scalar
def far_or(p: float, near: float) -> float:
    """The quantile of a p in a far tail, and `near`, which `near_quantile` gave, of any other."""
    p = max(p, SMALLEST)
    r = np.sqrt(-log(min(p, 1.0 - p)))
    far = _far_tail(r)
    return near if r <= 5.0 else -far if p < 0.5 else far


@scalar
def normal_quantile(p: float) -> float:
    """The standard normal quantile of p in [0, 1), relative error below 1e-14 (Wichura 1988, AS 241, PPND16).

    p is taken as at least 2^-54, half of the smallest positive uniform, so that no draw is infinite.
    """
    return far_or(p, near_quantile(max(p, SMALLEST)))


@kernel
def normals(uniform: F64, out: F64) -> None:
    """Standard normal draws from uniforms, both (count, n). Two arrays: in place, the loop would not be vectorised.

    Rows with a draw in a far tail, which are one in ten million, are gone through again.
    """
    count, n = out.shape
    for j in range(count):
        far = 0
        for i in range(n):
            far += 1 if abs(uniform[j, i] - 0.5) > NEAR else 0
            out[j, i] = near_quantile(max(uniform[j, i], SMALLEST))
        if far > 0:
            for i in range(n):
                out[j, i] = far_or(uniform[j, i], out[j, i])
