"""Addressed uniforms for the mock gateway: a hash of seed, request, occurrence and purpose, so that calls may
interleave as they like."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


class Draws:
    """Uniforms of one request."""

    def __init__(self, seed: int, body: bytes, occurrence: int) -> None:
        self._address = hashlib.blake2b(body, digest_size=32, key=f"{seed} {occurrence}".encode()).digest()

    @property
    def hex(self) -> str:
        """The address as a name."""
        return self._address[:12].hex()

    def uniform(self, purpose: str) -> float:
        """A uniform in [0, 1) of 53 bits; the same purpose gives the same number."""
        digest = hashlib.blake2b(purpose.encode(), digest_size=8, key=self._address).digest()
        return (int.from_bytes(digest, "little") >> 11) * 2.0**-53

    def chance(self, purpose: str, probability: float) -> bool:
        """True with the probability."""
        return self.uniform(purpose) < probability

    def below(self, purpose: str, n: int) -> int:
        """A whole number from 0 to n - 1."""
        return int(self.uniform(purpose) * n)

    def choice(self, purpose: str, options: Sequence[T]) -> T:
        """One of the options, all equally likely."""
        return options[self.below(purpose, len(options))]

    def weighted(self, purpose: str, weights: Mapping[str, float]) -> str:
        """One of the names, by weight."""
        left = self.uniform(purpose) * sum(weights.values())
        for name, weight in weights.items():
            left -= weight
            if left < 0:
                return name
        return [name for name, weight in weights.items() if weight > 0][-1]
