"""Checks that all policies share: of parameters, and of the shapes that compiled code is given."""

from __future__ import annotations

from numbers import Integral, Real

from oo_sim.contract import F64, MIN_PRIOR

LARGEST = 1e6
"""The largest parameter that is taken: far beyond any use, far below overflow."""


def number(name: str, value: object, low: float, high: float = LARGEST) -> float:
    """The value as a float if it is a number in [low, high]; else ValueError that says what would be right."""
    if isinstance(value, bool) or not isinstance(value, Real) or not low <= float(value) <= high:
        raise ValueError(f"{name} must be a number from {low:g} to {high:g}, not {value!r}")
    return float(value)


def integer(name: str, value: object, low: int, high: int) -> int:
    """The value if it is an integer in [low, high]; else ValueError that says what would be right."""
    if isinstance(value, bool) or not isinstance(value, Integral) or not low <= int(value) <= high:
        raise ValueError(f"{name} must be a whole number from {low} to {high}, not {value!r}")
    return int(value)


def ridge_prior(value: object) -> float:
    """A ridge prior of at least 1e-4: below it the inverse would not stay accurate."""
    return number("prior", value, MIN_PRIOR)


def fits(shape: tuple[int, ...], x: F64) -> None:
    """Refuse x (..., d, n) for a state of (d, n) = `shape`: compiled code checks no bounds. Raises ValueError."""
    if x.shape[-2:] != shape:
        raise ValueError(f"x has (features, lanes) = {x.shape[-2:]}, and the state expects {shape}")
