"""Feature maps: from the raw columns of the candidates on offer to the vectors that policies see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oo_sim.contract import F64, Candidates, FeatureMap
from oo_sim.kernels import encode

CLOCK_TERMS = ("hour_sin", "hour_cos", "dow_sin", "dow_cos")
CANDIDATE_TERMS = ("is_overdue", "task_age", "priority", "is_llm")
OO5 = ("hour_sin", "hour_cos", "is_overdue", "task_age", "priority")
OO7 = (*OO5, "dow_sin", "dow_cos")
OO7X = (*OO7, "is_llm", *(f"{c}*{a}" for c in CLOCK_TERMS for a in CANDIDATE_TERMS))


def _fits(names: tuple[str, ...], x: F64) -> None:
    """Compiled code checks no bounds, so the width is checked before it is called."""
    if x.shape[1] != len(names):
        raise ValueError(f"these features are {len(names)} numbers a candidate, and x has room for {x.shape[1]}")


def _oo5(c: Candidates, x: F64) -> None:
    _fits(OO5, x)
    encode.encode_oo5(c.hour, c.is_overdue, c.task_age_days, c.priority, x)


def _oo7(c: Candidates, x: F64) -> None:
    _fits(OO7, x)
    encode.encode_oo7(c.hour, c.day, c.is_overdue, c.task_age_days, c.priority, x)


def _oo7x(c: Candidates, x: F64) -> None:
    _fits(OO7X, x)
    encode.encode_oo7x(c.hour, c.day, c.is_overdue, c.task_age_days, c.priority, c.is_llm, x)


def _none(c: Candidates, x: F64) -> None:
    """Nothing to fill: x has no columns."""


def _truth(c: Candidates, x: F64) -> None:
    if c.truth is None:
        raise ValueError("features `truth` are the true expected rewards, which only a simulated world knows")
    x[:, 0] = c.truth


def _vectors(c: Candidates, x: F64) -> None:
    if c.vectors is None:
        raise ValueError("features `raw` are a world's own vectors, and this one offers tips: use oo5, oo7 or oo7x")
    x[:] = c.vectors


FEATURES = {
    "oo5": FeatureMap("oo5", OO5, _oo5),
    "oo7": FeatureMap("oo7", OO7, _oo7),
    "oo7x": FeatureMap("oo7x", OO7X, _oo7x),
    "none": FeatureMap("none", (), _none),
    "truth": FeatureMap("truth", ("expected_reward",), _truth),
}
"""The maps that need no more than a tip's raw columns, and `truth`, which only simulated worlds can fill."""


def raw(dimension: int) -> FeatureMap:
    """The vectors of a world that offers `dimension` numbers a candidate, as they are."""
    return FeatureMap("raw", tuple(f"x{j}" for j in range(dimension)), _vectors)


def feature_map(features: str | FeatureMap) -> FeatureMap:
    """A map by name; a map itself is passed through. Raises ValueError with the names there are."""
    if isinstance(features, FeatureMap):
        return features
    if features not in FEATURES:
        raise ValueError(f"there are no features {features!r}; choose one of {', '.join(FEATURES)}")
    return FEATURES[features]


@dataclass(frozen=True)
class _WithKind:
    """Encodes the features of `phi`, then `is_llm`."""

    phi: FeatureMap

    def __call__(self, c: Candidates, x: F64) -> None:
        K, d, n = x.shape
        inner = np.empty((K, d - 1, n))
        self.phi.encode(c, inner)
        x[:, :-1] = inner
        x[:, -1] = c.is_llm


def with_kind(phi: FeatureMap) -> FeatureMap:
    """The same map if it holds `is_llm`, else one with `is_llm` after its last column."""
    if "is_llm" in phi.names:
        return phi
    return FeatureMap(f"{phi.name}+is_llm", (*phi.names, "is_llm"), _WithKind(phi))


def terms(phi: FeatureMap) -> tuple[str, ...] | None:
    """The names of a built-in map's columns, which say all that it computes; None for any other map."""
    if isinstance(phi.encode, _WithKind):
        inner = terms(phi.encode.phi)
        return None if inner is None else (*inner, "is_llm")
    known = FEATURES.get(phi.name)
    if phi.encode is _vectors:
        return tuple("vector" for _ in phi.names)
    return phi.names if known is not None and known.encode is phi.encode and known.names == phi.names else None
