"""The contract that every policy keeps, held against all of them at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from oo_sim.contract import Batch, State
from oo_sim.decide import decide
from oo_sim.kernels import philox
from oo_sim.kernels.draws import LaneDraws, hash_users

from .cases import CASES, LANES, K, Pick, Seen, candidates, copied, leaves, play, played

every_case = pytest.mark.parametrize("case", CASES)


def arrays(seen: Seen) -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
    """All that must be the same bit for bit, the lane last."""
    yield from (seen.scores, *seen.probs, *seen.decision, *leaves(seen.state))


def assert_same_lanes(case: str, pick: Pick) -> None:
    for mine, theirs in zip(play(CASES[case], pick), played(case), strict=True):
        for a, b in zip(arrays(mine), arrays(theirs), strict=True):
            np.testing.assert_array_equal(a, b[..., pick])


@every_case
def test_probabilities_are_probabilities(case: str) -> None:
    for seen in played(case):
        total, explored = seen.probs
        mask = seen.batch.mask
        assert total.shape == explored.shape == seen.scores.shape == (K, LANES)
        np.testing.assert_allclose(total.sum(axis=0), 1.0, rtol=0, atol=1e-12)
        assert (total[~mask] == 0).all()
        assert (explored >= 0).all()
        assert (explored <= total).all()
        assert CASES[case].explores or (explored == 0).all()
        assert np.isfinite(seen.scores[mask]).all()


@every_case
def test_what_is_logged_belongs_to_what_was_chosen(case: str) -> None:
    lanes = np.arange(LANES)
    for seen in played(case):
        chosen = seen.decision.chosen
        assert seen.batch.mask[chosen, lanes].all()
        np.testing.assert_array_equal(seen.decision.score, seen.scores[chosen, lanes])
        np.testing.assert_array_equal(seen.decision.propensity, seen.probs.total[chosen, lanes])
        np.testing.assert_array_equal(seen.decision.probs, seen.probs.total)
        assert (seen.decision.propensity > 0).all()
        assert (seen.probs.explored[chosen, lanes][seen.decision.explored] > 0).all()


@every_case
def test_permuting_lanes_permutes_results(case: str) -> None:
    assert_same_lanes(case, np.random.default_rng(1).permutation(LANES).tolist())


@every_case
def test_a_batch_equals_its_lanes_two_by_two(case: str) -> None:
    """Each lane beside its neighbour, and beside itself, as a service pads a single user."""
    for i in range(0, LANES, 2):
        assert_same_lanes(case, [i, i + 1])
    assert_same_lanes(case, [3, 3])


@every_case
def test_inputs_are_left_as_they_were(case: str) -> None:
    """All but the state that `update` consumes."""
    policy, last = CASES[case], played(case)[-1]
    state, batch = last.state, last.batch
    noise = np.random.default_rng(3).random((policy.noise[0], LANES))
    given = (*leaves(state), *batch, noise)
    before = [a.copy() for a in given]
    scores = policy.score(state, batch, noise)
    kept = scores.copy()
    policy.probs(scores, batch)
    np.testing.assert_array_equal(scores, kept)
    for a, b in zip(given, before, strict=True):
        np.testing.assert_array_equal(a, b)
    learning = last.learning
    arrays_of = (learning.x, learning.reward, learning.learn, learning.t_decided, learning.t_now)
    before = [a.copy() for a in arrays_of]
    policy.update(copied(state), learning, np.empty((policy.noise[1], LANES)))
    for a, b in zip(arrays_of, before, strict=True):
        np.testing.assert_array_equal(a, b)


@every_case
def test_scoring_does_not_learn(case: str) -> None:
    """Two scores of the same state under the same noise are the same, and so are their probabilities."""
    policy, last = CASES[case], played(case)[5]
    noise = np.random.default_rng(3).random((policy.noise[0], LANES))
    first, second = policy.score(last.state, last.batch, noise), policy.score(last.state, last.batch, noise)
    np.testing.assert_array_equal(first, second)
    for a, b in zip(policy.probs(first, last.batch), policy.probs(second, last.batch), strict=True):
        np.testing.assert_array_equal(a, b)


@every_case
def test_what_is_masked_cannot_matter(case: str) -> None:
    """Other numbers behind the mask, even none at all, change neither probabilities nor choices."""
    policy, last = CASES[case], played(case)[8]
    noise = np.random.default_rng(3).random((policy.noise[0], LANES))
    x = last.batch.x.copy()
    x[np.broadcast_to(~last.batch.mask[:, None], x.shape)] = 1e6
    other = Batch(x, last.batch.mask, last.batch.t)
    mine = policy.probs(policy.score(last.state, last.batch, noise), last.batch)
    theirs = policy.probs(policy.score(last.state, other, noise), other)
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


@every_case
@pytest.mark.parametrize("arms", [1, 64])
def test_any_number_of_candidates_will_do(case: str, arms: int) -> None:
    policy, offered = CASES[case], candidates(5, 3, arms)
    draws = LaneDraws(np.uint64(1), np.uint64(0), hash_users("abc"))
    decision = decide(policy, policy.init(3), offered, np.zeros(3, np.int64), draws)
    assert offered.mask[decision.chosen, np.arange(3)].all()
    if arms == 1:
        assert (decision.propensity == 1.0).all()


@every_case
def test_no_reward_teaches_nothing(case: str) -> None:
    """Only time may age a model, and time moves in the first call of a round alone."""
    policy, seen = CASES[case], played(case)[6]
    silent = seen.learning._replace(learn=np.zeros(LANES, np.bool_), tick=False)
    noise = LaneDraws(np.uint64(1), np.uint64(0), hash_users(map(str, range(LANES)))).uniforms(
        philox.UPDATE, seen.batch.t, policy.noise[1]
    )
    after: State = policy.update(copied(seen.state), silent, noise)
    for now, then in zip(leaves(after), leaves(seen.state), strict=True):
        np.testing.assert_array_equal(now, then)
