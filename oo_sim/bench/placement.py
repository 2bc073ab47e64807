"""Every kernel with its arrays one right behind the other, and far apart: what luck on the heap can cost.

A compiler that cannot rule out that two arrays overlap tests it as the kernel runs, and takes slow code where they
touch: what should take as long as ever may then take four times as long in one run of many.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from oo_sim.engine.blocks import BLOCK
from oo_sim.kernels import (
    choice,
    elementary,
    encode,
    gaps,
    gram,
    kinds,
    ordered,
    pending,
    philox,
    ridge,
    tally,
    tipbank,
    tips,
    vectors,
    weighted,
    window,
)

SIZES = {
    "n": BLOCK,  # lanes
    "K": 10,  # candidates
    "d": 7,  # features
    "q": 9,  # and two more
    "p": 28,  # a packed triangle of d rows
    "R": 5,  # samples
    "W": 4,  # slots, or rounds
    "h": 24,
    "t": 25,
    "s": len(tally.SUMS),
    "N": 100,  # people of a log
    "M": 1600,  # their rows
}
"""What the letters in `CASES` stand for; a digit stands for itself."""

_SEED, _FIRST = (np.uint64(1), np.uint64(0)), np.linspace(0, 1600, 101).astype(np.int64)
_OFFERED = ("Kn", "Kn", "Kn")
Argument = str | float | np.uint64 | NDArray[Any]

CASES: tuple[tuple[Callable[..., Any], tuple[Argument, ...]], ...] = (
    (choice.argmax, ("Kn", "Kn?", "n#1")),
    (choice.count, ("Kn?", "n")),
    (choice.epsilon_greedy, ("Kn", "Kn?", "n", "Kn", "Kn")),
    (choice.softmax, ("Kn", "Kn?", 0.1, "Kn")),
    (choice.win_shares, ("RKn", "Kn?", "Kn")),
    (choice.draw, ("Kn", "Kn", "Kn", "Kn?", "2n", "n#1", "n", "n", "n?")),
    (choice.take, ("Kdn", "n#K", "dn")),
    (elementary.normals, ("dn", "dn")),
    (encode.spread, (encode.HOUR_SIN, "n#h", 0, "Kdn")),
    (encode.encode_oo5, ("n#h", *_OFFERED, "K5n")),
    (encode.encode_oo7, ("n#h", "n#7", *_OFFERED, "K7n")),
    (encode.encode_oo7x, ("n#h", "n#7", *_OFFERED, "Kn", "Khn")),
    (gaps.inverse_gap, ("Kn", "Kn?", "n", "Kn", "Kn")),
    (gaps.exponential, ("n", "n")),
    (gaps.power, ("n", 0.5, "n")),
    (gram.factorise, ("pn", 1.0, 7)),
    (gram.forward, ("pn", "dn")),
    (gram.backward, ("pn", "dn")),
    (gram.gram_moments, ("pn", "dn", 1.0, "Kdn", "Kn", "Kn")),
    (gram.discounted_moments, ("pn", "pn", "dn", 1.0, "Kdn", "Kn", "Kn")),
    (gram.add_outer, ("pn", "dn", "n")),
    (gram.add_scaled, ("dn", "dn", "n")),
    (kinds.kind_moments, ("2pn", "2dn", "K8n", 7, "d#d", "Kn", "Kn")),
    (ordered.likelihood, ("Md", "M#5", _FIRST, "Nd", "4", "N", "Nd", "Ndd")),
    (ordered.cut_derivatives, ("M", "M", "M#5", "4", "5", "5", "4", "44")),
    (ordered.cross_derivatives, ("Md", "M#5", _FIRST, "Nd", "4", "Nd4", "N44")),
    (ordered.posterior, ("Ndd", "Nd", "d", "d", "Nd", "Nd", "N")),
    (ordered.row_spread, ("Md", _FIRST, "Ndd", "M")),
    (pending.geometric_delays, (2.0, "n", "n#1")),
    (pending.lognormal_delays, (2.0, 0.5, "n", "n#1")),
    (pending.uniform_delays, (1, 5, "n", "n#1")),
    (pending.arrivals, ("Wn#9", 3, "Wn#1", "n#1")),
    (pending.collect, ("Wdn", "Wn", "Wn#5", "Wn#9", "Wn#9", "n#W", "n?", "dn", "n", "n#1", "n#1")),
    (philox.uniforms, (*_SEED, "n!", "n#9", philox.SCORE, 0, "2n")),
    (ridge.ridge_mean, ("dn", "Kdn", "Kn")),
    (ridge.ridge_variance, ("pn", "Kdn", "Kn")),
    (ridge.times_inverse, ("pn", "dn", "dn")),
    (ridge.ridge_update, ("pn", "dn", "dn", "dn", "n", "n?")),
    (ridge.upper_confidence, ("Kn", "Kn", 1.0)),
    (ridge.cholesky, ("pn", "pn")),
    (ridge.times_factor, ("pn", "dn", "dn")),
    (tally.tally, ("Kn", "n", "n#K", "n", "n#6", "n?", 2.0**36, "4n#1", "s#1")),
    (tipbank.ground_tips, ("n#W", "n#6", "n#3", "W3n#6", True, *_OFFERED, "Kn#9")),
    (tipbank.add_appeal, ("n#W", "n#6", "n#3", "W3n", "4", 0.9, "Kn", "Kn", "n")),
    (tips.category, ("n", "h", "n#1")),
    (tips.draw_clock, (*_SEED, "n!", "n#9", "h", "7", "n#1", "n#1")),
    (tips.draw_tasks, (*_SEED, "n!", "Kn#9", "4", 0.1, *_OFFERED)),
    (tips.draw_fresh_tasks, (*_SEED, "n!", 4, "4", 0.1, *_OFFERED)),
    (tips.draw_titles, (*_SEED, "n!", "Kn#9", 5, "Kn#1")),
    (tips.uniform_quantile, (-1.0, 1.0, "Kn")),
    (tips.gaussian_quantile, (0.0, 1e-3, "Kn")),
    (tips.discrete_quantile, ("7", "7", "Kn")),
    (tips.age_tasks, ("n", "Kn", "Kn", True, "Kn", "Kn")),
    (tips.place_tips, ("n#6", "n#3", "3n", True, *_OFFERED, "Kn", "Kn#9", "Kn?")),
    (tips.expected_rewards, ("tn", "t?", "n#h", "n#7", *_OFFERED, "Kn", "Kn?", "0n", "4", 0.9, "Kn", "Kn", "n")),
    (tips.react, (*_SEED, "n!", "n#9", "Kn", "n#K", "4", 0.1, "n#1", "n", "n?")),
    (vectors.ball, ("Kqn", "Kdn")),
    (vectors.linear_rewards, ("dn", "Kdn", "Kn", "n")),
    (weighted.weighted_update, ("pn", "dn", "dn", "n", "n")),
    (weighted.laplace_update, ("pn", "dn", "dn", "n", "n?")),
    (window.leave, ("Wqn", "n#W", "n#1", "pn", "dn")),
    (window.enter, ("Wqn", "n#W", "dn", "n", "n#9", "n?", "pn", "dn")),
)
"""Every kernel that others may call, and its arguments: an array's shape in letters (`SIZES`), then nothing for numbers
in [0, 1), `#m` for whole ones below m, `?` for truths and `!` for hashes of users; or the argument itself."""

_APART = 4096 + 64  # bytes: pages, and then some, so that no two begin at the same place of a page
_CALLS = 20


class Placed(NamedTuple):
    """A kernel's microseconds a call where its arrays lie best, and how many times as long it takes where worst."""

    kernel: str
    microseconds: float
    ratio: float


def bench(repeats: int = 7, cases: Sequence[tuple[Callable[..., Any], tuple[Argument, ...]]] = CASES) -> list[Placed]:
    """Each kernel in turns with its arrays apart, and adjacent in one order and in the other; the least of all
    measurements counts, since others at work on the machine only ever add to it."""
    rows = []
    for kernel, given in cases:
        arrays = [_made(each) for each in given]
        placings = [laid(arrays, gap, backwards) for gap, backwards in ((_APART, False), (0, False), (0, True))]
        for arguments in placings:
            kernel(*arguments)
        times = np.array([[_microseconds(kernel, each) for each in placings] for _ in range(repeats)]).min(axis=0)
        name = f"{kernel.__module__.rpartition('.')[2]}.{kernel.__name__}"
        rows.append(Placed(name, float(times.min()), float(times.max() / times.min())))
    return rows


def _microseconds(kernel: Callable[..., Any], arguments: Sequence[Any]) -> float:
    start = time.thread_time_ns()
    for _ in range(_CALLS):
        kernel(*arguments)
    return (time.thread_time_ns() - start) / _CALLS / 1e3


def _made(what: Argument) -> Any:
    """An argument as `CASES` writes it."""
    if not isinstance(what, str):
        return what
    rng, letters = np.random.default_rng(1), what.rstrip("?!").partition("#")[0]
    shape = tuple(_size(letter) for letter in letters)
    if what.endswith("?"):
        return np.ones(shape, np.bool_)
    if what.endswith("!"):
        return rng.integers(1 << 63, size=shape, dtype=np.uint64)
    return rng.integers(_size(what.partition("#")[2]), size=shape) if "#" in what else rng.random(shape)


def _size(letter: str) -> int:
    return SIZES[letter] if letter in SIZES else int(letter)


def laid(arguments: Sequence[Any], gap: int, backwards: bool = False) -> list[Any]:
    """The same arguments, the arrays among them copied into one piece of memory, in order, with `gap` bytes between."""
    arrays = [(j, each) for j, each in enumerate(arguments) if isinstance(each, np.ndarray)]
    out, buffer = list(arguments), np.zeros(sum(each.nbytes + gap + 8 for _, each in arrays) + 64, np.uint8)
    at = -buffer.ctypes.data % 64
    for j, each in reversed(arrays) if backwards else arrays:
        out[j] = np.ndarray(each.shape, each.dtype, buffer.data, at)  # a slice without rows would begin at 0
        out[j][...] = each
        at += each.nbytes + gap
        at += -at % 8
    return out
