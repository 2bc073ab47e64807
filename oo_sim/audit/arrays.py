"""Array types and the one tolerance of the audit."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

F64: TypeAlias = NDArray[np.float64]
I32: TypeAlias = NDArray[np.int32]
I64: TypeAlias = NDArray[np.int64]
U64: TypeAlias = NDArray[np.uint64]
Bool: TypeAlias = NDArray[np.bool_]

TOLERANCE = 1e-9
"""How far a logged number may lie from the derived one, relative above 1 and absolute below."""


def differs(logged: F64, derived: F64) -> Bool:
    """Where `logged` is not `derived` within the tolerance; nan differs from everything."""
    gap, limit = np.asarray(logged - derived), np.abs(derived)
    np.maximum(limit, 1.0, out=limit)
    limit *= TOLERANCE
    return np.asarray(~(np.abs(gap, out=gap) <= limit))
