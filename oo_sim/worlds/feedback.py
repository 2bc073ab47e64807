"""From a scenario's `feedback` to what the engine needs: delays as functions of uniforms, probabilities as arrays."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from oo_sim.contract import F64, I64, REACTIONS, Feedback
from oo_sim.kernels import pending
from oo_sim.scenario import Delay, Scenario


def feedback(scenario: Scenario) -> Feedback | None:
    """How the scenario's users report; None where every reaction is reported at once."""
    spec = scenario.feedback
    if spec is None:
        return None
    missing = spec.missing
    return Feedback(
        _delays(spec.delay) if spec.delay else None,
        spec.window if spec.delay else 0,
        missing.rate,
        np.array([*(missing.by_reaction.get(name, 0.0) for name in REACTIONS), 0.0]),
        np.array([missing.by_source.get(source, 0.0) for source in ("task", "llm")]),
        *_known(spec.delay),
    )


def _known(spec: Delay | None) -> tuple[str, tuple[float, float]]:
    """A delay's name, and its numbers."""
    if spec is None:
        return "none", (0.0, 0.0)
    if spec.geometric is not None:
        return "geometric", (spec.geometric.mean, 0.0)
    if spec.lognormal is not None:
        return "lognormal", (spec.lognormal.median, spec.lognormal.sigma)
    low, high = spec.uniform if spec.uniform is not None else (spec.constant or 0, spec.constant or 0)
    return "uniform", (low, high)


def _delays(spec: Delay) -> Callable[[F64, I64], None]:
    if spec.geometric is not None:
        return partial(pending.geometric_delays, spec.geometric.mean)
    if spec.lognormal is not None:
        return partial(pending.lognormal_delays, spec.lognormal.median, spec.lognormal.sigma)
    if spec.uniform is not None:
        return partial(pending.uniform_delays, *spec.uniform)
    assert spec.constant is not None
    return partial(pending.uniform_delays, spec.constant, spec.constant)
