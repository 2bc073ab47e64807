"""The check that keeps compiled code, which checks no bounds, within its arrays."""

from __future__ import annotations

from oo_sim.contract import F64


def fits(shape: tuple[int, ...], x: F64) -> None:
    """Refuse x (..., d, n) for a state of (d, n) = `shape`. Raises ValueError."""
    if x.shape[-2:] != shape:
        raise ValueError(f"x has (features, lanes) = {x.shape[-2:]}, and the state wants {shape}")
