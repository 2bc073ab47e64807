"""One user as a policy expects it: two identical lanes, because no policy is called with one.

Shapes: K candidates, d features; lane 0 is what is kept and answered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from oo_sim.contract import F64, MIN_LANES, Candidates, Decision, Learning, Policy, State
from oo_sim.decide import decide
from oo_sim.kernels import philox
from oo_sim.kernels.draws import LaneDraws, hash_users
from oo_sim.serving.store import Offered


def candidates(offered: Sequence[Offered], hour: int, day: int) -> Candidates:
    """The candidates' columns in two lanes."""
    K = len(offered)
    raw = [(one.is_overdue, one.task_age_days, one.priority, one.is_llm) for one in offered]
    overdue, age, priority, is_llm = twice(np.array(raw, np.float64).T)
    return Candidates(
        overdue,
        age,
        priority,
        is_llm,
        np.array((hour, hour)),
        np.array((day, day)),
        np.ones((K, MIN_LANES), np.bool_),
        np.full((K, MIN_LANES), -1),
    )


def twice(lane: NDArray[Any]) -> NDArray[Any]:
    """An array of one lane as an array of two; faster than np.repeat on arrays as small as these."""
    out = np.empty((*lane.shape, MIN_LANES), lane.dtype)
    out[...] = lane[..., None]
    return out


def draws(seed: int, user: str) -> LaneDraws:
    """The user's addressed uniforms, those of replicate 0 of a simulation with this seed."""
    return LaneDraws(np.uint64(seed), np.uint64(0), hash_users([user] * MIN_LANES))


def choose(policy: Policy, state: State, offered: Candidates, t: int, user: LaneDraws) -> Decision:
    """The user's decision number t."""
    return decide(policy, state, offered, np.array((t, t)), user)


class Lesson(NamedTuple):
    """What there is to learn in round `t_now`: the vector x (d,) and its reward, None where none came."""

    x: F64
    reward: float | None
    t_decided: int
    t_now: int
    tick: bool  # whether it is the first of its round


def learn(policy: Policy, state: State, lesson: Lesson, user: LaneDraws) -> State:
    """The state after a lesson. The state given must not be used again."""
    now, learns = np.array((lesson.t_now, lesson.t_now)), lesson.reward is not None
    learning = Learning(
        twice(lesson.x),
        np.array((lesson.reward or 0.0, lesson.reward or 0.0)),
        np.array((learns, learns)),
        np.array((lesson.t_decided, lesson.t_decided)),
        now,
        lesson.tick,
    )
    return policy.update(state, learning, user.uniforms(philox.UPDATE, learning.t_decided, policy.noise[1]))


def pass_rounds(policy: Policy, state: State, rounds: range, user: LaneDraws) -> State:
    """The state after rounds without a reward; policies that discount age by them."""
    for t in rounds:
        state = learn(policy, state, Lesson(np.zeros(policy.features.d), None, t, t, True), user)
    return state


def encode_one(policy: Policy, one: Offered, hour: int, day: int) -> F64:
    """The feature vector (d,) of one candidate. What `is_llm` is when unknown must not matter to the features."""
    x = np.empty((1, policy.features.d, MIN_LANES))
    policy.features.encode(candidates([one], hour, day), x)
    return np.ascontiguousarray(x[0, :, 0])


def pack(state: State) -> bytes:
    """The state of lane 0, as the bytes of its arrays one after the other."""
    return b"".join(np.ascontiguousarray(array[..., 0]).tobytes() for array in _arrays(state))


class Packing:
    """How a policy's state is laid out in bytes."""

    def __init__(self, policy: Policy) -> None:
        self._init = policy.init
        self._like = policy.init(MIN_LANES)
        self.size = len(pack(self._like))

    def unpack(self, data: bytes | None) -> State:
        """The state in two lanes; fresh where there are no bytes. Raises ValueError where their number is wrong."""
        if data is None:
            return self._init(MIN_LANES)
        if len(data) != self.size:
            raise ValueError(f"a state of {len(data)} bytes; expected {self.size}")
        return _filled(self._like, memoryview(data))[0]


def _arrays(state: State) -> Iterator[NDArray[Any]]:
    """The arrays of a state, which is an array, or a tuple or dict of states."""
    if isinstance(state, tuple | dict):
        for part in [state[key] for key in sorted(state)] if isinstance(state, dict) else state:
            yield from _arrays(part)
    else:
        yield state


def _filled(like: State, data: memoryview) -> tuple[State, memoryview]:
    """A state shaped like another, with both lanes read from the bytes, and the bytes that are left."""
    if isinstance(like, dict):
        filled, data = _filled(tuple(like[key] for key in sorted(like)), data)  # whatever order an update gives them
        return dict(zip(sorted(like), filled, strict=True)), data
    if not isinstance(like, tuple):
        lane = like[..., 0]
        values = np.frombuffer(data, like.dtype, lane.size).reshape(lane.shape)
        return twice(values), data[lane.nbytes :]
    parts = []
    for part in like:
        filled, data = _filled(part, data)
        parts.append(filled)
    return (type(like)(*parts) if hasattr(like, "_fields") else tuple(parts)), data
