"""Philox4x32-10 against Random123's published answers, and the addresses of uniforms against plain integers."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from oo_sim.contract import F64, U64
from oo_sim.kernels import philox
from oo_sim.kernels.draws import LaneDraws, hash_users

LOW = 0xFFFFFFFF

KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((LOW,) * 4, (LOW,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]
"""Random123 1.14, tests/kat_vectors, the three lines `philox4x32 10`: counter, key, answer."""


def reference(counter: tuple[int, ...], key: tuple[int, ...]) -> tuple[int, ...]:
    """Philox4x32-10 on Python's integers, from Salmon et al. 2011, section 3.3."""
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for _ in range(10):
        p0, p1 = c0 * 0xD2511F53, c2 * 0xCD9E8D57
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & LOW, (p0 >> 32) ^ c3 ^ k1, p0 & LOW
        k0, k1 = (k0 + 0x9E3779B9) & LOW, (k1 + 0xBB67AE85) & LOW
    return c0, c1, c2, c3


def uniform(seed: int, replicate: int, user: int, t: int, purpose: int, index: int) -> float:
    """The uniform at an address, as the addressing is specified."""
    counter = (user & LOW, user >> 32, t, purpose << 16 | index // 2)
    high, low = reference(counter, (seed, replicate))[2 * (index % 2) :][:2]
    return float((high >> 5) * 2**26 + (low >> 6)) * 2.0**-53


def drawn(users: U64, t: int, purpose: int, count: int, seed: int = 5, replicate: int = 3) -> F64:
    rounds: NDArray[np.int64] = np.full(len(users), t)
    return LaneDraws(np.uint64(seed), np.uint64(replicate), users).uniforms(np.uint64(purpose), rounds, count)


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_published_answers(counter: tuple[int, ...], key: tuple[int, ...], answer: tuple[int, ...]) -> None:
    assert reference(counter, key) == answer
    words = philox.philox(*(np.uint64(word) for word in (*counter, *key)))
    assert tuple(int(word) for word in words) == answer


def test_the_purposes_are_fixed_numbers_because_they_are_addresses() -> None:
    names = ["SEGMENT", "CLOCK", "TASK", "REACTION", "DECIDE", "SCORE", "NOISE"]
    named = {name: int(getattr(philox, name)) for name in names}
    assert named == {"SEGMENT": 1, "CLOCK": 3, "TASK": 5, "REACTION": 7, "DECIDE": 8, "SCORE": 9, "NOISE": 12}


@pytest.mark.parametrize("count", [1, 2, 3, 6, 7])
@pytest.mark.parametrize(("seed", "replicate", "t"), [(0, 0, 0), (LOW, LOW, LOW), (20260, 4, 999_999)])
def test_every_uniform_stands_at_its_address(count: int, seed: int, replicate: int, t: int) -> None:
    users = np.array([0, 1, 2**32, 2**64 - 1, 0x0123456789ABCDEF], np.uint64)
    got = drawn(users, t, 8, count, seed, replicate)
    want = [[uniform(seed, replicate, int(u), t, 8, j) for u in users] for j in range(count)]
    np.testing.assert_array_equal(got, want)


def test_neither_order_nor_company_nor_count_matters() -> None:
    users = hash_users(f"user-{j}" for j in range(50))
    order = np.random.default_rng(1).permutation(50)
    whole = drawn(users, 7, 9, 9)
    np.testing.assert_array_equal(drawn(users[order], 7, 9, 9), whole[:, order])
    np.testing.assert_array_equal(drawn(users[13:14], 7, 9, 9), whole[:, 13:14])
    np.testing.assert_array_equal(drawn(users, 7, 9, 4), whole[:4])


def test_no_uniforms_are_an_empty_array() -> None:
    assert drawn(hash_users(["a", "b"]), 0, 9, 0).shape == (0, 2)


def test_lanes_may_stand_at_different_rounds() -> None:
    users = hash_users(["a", "b"])
    draws = LaneDraws(np.uint64(5), np.uint64(3), users)
    got = draws.uniforms(np.uint64(8), np.array([4, 9]), 2)
    np.testing.assert_array_equal(got, [[drawn(users, t, 8, 2)[j, i] for i, t in enumerate((4, 9))] for j in (0, 1)])


def test_users_hash_by_their_utf8_text() -> None:
    ids = ["user-0", "", "Grüße, 世界", "a" * 1000, "a.b", "a_b"]
    want = [int.from_bytes(hashlib.blake2b(i.encode(), digest_size=8).digest(), "little") for i in ids]
    got = hash_users(ids)
    assert got.dtype == np.uint64
    assert got.tolist() == want
    assert len(set(want)) == len(ids)


def test_units_fill_the_half_open_interval() -> None:
    full, none = np.uint64(LOW), np.uint64(0)
    assert philox.unit(none, none) == philox.unit32(none) == 0.0
    assert philox.unit(full, full) == 1.0 - 2.0**-53
    assert philox.unit32(full) == 1.0 - 2.0**-32
    assert philox.unit(none, np.uint64(1 << 6)) == 2.0**-53


@pytest.mark.compiled
@pytest.mark.parametrize("vary", ["user", "t", "block", "purpose", "seed", "replicate"])
def test_uniforms_along_any_part_of_the_address_are_uniform(vary: str) -> None:
    """Chi-squared over 64 bins, and the lag-1 correlation; both fail a sound generator with probability 1e-6."""
    n = 4096
    u = series(vary, n)
    assert stats.chisquare(np.histogram(u, 64, (0.0, 1.0))[0]).pvalue > 1e-6
    z = np.mean((u[1:] - 0.5) * (u[:-1] - 0.5)) * 12 * np.sqrt(n)
    assert abs(z) < stats.norm.isf(5e-7)


def series(vary: str, n: int) -> F64:
    """Uniforms whose addresses differ in one part alone."""
    one = hash_users(["user-0"])
    if vary == "user":
        return drawn(hash_users(f"user-{j}" for j in range(n)), 0, 8, 1).ravel()
    if vary == "t":
        return LaneDraws(np.uint64(1), np.uint64(0), one.repeat(n)).uniforms(np.uint64(8), np.arange(n), 1).ravel()
    if vary == "block":
        return drawn(one, 0, 8, n).ravel()
    if vary == "purpose":
        return np.array([drawn(one, 0, j, 1)[0, 0] for j in range(n)])
    return np.array([drawn(one, 0, 8, 1, **{vary: j})[0, 0] for j in range(n)])


@pytest.mark.parametrize("first", range(5))
@pytest.mark.parametrize("count", range(5))
def test_without_the_first_ones_the_others_stay_where_they_are(first: int, count: int) -> None:
    users, rounds = hash_users(["a", "b", "c"]), np.array([3, 1, 4])
    draws = LaneDraws(np.uint64(5), np.uint64(3), users)
    for some in (draws.uniforms, draws.normals):
        rest, everything = some(philox.DRIFT, rounds, count, first), some(philox.DRIFT, rounds, first + count)
        assert rest.shape == (count, 3)
        np.testing.assert_array_equal(rest, everything[first:])
