"""Linear systems, one for each of n lanes, solved for all lanes at once: n is the last axis of every array."""

from __future__ import annotations

import numpy as np

from oo_sim.audit.arrays import F64


def moments(A: F64, b: F64, x: F64, variance: bool) -> tuple[F64, F64 | None]:
    """x' A^-1 b and, where asked for, x' A^-1 x (K, n), of A (d, d, n), b (d, n) and x (d, K, n)."""
    if not variance:
        return np.einsum("akn,an->kn", x, coefficients(A, b)), None
    shared = [bool((column[1:] == column[0]).all()) for column in x]  # by all candidates, as the hour and the day are
    s = sum(shared)
    if not all(shared[:s]):
        order = np.argsort(np.logical_not(shared), kind="stable")
        A, b, x = A[np.ix_(order, order)], b[order], x[order]
    L = cholesky(A)
    c, first = forward(L, b), forward(L, x[:s, 0])
    y = forward(L, x[s:], first)
    mean, spread = np.einsum("akn,an->kn", y, c[s:]), np.einsum("akn,akn->kn", y, y)
    mean += np.einsum("an,an->n", first, c[:s])
    spread += np.einsum("an,an->n", first, first)
    bad = ~(np.isfinite(mean).all(axis=0) & np.isfinite(spread).all(axis=0))
    if bad.any():  # a start that rounding has swallowed
        P = _inverse(A[:, :, bad])
        mean[:, bad] = np.einsum("akn,abn,bn->kn", x[:, :, bad], P, b[:, bad])
        spread[:, bad] = np.einsum("akn,abn,bkn->kn", x[:, :, bad], P, x[:, :, bad])
    return mean, spread


def coefficients(A: F64, b: F64) -> F64:
    """A^-1 b (d, n)."""
    L = cholesky(A)
    theta = backward(L, forward(L, b))
    bad = ~np.isfinite(theta).all(axis=0)
    if bad.any():
        theta[:, bad] = np.einsum("abn,bn->an", _inverse(A[:, :, bad]), b[:, bad])
    return theta


def _inverse(A: F64) -> F64:
    """The pseudo-inverse of each A (d, d, n)."""
    return np.asarray(np.linalg.pinv(A.transpose(2, 0, 1), hermitian=True).transpose(1, 2, 0), np.float64)


def cholesky(A: F64) -> F64:
    """The lower factor L of A = L L', both (d, d, n); not a number where A is not positive."""
    L = np.empty_like(A)  # of which nothing above the diagonal is ever read
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        for j in range(len(A)):
            column = A[j:, j] - np.einsum("abn,bn->an", L[j:, :j], L[j, :j]) if j else A[:, 0]
            np.sqrt(column[0], out=L[j, j])
            np.divide(column[1:], L[j, j], out=L[j + 1 :, j])
    return L


def forward(L: F64, y: F64, first: F64 | None = None) -> F64:
    """The first rows of L^-1 y, as many as y (d, n) or (d, K, n) has. With `first` (s, n), rows before those of y that
    are the same for all K, the rows that follow them."""
    s, out = 0 if first is None else len(first), np.empty(y.shape)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        for a in range(len(y)):
            row = L[s + a]
            known = y[a] if first is None or s == 0 else np.subtract(y[a], _product(row[:s], first), out=out[a])
            if a:
                known = np.subtract(known, _product(row[s : s + a], out[:a]), out=out[a])
            np.divide(known, row[s + a], out=out[a])
    return out


def backward(L: F64, y: F64) -> F64:
    """L'^-1 y for y (d, n) or (d, K, n)."""
    out = np.empty_like(y)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        for a in reversed(range(len(L))):
            np.divide(y[a] - _product(L[a + 1 :, a], out[a + 1 :]), L[a, a], out=out[a])
    return out


def _product(row: F64, y: F64) -> F64:
    """The sum over b of row (b, n) times y (b, n) or (b, K, n)."""
    return np.asarray(np.einsum("bn,bn->n" if y.ndim == 2 else "bn,bkn->kn", row, y))
