"""Logged decisions as arrays, and their sums per user, which merge: so a log of any size streams part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oo_sim.stats.intervals import F64

I64: TypeAlias = NDArray[np.int64]
Labels: TypeAlias = NDArray[Any]


class Rows(NamedTuple):
    """Decisions (n,): weight, reward, the model's prediction for the chosen one and its mean under the policy, user."""

    w: F64
    r: F64
    q_chosen: F64
    q_target: F64
    user: Labels


class Sums(NamedTuple):
    """Per user (m,): the label, the number of decisions, sums of columns over them, and the largest weight.

    `total` always has "w" and "r"; the others are what the estimators asked for. Users are in order of their labels.
    """

    user: Labels
    n: I64
    total: Mapping[str, F64]
    largest: F64

    def mean(self, column: str) -> F64:
        """The mean of `column` over each user's decisions (m,)."""
        return self.total[column] / self.n


class Summed(Protocol):
    """What `sums` needs to know of an estimator: which columns (n,) of the decisions it sums."""

    @property
    def columns(self) -> Callable[[Rows], Mapping[str, F64]]:
        """From decisions to named columns; one name means one thing over all estimators."""


def rows(
    w: ArrayLike,
    r: ArrayLike,
    q_chosen: ArrayLike | None = None,
    q_target: ArrayLike | None = None,
    user: ArrayLike | None = None,
) -> Rows:
    """Decisions from arrays of one length. Without predictions they are 0; without `user` each decision is a user.

    ValueError where a length differs, a value is not finite, or a weight is negative; it names the array and the row.
    """
    weight = np.asarray(w, dtype=np.float64)
    n = len(weight) if weight.ndim == 1 else -1
    labels = np.arange(n) if user is None else np.asarray(user)
    zero = np.zeros(max(n, 0))
    given = {"w": weight, "r": r, "q_chosen": q_chosen, "q_target": q_target}
    arrays = {k: zero if v is None else np.asarray(v, dtype=np.float64) for k, v in given.items()}
    for name, array in (*arrays.items(), ("user", labels)):
        if array.shape != (n,):
            raise ValueError(f"{name}: shape {array.shape} given; one value per decision is expected, {weight.shape}")
    for name, array in arrays.items():
        bad = np.flatnonzero(~np.isfinite(array))
        if len(bad):
            raise ValueError(f"{name}: row {bad[0]} is {array[bad[0]]}; {len(bad)} of {n} are not finite numbers")
    if n and weight.min() < 0.0:
        at = int(weight.argmin())
        raise ValueError(f"w: row {at} is {weight[at]}; a weight is a ratio of probabilities, 0 or more")
    return Rows(weight, arrays["r"], arrays["q_chosen"], arrays["q_target"], labels)


def sums(decisions: Rows, estimators: Iterable[Summed] = ()) -> Sums:
    """The sums per user of the columns that `estimators` need, over one part of a log."""
    user, at = _grouped(decisions.user)
    m = len(user)
    columns = {"w": decisions.w, "r": decisions.r}
    for estimator in estimators:
        columns.update(estimator.columns(decisions))
    largest = np.zeros(m)
    np.maximum.at(largest, at, decisions.w)
    total = {name: added(at, column, m) for name, column in columns.items()}
    return Sums(user, np.bincount(at, minlength=m), total, largest)


def merge(parts: Iterable[Sums]) -> Sums:
    """The sums of several parts of a log together, at least one part; a user may appear in several."""
    pieces = list(parts)
    if not pieces:
        raise ValueError("merge: there are no parts; the sums of at least one part of a log are expected")
    names = set(pieces[0].total)
    if any(set(piece.total) != names for piece in pieces):
        raise ValueError("merge: the parts were summed for different estimators; use the same ones for all parts")
    if len(pieces) == 1:
        return pieces[0]
    user, at = np.unique(np.concatenate([piece.user for piece in pieces]), return_inverse=True)
    m = len(user)
    n = np.bincount(at, np.concatenate([piece.n for piece in pieces]), minlength=m).astype(np.int64)
    total = {k: added(at, np.concatenate([p.total[k] for p in pieces]), m) for k in pieces[0].total}
    largest = np.zeros(m)
    np.maximum.at(largest, at, np.concatenate([piece.largest for piece in pieces]))
    return Sums(user, n, total, largest)


def added(at: I64, values: F64, m: int) -> F64:
    """The sums (m,) of `values` (n,) by the group `at` (n,) that each belongs to."""
    return np.bincount(at, values, minlength=m).astype(np.float64, copy=False)


def _grouped(user: Labels) -> tuple[Labels, I64]:
    """The distinct labels in order, and each row's place among them. Sorting runs, not rows, is what makes it quick."""
    if len(user) == 0:
        return user, np.zeros(0, np.int64)
    heads = np.flatnonzero(np.r_[True, user[1:] != user[:-1]])
    labels, place = np.unique(user[heads], return_inverse=True)
    return labels, np.repeat(place, np.diff(np.r_[heads, len(user)]))
