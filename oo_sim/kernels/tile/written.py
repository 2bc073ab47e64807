"""Formulas on packed triangles with every step written out, as the lines of functions of one lane i of a tile S.

A lane's state begins with theta (d rows); then comes A^-1 as its upper triangle, row by row.
"""

from __future__ import annotations

from collections.abc import Sequence

WIDEST = 12
"""Up to so many features, steps are written out; beyond, loops are shorter to compile than they are slower."""
_LANES = 64


def _triangle(d: int) -> dict[tuple[int, int], int]:
    """Where the entries of a symmetric matrix stand in its packed upper triangle, both halves."""
    place: dict[tuple[int, int], int] = {}
    for a in range(d):
        for b in range(a, d):
            place[a, b] = place[b, a] = len({(min(k), max(k)) for k in place})
    return place


def _row(number: int) -> str:
    return f"S[{number * _LANES} + i]"


def _assigned(x: Sequence[str]) -> list[str]:
    return [f"    x{a} = {value}" for a, value in enumerate(x)]


def mean(x: Sequence[str], theta: int) -> list[str]:
    """x' theta of candidate k, whose features are the expressions x; theta stands from row `theta` on."""
    lines = ["def mean(S: F64, k: int, i: int) -> Any:", '    """x\' theta of candidate k: `ridge.ridge_mean`."""']
    lines += [*_assigned(x), "    total = 0.0"]
    lines += [f"    total += x{a} * {_row(theta + a)}" for a in range(len(x))]
    return [*lines, "    return total"]


def quadratic(x: Sequence[str], inverse: int) -> list[str]:
    """x' A^-1 x of candidate k; the inverse stands from row `inverse` on."""
    lines = ["def quadratic(S: F64, k: int, i: int) -> Any:"]
    lines += ['    """x\' A^-1 x of candidate k: `ridge.ridge_variance`."""', *_assigned(x), "    half = 0.0"]
    at = _triangle(len(x))
    for a in range(len(x)):
        lines.append(f"    row = 0.5 * {_row(inverse + at[a, a])} * x{a}")
        lines += [f"    row += {_row(inverse + at[a, b])} * x{b}" for b in range(a + 1, len(x))]
        lines.append(f"    half += row * x{a}")
    return [*lines, "    return 2.0 * half"]


def learned(d: int, at: dict[str, int]) -> list[str]:
    """Learn the reward GOT of the features X where LEARNED."""
    row = {key: at["STATE"] + d + place for key, place in _triangle(d).items()}
    theta = [_row(at["STATE"] + a) for a in range(d)]
    lines = ["def learned(S: F64, i: int) -> None:", '    """`ridge.ridge_update`."""']
    lines += [f"    x{a} = {_row(at['X'] + a)}" for a in range(d)]
    for a in range(d):
        lines.append(f"    v{a} = {_row(row[a, 0])} * x0")
        lines += [f"    v{a} += {_row(row[a, b])} * x{b}" for b in range(1, d)]
    lines.append(f"    gain, error = 1.0, {_row(at['GOT'])}")
    for a in range(d):
        lines += [f"    gain += x{a} * v{a}", f"    error -= x{a} * {theta[a]}"]
    lines.append(f"    learn = {_row(at['LEARNED'])} > 0.0")
    lines += ["    gain = 1.0 / gain if learn else 0.0", "    error = gain * error if learn else 0.0"]
    for a in range(d):
        lines.append(f"    {theta[a]} += error * v{a}")
        lines += [f"    {_row(row[a, c])} -= gain * v{a} * v{c}" for c in range(a, d)]
    return lines


def sampled(d: int, at: dict[str, int]) -> list[str]:
    """theta + L z into the rows of SAMPLE, for L in FACTOR and z in NORMAL."""
    place = _triangle(d)
    lines = ["def sampled(S: F64, i: int) -> None:", '    """`ridge.times_factor`."""']
    lines += [f"    z{a} = {_row(at['NORMAL'] + a)}" for a in range(d)]
    for b in range(d):
        lines.append(f"    theta = {_row(at['STATE'] + b)}")
        lines += [f"    theta += {_row(at['FACTOR'] + place[a, b])} * z{a}" for a in range(b + 1)]
        lines.append(f"    {_row(at['SAMPLE'] + b)} = theta")
    return [*lines, *(["    pass"] if not d else [])]


def times_inverse(d: int, at: dict[str, int]) -> list[str]:
    """A^-1 x into the rows of V, for the features X."""
    row = {key: at["STATE"] + d + place for key, place in _triangle(d).items()}
    lines = ["def multiplied(S: F64, i: int) -> None:", '    """`ridge.times_inverse`."""']
    lines += [f"    x{a} = {_row(at['X'] + a)}" for a in range(d)]
    for a in range(d):
        lines.append(f"    v = {_row(row[a, 0])} * x0")
        lines += [f"    v += {_row(row[a, b])} * x{b}" for b in range(1, d)]
        lines.append(f"    {_row(at['V'] + a)} = v")
    return [*lines, *(["    pass"] if not d else [])]


def shrunk(d: int, at: dict[str, int]) -> list[str]:
    """theta + step v, and A^-1 - gain v v', for v in V."""
    place = _triangle(d)
    lines = ["def added(S: F64, i: int, gain: float, step: float) -> None:"]
    lines.append('    """theta + step v, and A^-1 - gain v v\': `weighted._shrink`."""')
    lines += [f"    v{a} = {_row(at['V'] + a)}" for a in range(d)]
    for a in range(d):
        lines.append(f"    {_row(at['STATE'] + a)} += step * v{a}")
        rows = [(_row(at["STATE"] + d + place[a, c]), c) for c in range(a, d)]
        lines += [f"    {row} -= gain * v{a} * v{c}" for row, c in rows]
    return [*lines, *(["    pass"] if not d else [])]


def factored(d: int, at: dict[str, int]) -> list[str]:
    """The Cholesky factor of A^-1 into the rows of FACTOR."""
    place, inverse = _triangle(d), at["STATE"] + d
    lines = ["def factored(S: F64, i: int) -> None:", '    """`ridge.cholesky`."""']
    for a in range(d):
        for b in range(a, d):
            lines.append(f"    f{a}_{b} = {_row(inverse + place[a, b])}")
            lines += [f"    f{a}_{b} -= f{c}_{a} * f{c}_{b}" for c in range(a)]
            lines.append(f"    f{a}_{b} = np.sqrt(f{a}_{b})" if a == b else f"    f{a}_{b} /= f{a}_{a}")
            lines.append(f"    {_row(at['FACTOR'] + place[a, b])} = f{a}_{b}")
    return [*lines, *(["    pass"] if not d else [])]
