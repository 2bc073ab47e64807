"""What is kept of a log while it streams past: sums per user, for the log itself and for each evaluated policy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from oo_sim import ope
from oo_sim.contract import F64, I64
from oo_sim.features import FEATURES, raw, with_kind
from oo_sim.logs import Part
from oo_sim.ope.sums import added
from oo_sim.studies.walk import Target, replay, walk

BINS = 20
"""Into how many stretches of a log unsupported mass is split."""
_UNSUPPORTED = "unsupported"


class Asked(NamedTuple):
    """What is asked of a log: the question, the estimators, and what an answer may assume."""

    as_: str
    train_until: float
    names: tuple[str, ...]
    level: float
    anytime: bool
    decisions: int | None
    not_iid: bool
    no_window: bool

    @property
    def estimators(self) -> list[ope.Estimator]:
        """The estimators that were named, and `ips`, whose sums betting intervals are made of."""
        return [ope.ESTIMATORS[name] for name in dict.fromkeys((*self.names, "ips"))]


@dataclass(frozen=True)
class Gathered:
    """A log, or parts of one, gathered: counts, and sums per user whose labels are whole numbers.

    `own` has every user's rewards, `uniform` their weights under "uniform over what is supported", `policies` the sums
    of each evaluated policy, with the unsupported mass among them (none for `replay`, whose accepted decisions, users
    and rewards, stand in `accepted`). `over_time` (policies, 2, BINS) is unsupported mass and decisions along the log.
    """

    decisions: int = 0
    used: int = 0
    dropped: int = 0  # decisions whose reward window had not passed
    unknown: int = 0  # decisions without a probability
    no_probs: int = 0  # decisions of which the chosen one's probability alone is known
    rewards: int = 0
    loose: int = 0  # rewards that belong to no decision
    largest: float = 1.0  # reward, in absolute value
    own: ope.Sums | None = None
    uniform: ope.Sums | None = None
    policies: tuple[ope.Sums, ...] = ()
    accepted: tuple[tuple[I64, F64], ...] = ()
    over_time: F64 | None = None

    @property
    def users(self) -> int:
        """How many users have decisions that are used."""
        return 0 if self.own is None else len(self.own.user)

    def unsupported(self, j: int) -> float:
        """The mean probability with which policy j chooses what could not have been logged."""
        return float(self.policies[j].total[_UNSUPPORTED].sum() / max(self.used, 1))

    def of_users(self, first: int, stop: int) -> Gathered:
        """What was gathered of the users with labels from `first` until `stop`; counts of rewards stay the log's."""
        return replace(
            self,
            used=int(_within(self.own, first, stop).n.sum()) if self.own else 0,
            own=_within(self.own, first, stop) if self.own else None,
            uniform=_within(self.uniform, first, stop) if self.uniform else None,
            policies=tuple(_within(sums, first, stop) for sums in self.policies),
            accepted=tuple((u[(u >= first) & (u < stop)], r[(u >= first) & (u < stop)]) for u, r in self.accepted),
        )


def _within(sums: ope.Sums, first: int, stop: int) -> ope.Sums:
    at = slice(*np.searchsorted(sums.user, [first, stop]))
    return ope.Sums(sums.user[at], sums.n[at], {k: v[at] for k, v in sums.total.items()}, sums.largest[at])


def merged(parts: Iterable[Gathered]) -> Gathered:
    """Several parts of a log together; a user may be in several."""
    found = list(parts)
    known = [part for part in found if part.own is not None]
    total = {
        name: sum(getattr(part, name) for part in found)
        for name in ("decisions", "used", "dropped", "unknown", "no_probs", "rewards", "loose")
    }
    if not known:
        return Gathered(**total, largest=max((part.largest for part in found), default=1.0))
    return Gathered(
        **total,
        largest=max(part.largest for part in found),
        own=ope.merge([part.own for part in known if part.own]),
        uniform=ope.merge([part.uniform for part in known if part.uniform]),
        policies=tuple(ope.merge(each) for each in zip(*(part.policies for part in known), strict=True)),
        accepted=tuple(
            (np.concatenate([u for u, _ in each]), np.concatenate([r for _, r in each]))
            for each in zip(*(part.accepted for part in known), strict=True)
        ),
        over_time=np.sum([part.over_time for part in known if part.over_time is not None], axis=0),
    )


def gathered(part: Part, user: I64, targets: Sequence[Target], asked: Asked, seed: int, ceiling: float) -> Gathered:
    """A part of a log, whose lanes are `user` (L,). `ceiling` is for `replay`: 1 / p is nowhere larger."""
    rewarded = ~part.learned.reset
    null = np.isnan(part.propensity)
    counts = Gathered(
        decisions=len(part.t),
        dropped=int((~part.settled).sum()),
        unknown=int(null.sum()),
        no_probs=int((np.isnan(part.probs).any(axis=0) & ~null).sum()),
        rewards=int(rewarded.sum()),
        loose=int((rewarded & (part.learned.decision < 0)).sum()),
        largest=max(1.0, float(np.abs(part.reward).max(initial=0.0))),
    )
    if null.any():
        return counts
    count = np.bincount(part.lane, minlength=len(part.lanes))
    start = np.cumsum(count) - count
    cut = np.floor(asked.train_until * count).astype(np.int64)
    judged = part.settled.copy()
    if asked.as_ == "frozen":
        judged &= np.arange(len(part.t)) - start[part.lane] >= cut[part.lane]
    use = np.flatnonzero(judged)
    who = user[part.lane]
    support = np.where(np.isnan(part.probs), part.candidates.mask, part.probs > 0)
    flat = 1.0 / np.maximum(support.sum(axis=0), 1) / part.propensity
    found = replace(
        counts,
        used=len(use),
        own=ope.sums(ope.rows(np.ones(len(use)), part.reward[use], user=who[use])),
        uniform=ope.sums(ope.rows(flat[use], part.reward[use], user=who[use])),
        over_time=np.zeros((len(targets), 2, BINS)),
    )
    if asked.as_ == "replay":
        kept = [replay(target, part, seed, ceiling) & part.settled for target in targets]
        return replace(found, accepted=tuple((who[each], part.reward[each]) for each in kept))
    freeze = part.t[start] + cut if asked.as_ == "frozen" else None  # from which decision number each lane is frozen
    model = _Model(part, who) if any(each.uses_model for each in asked.estimators) else None
    each = [_evaluated(part, walk(target, part, seed, freeze), use, who, model, asked) for target in targets]
    return replace(found, policies=tuple(s for s, _ in each), over_time=np.stack([bins for _, bins in each]))


def _evaluated(part: Part, pi: F64, use: I64, user: I64, model: _Model | None, asked: Asked) -> tuple[ope.Sums, F64]:
    """A policy's sums per user, from its probabilities (K, n), and its unsupported mass and decisions (2, BINS)."""
    pi = np.nan_to_num(pi)
    w = pi[part.chosen[use], use] / part.propensity[use]
    out = np.where(part.probs[:, use] == 0.0, pi[:, use], 0.0).sum(axis=0)
    bins = np.minimum(BINS - 1, part.t[use] * BINS // (int(part.t.max()) + 1))
    over_time = np.stack([added(bins, v, BINS) for v in (out, np.ones(len(use)))])
    chosen, target = (None, None) if model is None else (model.chosen[use], model.mean(pi)[use])
    sums = ope.sums(ope.rows(w, part.reward[use], chosen, target, user[use]), asked.estimators)
    at = np.searchsorted(sums.user, user[use])
    return sums._replace(total={**sums.total, _UNSUPPORTED: added(at, out, len(sums.user))}), over_time


class _Model:
    """The reward model of a part: predictions for all candidates, each from that user's earlier rewards only."""

    def __init__(self, part: Part, user: I64) -> None:
        c = part.candidates
        phi = with_kind(FEATURES["oo7"]) if c.vectors is None else raw(c.vectors.shape[1])
        x = np.empty((len(c.mask), phi.d, len(part.t)))
        phi.encode(c, x)
        self._stands, sizes = c.mask, c.mask.sum(axis=0)
        self._first = np.cumsum(sizes) - sizes
        flat = np.ascontiguousarray(x.transpose(2, 0, 1)).reshape(-1, phi.d)
        if not (whole := bool(c.mask.all())):
            flat = flat[c.mask.T.ravel()]
        self._whole = whole
        self._q = ope.predictable_ridge(flat, self._first, part.chosen, part.reward, user)
        self.chosen = ope.chosen_q(self._q, self._first, part.chosen)

    def mean(self, pi: F64) -> F64:
        """The mean of the predictions under the policy (n,)."""
        flat = pi.T.ravel() if self._whole else pi.T[self._stands.T]
        return ope.target_q(self._q, flat, self._first)
