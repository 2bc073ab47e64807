"""Warm starts: a new user's ridge regression begins as a Gaussian that was learned from other people, not at zero.

The Gaussian comes from a file that `oo-sim fit` wrote, and is carried on as text, so that what a log or a server's
store says of a policy is all that is needed to build it again, and its hash covers every number.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from oo_sim.contract import F64, FeatureMap

MARK = "gaussian:"
"""What such a text begins with; the rest is base64 of float64, little-endian: A^-1 by rows of its upper triangle, b,
and theta."""
LEAST_PRIOR = 1e-3
"""The smallest `prior` beside a warm start, whose own eigenvalues are at least 0.1, so that `MIN_PRIOR` holds."""


class Start(NamedTuple):
    """A^-1 as its upper triangle (d (d + 1) / 2,), b = A theta and theta (d,) of a user of whom nothing is known."""

    inverse: F64
    b: F64
    theta: F64

    @property
    def text(self) -> str:
        """The start as text, exactly."""
        return MARK + base64.b64encode(np.concatenate(self).astype("<f8").tobytes()).decode()


def start(warm: str, phi: FeatureMap) -> Start:
    """The start that a file or a text gives for a feature map. ValueError: what is wrong, and what would be right."""
    found = _from_text(warm, phi.d) if warm.startswith(MARK) else _from_file(Path(warm), phi)
    if not all(np.isfinite(part).all() for part in found):
        raise ValueError(f"warm: {_named(warm)} holds numbers that are not finite; write it again with oo-sim fit")
    A = np.zeros((phi.d, phi.d))
    A[np.triu_indices(phi.d)] = found.inverse
    widths = np.linalg.eigvalsh(A + np.triu(A, 1).T)
    if widths.min() <= 0.0 or widths.max() > 1.0 / LEAST_PRIOR:
        raise ValueError(
            f"warm: {_named(warm)} has no covariance that a ridge can start from; write it with oo-sim fit"
        )
    return found


def precision(parameters: Mapping[str, Any], d: int) -> tuple[F64, F64]:
    """A (d, d) and b (d,) that a ridge policy with these recorded parameters starts with."""
    prior, text = float(parameters.get("prior", 1.0)), str(parameters.get("warm", ""))
    if not text:
        return prior * np.eye(d), np.zeros(d)
    begun = _from_text(text, d)
    inverse = np.zeros((d, d))
    inverse[np.triu_indices(d)] = begun.inverse
    A = np.linalg.inv(inverse + np.triu(inverse, 1).T).astype(np.float64, copy=False)
    return prior * A, prior * begun.b


def _named(warm: str) -> str:
    return "the text" if warm.startswith(MARK) else warm


def _from_text(text: str, d: int) -> Start:
    try:
        numbers = np.frombuffer(base64.b64decode(text[len(MARK) :], validate=True), "<f8").astype(np.float64)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"warm: the text is not base64 of float64 numbers: {error}") from None
    return _parts(numbers, d, "the text")


def _from_file(path: Path, phi: FeatureMap) -> Start:
    try:
        said: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"warm: there is no file {path}; oo-sim fit LOG -o NAME.yaml writes NAME.fit.json") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"warm: {path} cannot be read as JSON: {error}") from None
    priors = said.get("priors") if isinstance(said, Mapping) else None
    if not isinstance(priors, Mapping):
        raise ValueError(f"warm: {path} has no `priors`; a file that oo-sim fit wrote is expected")
    if phi.name not in priors:
        raise ValueError(f"warm: {path} has no prior for features {phi.name}, but for {', '.join(priors)}")
    try:
        numbers = np.concatenate([np.array(priors[phi.name]["start"][part], np.float64) for part in Start._fields])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"warm: {path}: priors.{phi.name}.start is not one: {error}") from None
    return _parts(numbers, phi.d, str(path))


def _parts(numbers: F64, d: int, where: str) -> Start:
    packed = d * (d + 1) // 2
    if numbers.shape != (packed + 2 * d,):
        raise ValueError(f"warm: {where} has {numbers.size} numbers; {packed + 2 * d} are expected for {d} features")
    return Start(numbers[:packed], numbers[packed : packed + d], numbers[packed + d :])
