"""SciPy's special functions, imported when one is first called: what they need takes as long to load as all of NumPy,
and a run makes its decisions without them."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    from scipy import special  # noqa: PLC0415 (that is what this module is for)

    return getattr(special, name)
