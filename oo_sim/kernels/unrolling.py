"""Writes `unrolled.py`: the ridge regression's loops over d features with every step written out, for the widths of the
contract's feature maps. Compilers keep what is written out in registers; the same loops with counters take five times
as long. `python -m oo_sim.kernels.unrolling` writes the file again, and a test compares the two."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

WIDTHS = (5, 7)
_HEAD = '''"""Ridge regression in one lane of a tile, written out for {widths} features. Made by `unrolling.py`."""

# ruff: noqa: PLR0915 (as many statements as there are steps)
from __future__ import annotations

import numpy as np

from oo_sim.contract import F64
from oo_sim.kernels.compile import scalar
'''


def _rows(d: int) -> dict[tuple[int, int], int]:
    """Where the entries of a symmetric matrix stand in its packed upper triangle, both halves."""
    place: dict[tuple[int, int], int] = {}
    for a in range(d):
        for b in range(a, d):
            place[a, b] = place[b, a] = len({(min(k), max(k)) for k in place})
    return place


def _learn(d: int, lanes: int, learned: int) -> Iterator[str]:
    at = {key: d + row for key, row in _rows(d).items()}
    yield f"def learn_{d}(state: F64, x: F64, got: F64, i: int) -> None:"
    yield '    """`ridge.ridge_update` of one lane: theta, then A^-1, are the rows of `state`."""'
    for a in range(d):
        yield f"    x{a} = x[{a * lanes} + i]"
    for a in range(d):
        yield f"    v{a} = state[{at[a, 0] * lanes} + i] * x0"
        for b in range(1, d):
            yield f"    v{a} += state[{at[a, b] * lanes} + i] * x{b}"
    yield "    gain, error = 1.0, got[i]"
    for a in range(d):
        yield f"    gain += x{a} * v{a}"
        yield f"    error -= x{a} * state[{a * lanes} + i]"
    yield f"    learn = got[{learned * lanes} + i] > 0.0"
    yield "    gain = 1.0 / gain if learn else 0.0"
    yield "    error = gain * error if learn else 0.0"
    for a in range(d):
        yield f"    state[{a * lanes} + i] += error * v{a}"
        for c in range(a, d):
            yield f"    state[{at[a, c] * lanes} + i] -= gain * v{a} * v{c}"


def _sample(d: int, lanes: int) -> Iterator[str]:
    at = _rows(d)
    yield f"def factor_{d}(inverse: F64, factor: F64, i: int) -> None:"
    yield '    """`ridge.cholesky` of one lane."""'
    for a in range(d):
        for b in range(a, d):
            yield f"    f{a}{b} = inverse[{at[a, b] * lanes} + i]"
            for c in range(a):
                yield f"    f{a}{b} -= f{c}{a} * f{c}{b}"
            yield f"    f{a}{b} = np.sqrt(f{a}{b})" if a == b else f"    f{a}{b} /= f{a}{a}"
            yield f"    factor[{at[a, b] * lanes} + i] = f{a}{b}"


def source(lanes: int = 64, learned: int = 5) -> str:
    """The text of `unrolled.py`."""
    functions = (each for d in WIDTHS for each in (_learn(d, lanes, learned), _sample(d, lanes)))
    head = _HEAD.format(widths=" and ".join(map(str, WIDTHS)))
    return head + "".join("\n\n@scalar\n" + "\n".join(lines) + "\n" for lines in functions)


if __name__ == "__main__":
    Path(__file__).with_name("unrolled.py").write_text(source(), encoding="utf-8")
