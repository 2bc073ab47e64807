"""What a fit is made of: reactions with the features they were given to, and the population that explains them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64, I64, Bool


class Reactions(NamedTuple):
    """Reactions of N users, row by row: features X (M, d) with a 1 first, codes y (M,), and where each user's rows
    begin, `first` (N + 1,). Rows of a user are in order of time. `terms` (d,) names the columns."""

    X: F64
    y: I64
    first: I64
    terms: tuple[str, ...]

    @property
    def users(self) -> int:
        """How many users there are."""
        return len(self.first) - 1

    @property
    def sizes(self) -> I64:
        """How many reactions each user gave (N,)."""
        return np.diff(self.first)

    @property
    def owner(self) -> I64:
        """Which user each row belongs to (M,)."""
        return np.repeat(np.arange(self.users), self.sizes)

    def of_users(self, which: I64) -> Reactions:
        """The reactions of some users, in the order given."""
        sizes = self.sizes[which]
        begin = np.cumsum(sizes) - sizes
        rows = np.repeat(self.first[which] - begin, sizes) + np.arange(sizes.sum())
        return self._replace(X=self.X[rows], y=self.y[rows], first=np.r_[begin, sizes.sum()].astype(np.int64))

    def where(self, rows: Bool) -> Reactions:
        """The rows for which `rows` (M,) is true, of all users; some may be left with none."""
        sizes = np.bincount(self.owner[rows], minlength=self.users)
        return self._replace(X=self.X[rows], y=self.y[rows], first=np.r_[0, np.cumsum(sizes)].astype(np.int64))


class Population(NamedTuple):
    """A mixture of S segments of people: shares (S,), coefficients' means and sds (S, d), and cut points (4,)."""

    share: F64
    mean: F64
    sd: F64
    cuts: F64

    @property
    def segments(self) -> int:
        """How many segments there are."""
        return len(self.share)

    @property
    def parameters(self) -> int:
        """How many numbers are free: the intercept and the cut points share one shift."""
        S, d = self.mean.shape
        return int(2 * S * d + S - 1 + len(self.cuts) - 1)

    def centred(self) -> Population:
        """The same people with the share-weighted mean intercept at 0, which the likelihood cannot tell from the cut
        points, and with the largest segment first."""
        order = np.argsort(-self.share, kind="stable")
        shift = float(self.share @ self.mean[:, 0])
        mean = self.mean[order].copy()
        mean[:, 0] -= shift
        return Population(self.share[order], mean, self.sd[order], self.cuts - shift)
