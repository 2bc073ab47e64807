"""What each known policy promises: its parameters, its scores and its probabilities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from oo_sim.audit.arrays import F64, I64, Bool
from oo_sim.audit.features import MAPS, derivable
from oo_sim.audit.report import UnusableLogError

_DEFAULTS: Mapping[str, Mapping[str, float]] = {
    "linucb": {"alpha": 1.0, "prior": 1.0},
    "egreedy": {"epsilon": 0.1, "decay": 0.0, "prior": 1.0},
    "greedy": {"prior": 1.0},
    "softmax": {"temperature": 0.1, "prior": 1.0},
    "thompson": {"scale": 0.5, "samples": 1, "prior": 1.0},
    "random": {},
    "oracle": {},
}
_RANGES: Mapping[str, tuple[float, float]] = {
    "alpha": (0.0, 1e9),
    "prior": (1e-9, 1e9),
    "epsilon": (0.0, 1.0),
    "decay": (0.0, 1e9),
    "temperature": (1e-9, 1e9),
    "scale": (0.0, 1e9),
    "samples": (1, 1e9),
}
_SCHEDULES: Mapping[str, Callable[[F64], F64]] = {
    "harmonic": lambda u: 1.0 / (1.0 + u),
    "sqrt": lambda u: 1.0 / np.sqrt(1.0 + u),
    "cbrt": lambda u: 1.0 / np.cbrt(1.0 + u),
    "exponential": lambda u: np.exp(-np.minimum(u, 700.0)),
}
"""What is left of epsilon at u = decay t."""
_WIRE = {"linucb-v1": ("linucb", "oo5"), "egreedy-v1": ("egreedy", "oo7")}
"""Policies that a log may name without describing them."""


class Rule(NamedTuple):
    """A policy as a log's manifest describes it; `family` is empty for policies that are not known here."""

    label: str
    family: str
    parameters: Mapping[str, float]
    names: tuple[str, ...] | None  # of the features, where known
    notes: tuple[str, ...]
    schedule: str = "harmonic"

    @property
    def ridge(self) -> bool:
        """Whether the scores follow from a ridge regression alone."""
        return self.family in ("linucb", "egreedy", "greedy", "softmax")

    @property
    def serves_best(self) -> bool:
        """Whether there is one best candidate that a greedy choice must take."""
        return self.family in ("linucb", "egreedy", "greedy", "oracle")

    def epsilon(self, t: I64) -> F64:
        """The probability (n,) of exploring at decisions `t`: epsilon, less by the schedule at u = decay t."""
        if self.family != "egreedy":
            return np.zeros(len(t))
        u = np.asarray(self.parameters["decay"] * t, np.float64)
        return np.asarray(self.parameters["epsilon"] * _SCHEDULES[self.schedule](u))

    def probabilities(self, scores: F64, standing: Bool, best: I64, t: I64) -> F64:
        """The choice probabilities (n, K), where candidate `best` (n,) is the greedy one."""
        count = standing.sum(axis=1)[:, None]
        if self.family == "random":
            return np.where(standing, 1.0 / count, 0.0)
        if self.family == "softmax":
            top = np.where(standing, scores, -np.inf).max(axis=1)[:, None]
            steps = np.where(standing, scores - top, 0.0) / self.parameters["temperature"]
            weights = np.where(standing, np.exp(np.maximum(steps, -700.0)), 0.0)
            return np.asarray(weights / weights.sum(axis=1)[:, None])
        epsilon = self.epsilon(t)[:, None]
        total = np.where(standing, epsilon / count, 0.0)
        total[np.arange(len(t)), best] += 1.0 - epsilon[:, 0]
        return total


def rules(manifest: Mapping[str, Any]) -> dict[str, Rule]:
    """The rules of a manifest's policies, by label. UnusableLogError where an entry makes no sense."""
    found = {}
    for entry in manifest.get("policies", ()):
        if not isinstance(entry, Mapping) or not isinstance(entry.get("label"), str):
            raise UnusableLogError(f"manifest: policies: {entry!r:.80} has no label")
        found[entry["label"]] = _rule(entry)
    return found


def undescribed(label: str) -> Rule:
    """The rule of a policy that no manifest describes: known by its name on the wire, or not at all."""
    if label in _WIRE:
        family, features = _WIRE[label]
        return Rule(label, family, _DEFAULTS[family], MAPS[features], ())
    return _unknown(label, None, f"policy {label} is not described by the manifest")


def _rule(entry: Mapping[str, Any]) -> Rule:
    label, name = entry["label"], str(entry.get("name", entry["label"]))
    names = _names(entry)
    family = _WIRE[name][0] if name in _WIRE else name
    if family not in _DEFAULTS:
        return _unknown(label, names, f"policy {name} is not known here")
    parameters = {k: v for k, v in dict(entry.get("parameters") or {}).items() if k != "features"}
    if family == "oracle":
        names = names or ("expected_reward",)
        if len(names) != 1:
            return _unknown(label, names, f"policy {name} sees {len(names)} features, not the truth alone")
    schedule = parameters.pop("schedule", "harmonic") if family == "egreedy" else "harmonic"
    if not isinstance(schedule, str) or schedule not in _SCHEDULES:
        return _unknown(label, names, f"policy {name}: schedule {schedule!r:.40} is not known here")
    strange = sorted(set(parameters) - set(_DEFAULTS[family]))
    if strange:
        return _unknown(label, names, f"policy {name}: parameters not known here, {', '.join(strange)}")
    for key, value in parameters.items():
        low, high = _RANGES[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise UnusableLogError(f"manifest: policy {label}: {key} is {value!r}; {low:g} to {high:g} wanted")
    return Rule(label, family, {**_DEFAULTS[family], **parameters}, names, _notes(family, names), schedule)


def _names(entry: Mapping[str, Any]) -> tuple[str, ...] | None:
    features = entry.get("features")
    if isinstance(features, Mapping) and features.get("names") is not None:
        return tuple(str(name) for name in features["names"])
    return None


def _notes(family: str, names: tuple[str, ...] | None) -> tuple[str, ...]:
    notes = []
    if family == "thompson":
        notes.append("scores are not derived again: they need the policy's own noise")
    if names is None:
        notes.append("features are not derived again: no manifest names them")
    elif not derivable(names):
        notes.append("features are not derived again: they do not follow from the logged columns")
    return tuple(notes)


def _unknown(label: str, names: tuple[str, ...] | None, why: str) -> Rule:
    vectors = "" if names is None or not derivable(names) else "features, "
    note = f"{why}: {vectors}propensities and draws are checked, scores are not"
    return Rule(label, "", {}, names, (note, *_notes("", names)))
