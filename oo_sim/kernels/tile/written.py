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
    entries = [(a, b) for a in range(d) for b in range(a, d)]
    return {key: place for place, (a, b) in enumerate(entries) for key in ((a, b), (b, a))}


def _steps(d: int, lines: Sequence[str]) -> list[str]:
    """The function, or, on no features, one that the instance must not call: its policy has other steps, or loops."""
    return list(lines) if d else [*lines[:2], "    raise NotImplementedError"]


def _row(number: int) -> str:
    return f"S[{number * _LANES} + i]"


def _assigned(x: Sequence[str]) -> list[str]:
    return [f"    x{a} = {value}" for a, value in enumerate(x)]


def mean(x: Sequence[str], theta: int) -> list[str]:
    """x' theta of candidate k, whose features are the expressions x; theta stands from row `theta` on."""
    lines = ["def mean(S: F64, k: int, i: int) -> Any:", '    """x\' theta of candidate k: `ridge.ridge_mean`."""']
    lines += [*_assigned(x), "    total = 0.0"]
    lines += [f"    total += x{a} * {_row(theta + a)}" for a in range(len(x))]
    return _steps(len(x), [*lines, "    return total"])


def quadratic(x: Sequence[str], inverse: int) -> list[str]:
    """x' A^-1 x of candidate k; the inverse stands from row `inverse` on."""
    lines = ["def quadratic(S: F64, k: int, i: int) -> Any:"]
    lines += ['    """x\' A^-1 x of candidate k: `ridge.ridge_variance`."""', *_assigned(x), "    half = 0.0"]
    at = _triangle(len(x))
    for a in range(len(x)):
        lines.append(f"    row = 0.5 * {_row(inverse + at[a, a])} * x{a}")
        lines += [f"    row += {_row(inverse + at[a, b])} * x{b}" for b in range(a + 1, len(x))]
        lines.append(f"    half += row * x{a}")
    return _steps(len(x), [*lines, "    return 2.0 * half"])


def mean_by_kind(x: Sequence[str], kind: str, at: dict[str, int]) -> list[str]:
    """x' theta of candidate k under the model of its kind: all d of tasks stand first, then the d of tips."""
    lines = ["def mean(S: F64, k: int, i: int) -> Any:", '    """x\' theta of candidate k: `kinds.kind_moments`."""']
    lines += [*_assigned(x), f"    tip = ({kind}) > 0.5", "    total = 0.0"]
    theta = [at["STATE"] + a for a in range(2 * len(x))]
    for a in range(len(x)):
        lines += [_of_kind(theta[a], theta[len(x) + a]), f"    total += x{a} * (second if tip else first)"]
    return _steps(len(x), [*lines, "    return total"])


def quadratic_by_kind(x: Sequence[str], kind: str, at: dict[str, int]) -> list[str]:
    """x' A^-1 x of candidate k under the model of its kind; the inverse is that of both together."""
    d = len(x)
    lines = ["def quadratic(S: F64, k: int, i: int) -> Any:"]
    lines += ['    """x\' A^-1 x of candidate k: `kinds.kind_moments`."""', *_assigned(x)]
    lines += [f"    tip = ({kind}) > 0.5", "    variance = 0.0"]
    row = {key: at["STATE"] + 2 * d + place for key, place in _triangle(2 * d).items()}
    for a in range(d):
        for b in range(a, d):
            lines.append(_of_kind(row[a, b], row[d + a, d + b]))
            times = "" if a == b else "2.0 * "
            lines.append(f"    variance += {times}(second if tip else first) * x{a} * x{b}")
    return _steps(d, [*lines, "    return variance"])


def _of_kind(task: int, tip: int) -> str:
    """Both are read before one is taken: a compiler vectorises no reading that depends on a lane."""
    return f"    first, second = {_row(task)}, {_row(tip)}"


def weighted(d: int, at: dict[str, int]) -> list[str]:
    """Count the reward GOT of the features X `weight` times, in the model whose rows begin `model` behind STATE."""
    place = _triangle(d)
    theta = [f"S[model + {(at['STATE'] + a) * _LANES} + i]" for a in range(d)]
    row = {key: f"S[model + {(at['STATE'] + d + number) * _LANES} + i]" for key, number in place.items()}
    lines = ["def weighted(S: F64, model: int, weight: float, i: int) -> None:"]
    lines.append('    """`weighted.weighted_update`."""')
    lines += [f"    x{a} = {_row(at['X'] + a)}" for a in range(d)]
    for a in range(d):
        lines.append(f"    v{a} = {row[a, 0]} * x0")
        lines += [f"    v{a} += {row[a, b]} * x{b}" for b in range(1, d)]
    lines.append("    total, spread = 0.0, 0.0")
    for a in range(d):
        lines += [f"    total += x{a} * {theta[a]}", f"    spread += x{a} * v{a}"]
    lines += ["    gain = weight / (1.0 + weight * spread)", f"    error = gain * ({_row(at['GOT'])} - total)"]
    lines.append("    error = error if weight != 0.0 else 0.0")
    for a in range(d):
        lines.append(f"    {theta[a]} += error * v{a}")
        lines += [f"    {row[a, c]} -= gain * v{a} * v{c}" for c in range(a, d)]
    return _steps(d, lines)


def factored_sums(d: int, at: dict[str, int]) -> list[str]:
    """The factor of V = prior I + gram into FACTOR, and L^-1 b into SAMPLE; gram and b are the state's first rows."""
    place, size = _triangle(d), d * (d + 1) // 2
    lines = ["def decomposed(S: F64, prior: float, i: int) -> None:", '    """`gram.factorise`."""']
    for a in range(d):
        for b in range(a, d):
            lines.append(f"    f{a}_{b} = {_row(at['STATE'] + place[a, b])}")
            lines += [f"    f{a}_{b} -= f{c}_{a} * f{c}_{b}" for c in range(a)]
            lines.append(f"    f{a}_{b} = 1.0 / np.sqrt(f{a}_{b} + prior)" if a == b else f"    f{a}_{b} *= f{a}_{a}")
            lines.append(f"    {_row(at['FACTOR'] + place[a, b])} = f{a}_{b}")
    lines += [f"    z{a} = {_row(at['STATE'] + size + a)}" for a in range(d)]
    lines += [*_forward(d), *(f"    {_row(at['SAMPLE'] + a)} = z{a}" for a in range(d))]
    return _steps(d, lines)


def forgotten(x: Sequence[str], at: dict[str, int], name: str) -> list[str]:
    """x' V^-1 b, the mean, or x' V^-1 x, of candidate k, from what `decomposed` left: a compiler sees that both begin
    alike."""
    d, place = len(x), _triangle(len(x))
    lines = [f"def {name}(S: F64, k: int, i: int) -> Any:", '    """`gram.gram_moments` of candidate k."""']
    lines += [f"    f{a}_{b} = {_row(at['FACTOR'] + place[a, b])}" for a in range(d) for b in range(a, d)]
    lines += [*(f"    z{a} = {value}" for a, value in enumerate(x)), *_forward(d), "    total = 0.0"]
    lines += [f"    total += z{a} * {_row(at['SAMPLE'] + a) if name == 'mean' else f'z{a}'}" for a in range(d)]
    return _steps(d, [*lines, "    return total"])


def window_sums(d: int, at: dict[str, int], name: str, rows: str) -> list[str]:
    """gram and b with the features in `rows` counted."""
    place, size = _triangle(d), d * (d + 1) // 2
    lines = [f"def {name}(S: F64, weight: float, scale: float, i: int) -> None:"]
    lines.append('    """`gram.add_outer` by `weight`, and `gram.add_scaled` by `scale`."""')
    lines += [f"    x{a} = {_row(at[rows] + a)}" for a in range(d)]
    for a in range(d):
        lines += [f"    {_row(at['STATE'] + place[a, c])} += weight * (x{a} * x{c})" for c in range(a, d)]
        lines.append(f"    {_row(at['STATE'] + size + a)} += scale * x{a}")
    return _steps(d, lines)


def solved(d: int, at: dict[str, int]) -> list[str]:
    """The factor of V = prior I + gram into FACTOR, theta = V^-1 b into SAMPLE, and W = prior I + squared, with its
    entries beside the diagonal doubled, into SQUARED; gram, squared and b are the state."""
    place, lines = _triangle(d), ["def solved(S: F64, prior: float, i: int) -> None:"]
    size = d * (d + 1) // 2
    lines.append('    """`gram.factorise`, and theta of `gram.discounted_moments`."""')
    for a in range(d):
        for b in range(a, d):
            lines.append(f"    f{a}_{b} = {_row(at['STATE'] + place[a, b])}")
            lines += [f"    f{a}_{b} -= f{c}_{a} * f{c}_{b}" for c in range(a)]
            lines.append(f"    f{a}_{b} = 1.0 / np.sqrt(f{a}_{b} + prior)" if a == b else f"    f{a}_{b} *= f{a}_{a}")
            lines.append(f"    {_row(at['FACTOR'] + place[a, b])} = f{a}_{b}")
            squared = _row(at["STATE"] + size + place[a, b])
            value = f"{squared} + prior" if a == b else f"2.0 * {squared}"
            lines.append(f"    {_row(at['SQUARED'] + place[a, b])} = {value}")
    lines += [f"    z{a} = {_row(at['STATE'] + 2 * size + a)}" for a in range(d)]
    lines += [*_forward(d), *_backward(d)]
    return _steps(d, [*lines, *(f"    {_row(at['SAMPLE'] + a)} = z{a}" for a in range(d))])


def _forward(d: int) -> list[str]:
    """z <- L^-1 z."""
    lines = []
    for a in range(d):
        lines.append(f"    z{a} *= f{a}_{a}")
        lines += [f"    z{b} -= f{a}_{b} * z{a}" for b in range(a + 1, d)]
    return lines


def _backward(d: int) -> list[str]:
    """z <- L'^-1 z."""
    lines = []
    for a in range(d - 1, -1, -1):
        lines += [f"    z{a} -= f{a}_{b} * z{b}" for b in range(a + 1, d)]
        lines.append(f"    z{a} *= f{a}_{a}")
    return lines


def discounted(x: Sequence[str], at: dict[str, int]) -> list[str]:
    """x' V^-1 W V^-1 x of candidate k, from what `solved` left."""
    d, place = len(x), _triangle(len(x))
    lines = ["def quadratic(S: F64, k: int, i: int) -> Any:"]
    lines.append('    """x\' V^-1 W V^-1 x of candidate k: `gram.discounted_moments`."""')
    lines += [f"    f{a}_{b} = {_row(at['FACTOR'] + place[a, b])}" for a in range(d) for b in range(a, d)]
    lines += [f"    z{a} = {value}" for a, value in enumerate(x)]
    lines += [*_forward(d), *_backward(d), "    variance = 0.0"]
    for a in range(d):
        lines += [f"    variance += {_row(at['SQUARED'] + place[a, b])} * z{a} * z{b}" for b in range(a, d)]
    return _steps(d, [*lines, "    return variance"])


def discounted_sums(d: int, at: dict[str, int]) -> list[str]:
    """gram, squared and b with the features X counted."""
    place, size = _triangle(d), d * (d + 1) // 2
    lines = ["def counted(S: F64, weight: float, scale: float, i: int) -> None:"]
    lines.append('    """`gram.add_outer` by `weight` and its square, and `gram.add_scaled` by `scale`."""')
    lines += [f"    x{a} = {_row(at['X'] + a)}" for a in range(d)]
    for a in range(d):
        for c in range(a, d):
            lines.append(f"    {_row(at['STATE'] + place[a, c])} += weight * (x{a} * x{c})")
            lines.append(f"    {_row(at['STATE'] + size + place[a, c])} += weight * weight * (x{a} * x{c})")
        lines.append(f"    {_row(at['STATE'] + 2 * size + a)} += scale * x{a}")
    return _steps(d, lines)


def learned(d: int, at: dict[str, int], rows: str) -> list[str]:
    """Learn the reward GOT of the features in `rows` where LEARNED."""
    row = {key: at["STATE"] + d + place for key, place in _triangle(d).items()}
    theta = [_row(at["STATE"] + a) for a in range(d)]
    lines = ["def learned(S: F64, i: int) -> None:", '    """`ridge.ridge_update`."""']
    lines += [f"    x{a} = {_row(at[rows] + a)}" for a in range(d)]
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
    return _steps(d, lines)


def times_inverse(d: int, at: dict[str, int]) -> list[str]:
    """A^-1 x into the rows of V, for the features X."""
    row = {key: at["STATE"] + d + place for key, place in _triangle(d).items()}
    lines = ["def multiplied(S: F64, i: int) -> None:", '    """`ridge.times_inverse`."""']
    lines += [f"    x{a} = {_row(at['X'] + a)}" for a in range(d)]
    for a in range(d):
        lines.append(f"    v = {_row(row[a, 0])} * x0")
        lines += [f"    v += {_row(row[a, b])} * x{b}" for b in range(1, d)]
        lines.append(f"    {_row(at['V'] + a)} = v")
    return _steps(d, lines)


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
    return _steps(d, lines)


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
    return _steps(d, lines)
