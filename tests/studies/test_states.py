"""The state of a private policy is whatever it likes of arrays: evaluation freezes, takes and writes lanes of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from oo_sim.contract import F64
from oo_sim.policies import make
from oo_sim.serving.lanes import Packing, pack
from oo_sim.studies.walk import copied, put, taken


class Pair(NamedTuple):
    """A state with names."""

    first: F64
    second: F64


STATES: dict[str, tuple[Callable[[F64], Any], Callable[[Any], F64]]] = {
    "an array": (lambda a: a, lambda state: state),
    "a tuple": (lambda a: (a, a + 1), lambda state: state[0]),
    "a named tuple": (lambda a: Pair(a, a + 1), lambda state: state.first),
    "a dict": (lambda a: {"tries": a, "reward": a + 1}, lambda state: state["tries"]),
    "a dict of tuples": (lambda a: {"both": (a, a + 1)}, lambda state: state["both"][0]),
}


@pytest.mark.parametrize("kind", STATES)
def test_lanes_are_copied_taken_and_written_in_every_kind_of_state(kind: str) -> None:
    make, first = STATES[kind]
    state, lanes = make(np.arange(12.0).reshape(2, 6)), np.array([4, 1])
    kept = copied(state)
    some = taken(state, lanes)
    assert type(kept) is type(some) is type(state)
    assert first(some).tolist() == [[4.0, 1.0], [10.0, 7.0]]
    put(state, lanes, make(np.full((2, 2), -1.0)))
    assert first(state).tolist() == [[0.0, -1.0, 2.0, 3.0, -1.0, 5.0], [6.0, -1.0, 8.0, 9.0, -1.0, 11.0]]
    assert first(kept).tolist() == np.arange(12.0).reshape(2, 6).tolist()
    assert first(some).tolist() == [[4.0, 1.0], [10.0, 7.0]]


@pytest.mark.parametrize("kind", STATES)
def test_a_server_packs_and_unpacks_every_kind_of_state(kind: str) -> None:
    made, first = STATES[kind]
    policy = make("linucb")._replace(init=lambda lanes: made(np.zeros((3, lanes))))
    state = made(np.repeat(np.arange(3.0)[:, None], 2, axis=1))
    again = Packing(policy).unpack(pack(state))
    assert type(again) is type(state)
    assert first(again).tolist() == first(state).tolist()


def test_a_dict_may_change_the_order_of_its_names() -> None:
    policy = make("linucb")._replace(init=lambda lanes: {"b": np.zeros((2, lanes)), "a": np.zeros((1, lanes))})
    state = {"a": np.full((1, 2), 5.0), "b": np.full((2, 2), 7.0)}
    again = Packing(policy).unpack(pack(state))
    assert (again["a"].tolist(), again["b"].tolist()) == ([[5.0, 5.0]], [[7.0, 7.0], [7.0, 7.0]])
