"""What each known policy promises: its parameters, its model and its probabilities."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from oo_sim.audit import models, sampled
from oo_sim.audit.arrays import F64, I64, Bool
from oo_sim.audit.features import MAPS, derivable
from oo_sim.audit.report import PARTS, UnusableLogError

_DEFAULTS: Mapping[str, Mapping[str, float]] = {
    "linucb": {"alpha": 1.0, "prior": 1.0},
    "egreedy": {"epsilon": 0.1, "decay": 0.0, "prior": 1.0},
    "greedy": {"prior": 1.0},
    "softmax": {"temperature": 0.1, "prior": 1.0},
    "squarecb": {"gamma": 10.0, "exponent": 0.5, "prior": 1.0},
    "thompson": {"scale": 0.5, "samples": 1, "prior": 1.0},
    "logistic_ts": {"scale": 0.5, "samples": 1, "prior": 1.0},
    "bootstrap_ts": {"replicates": 10, "spread": 0.5, "prior": 1.0},
    "linucb_disjoint": {"alpha": 1.0, "prior": 1.0},
    "linucb_hybrid": {"alpha": 1.0, "sharing": 1.0, "prior": 1.0},
    "dlinucb": {"gamma": 0.99, "alpha": 1.0, "prior": 1.0},
    "swlinucb": {"window": 100, "alpha": 1.0, "prior": 1.0},
    "restart_linucb": {"period": 200, "alpha": 1.0, "prior": 1.0},
    "random": {},
    "oracle": {},
}
_RANGES: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(("alpha", "decay", "scale", "exponent", "sharing", "spread"), (0.0, 1e9)),
    **dict.fromkeys(("prior", "temperature"), (1e-9, 1e9)),
    **dict.fromkeys(("samples", "replicates", "window", "period"), (1, 1e9)),
    "epsilon": (0.0, 1.0),
    "gamma": (0.0, 1e9),
}
_WHOLE = ("samples", "replicates", "window", "period")
_SCHEDULES: Mapping[str, Callable[[F64], F64]] = {
    "harmonic": lambda u: 1.0 / (1.0 + u),
    "sqrt": lambda u: 1.0 / np.sqrt(1.0 + u),
    "cbrt": lambda u: 1.0 / np.cbrt(1.0 + u),
    "exponential": lambda u: np.exp(-np.minimum(u, 700.0)),
}
"""What is left of epsilon at u = decay t."""
_WIRE = {"linucb-v1": ("linucb", "oo5"), "egreedy-v1": ("egreedy", "oo7")}
"""Policies that a log may name without describing them."""
_SEEDED = ("thompson", "logistic_ts", "bootstrap_ts")
"""Policies whose scores need random numbers, so that without a seed they cannot be derived."""
_SHARES = ("thompson", "logistic_ts", "bootstrap_ts")
"""Policies whose scores may be probabilities already."""
_WARM = ("linucb", "egreedy", "greedy", "softmax", "squarecb", "thompson")
"""Policies whose users may start with what is known of others."""

KNOWN = tuple(_DEFAULTS)
"""The policies that are derived again in full."""


class Rule(NamedTuple):
    """A policy as a log's manifest describes it; `family` is empty for policies that are not known here."""

    label: str
    family: str
    parameters: Mapping[str, float]
    names: tuple[str, ...] | None  # of the features, where known
    notes: tuple[str, ...]
    schedule: str = "harmonic"
    seed: int | None = None
    hashes: frozenset[str] = frozenset()  # of the policies that may have decided under this label
    warm: tuple[F64, F64] | None = None  # A (d, d) and b (d,) that users start with, before `prior` multiplies them
    migrated: tuple[Rule, ...] = ()  # where the policy was described in several ways: each of them

    @property
    def scored(self) -> bool:
        """Whether the scores follow from the log."""
        return self.family != "" and (self.family not in _SEEDED or self.seed is not None)

    @property
    def shares(self) -> bool:
        """Whether a score is a share of wins, and the probability too."""
        return self.family == "bootstrap_ts" or (self.family in _SHARES and self.parameters["samples"] > 1)

    @property
    def unchecked(self) -> tuple[str, ...]:
        """What of a policy is not derived again."""
        if self.migrated:
            return tuple(part for part in PARTS if any(part in rule.unchecked for rule in self.migrated))
        missing = set() if self.scored else {"scores", "probabilities", "learned states"}
        if self.family != "oracle" and (self.names is None or not derivable(self.names)):
            missing.add("features")
        if self.seed is None:
            missing.add("draws")
        return tuple(part for part in PARTS if part in missing)

    @property
    def explores(self) -> bool:
        """Whether a part of each candidate's probability is exploration."""
        return self.family in ("egreedy", "random", "squarecb")

    @property
    def sampled(self) -> bool:
        """Whether one posterior sample decides, so that no probability is known."""
        return self.family in ("thompson", "logistic_ts") and not self.shares

    @property
    def in_turn(self) -> bool:
        """Whether a lesson is learned from what was known before it, so that lessons are learned round by round."""
        return self.family == "logistic_ts" and self.scored

    @property
    def serves_best(self) -> bool:
        """Whether there is one best candidate that a greedy choice must take."""
        return self.scored and self.family not in ("softmax", "random") and not self.shares

    def model(self, d: int) -> models.Model | None:
        """The model of a policy that sees d features; None where there is none, or its features do not fit it."""
        p = self.parameters
        if self.family in ("", "random", "oracle") or not self.scored:
            return None
        A, b = (np.eye(d), np.zeros(d)) if self.warm is None else self.warm
        if len(b) != d:
            return None
        start, alpha, seed = (p["prior"] * A, p["prior"] * b), p.get("alpha", 0.0), self.seed or 0
        tip = (self.names or ()).index("is_llm") if "is_llm" in (self.names or ()) else 0
        makers: dict[str, Callable[[], models.Model]] = {
            "thompson": lambda: sampled.Sampled(start, p["scale"], int(p["samples"]), seed),
            "logistic_ts": lambda: sampled.Logistic(start, p["scale"], int(p["samples"]), seed),
            "bootstrap_ts": lambda: sampled.Bootstrapped(p["prior"], p["spread"], int(p["replicates"]), d, seed),
            "linucb_disjoint": lambda: models.Kinds(p["prior"], alpha, d, tip, 0.0),
            "linucb_hybrid": lambda: models.Kinds(p["prior"], alpha, d, tip, p["sharing"]),
            "dlinucb": lambda: models.Discounted(start, alpha, p["gamma"]),
            "swlinucb": lambda: models.Windowed(start, alpha, int(p["window"])),
            "restart_linucb": lambda: models.Restarted(start, alpha, int(p["period"])),
        }
        return makers.get(self.family, lambda: models.Sums(start, alpha))()

    def epsilon(self, t: I64) -> F64:
        """The probability (n,) of exploring at decisions `t`: epsilon, less by the schedule at u = decay t."""
        if self.family != "egreedy":
            return np.zeros(len(t))
        u = np.asarray(self.parameters["decay"] * t, np.float64)
        return np.asarray(self.parameters["epsilon"] * _SCHEDULES[self.schedule](u))

    def probabilities(self, scores: F64, standing: Bool, best: I64, t: I64) -> F64:
        """The choice probabilities (K, n), where candidate `best` (n,) is the greedy one."""
        count, rows = standing.sum(axis=0), np.arange(len(t))
        if self.family == "random":
            return np.where(standing, 1.0 / count, 0.0)
        if self.family == "softmax":
            top = np.where(standing, scores, -np.inf).max(axis=0)
            steps = np.where(standing, scores - top, 0.0) / self.parameters["temperature"]
            weights = np.where(standing, np.exp(np.maximum(steps, -700.0)), 0.0)
            return np.asarray(weights / weights.sum(axis=0))
        if self.family == "squarecb":
            others = self._inverse_gap(scores, standing, best, t)
            others[best, rows] = 1.0 - others.sum(axis=0)
            return others
        epsilon = self.epsilon(t)
        total = standing * (epsilon / count)
        total[best, rows] += 1.0 - epsilon
        return np.asarray(total)

    def explored(self, scores: F64, standing: Bool, best: I64, chosen: I64, t: I64) -> F64:
        """The probability (n,) of drawing the candidate `chosen` by exploring, where the policy `explores`."""
        count = standing.sum(axis=0)
        if self.family == "egreedy":
            return np.asarray(self.epsilon(t) / count)
        if self.family == "squarecb":
            return np.asarray(self._inverse_gap(scores, standing, best, t)[chosen, np.arange(len(t))])
        return np.asarray(1.0 / count)

    def _inverse_gap(self, scores: F64, standing: Bool, best: I64, t: I64) -> F64:
        """1 / (K + gamma_t (best - score)) of all but the best (Foster & Rakhlin 2020, Alg. 1)."""
        rows = np.arange(len(t))
        gamma = self.parameters["gamma"] * (t + 1.0) ** self.parameters["exponent"]
        gap = np.maximum(scores[best, rows] - scores, 0.0)
        others = np.where(standing, 1.0 / (standing.sum(axis=0) + gamma * gap), 0.0)
        others[best, rows] = 0.0
        return np.asarray(others)


def rules(manifest: Mapping[str, Any], seed: int | None) -> dict[str, Rule]:
    """The rules of a manifest's policies, by label. UnusableLogError where an entry makes no sense."""
    found: dict[str, list[Rule]] = {}
    entries = manifest.get("policies", ())
    if not isinstance(entries, list | tuple):
        raise UnusableLogError(f"manifest: policies is {entries!r:.80}; expected a list of objects, each with a label")
    for entry in entries:
        if not isinstance(entry, Mapping) or not isinstance(entry.get("label"), str):
            raise UnusableLogError(
                f"manifest: policies: {entry!r:.80} has no label; expected an object such as "
                '{"label": "linucb", "name": "linucb", "parameters": {"alpha": 1}}'
            )
        said = entry.get("hash")
        rule = _rule(entry, seed)._replace(hashes=frozenset({said} if isinstance(said, str) and said else ()))
        ways = found.setdefault(entry["label"], [])
        same = next((i for i, other in enumerate(ways) if _same(other, rule)), None)
        if same is None:
            ways.append(rule)
        else:
            ways[same] = rule._replace(hashes=rule.hashes | ways[same].hashes)
    return {label: ways[0] if len(ways) == 1 else _migrated(ways, seed) for label, ways in found.items()}


def _same(a: Rule, b: Rule) -> bool:
    """Whether two descriptions of one policy are of the same one."""
    one, other = ([] if rule.warm is None else [part.tolist() for part in rule.warm] for rule in (a, b))
    return a[1:4] == b[1:4] and (a.schedule, one) == (b.schedule, other)


def _migrated(ways: list[Rule], seed: int | None) -> Rule:
    """A policy that was described in several ways. After each migration its state is as if it had learned so from the
    beginning, and a decision's hash says in which way it was made."""
    label, names, hashes = ways[0].label, ways[0].names, frozenset[str]().union(*(rule.hashes for rule in ways))
    if any(rule.names != names or not rule.hashes for rule in ways):
        why = f"policy {label} was migrated: it is described in several ways, and not with the same features"
        return _unknown(label, names, why, seed)._replace(hashes=hashes)
    notes = tuple(dict.fromkeys(note for rule in ways for note in rule.notes))
    return Rule(label, "", {}, names, notes, seed=seed, hashes=hashes, migrated=tuple(ways))


def undescribed(label: str) -> Rule:
    """The rule of a policy that no manifest describes: known by its name on the wire, or not at all."""
    if label in _WIRE:
        family, features = _WIRE[label]
        return Rule(label, family, _DEFAULTS[family], MAPS[features], ())
    return _unknown(label, None, f"policy {label} is not described by the manifest")


def _rule(entry: Mapping[str, Any], seed: int | None) -> Rule:
    label, name = entry["label"], str(entry.get("name", entry["label"]))
    names = _names(entry)
    family = _WIRE[name][0] if name in _WIRE else name
    if family not in _DEFAULTS:
        return _unknown(label, names, f"policy {name} is not known here", seed)
    given = entry.get("parameters") or {}
    if not isinstance(given, Mapping):
        raise UnusableLogError(f"manifest: policy {label}: parameters is {given!r:.60}; expected an object")
    parameters = {k: v for k, v in given.items() if k != "features"}
    if family == "oracle":
        names = names or ("expected_reward",)
        if len(names) != 1:
            return _unknown(label, names, f"policy {name} sees {len(names)} features, not the truth alone", seed)
    if family in ("linucb_disjoint", "linucb_hybrid") and "is_llm" not in (names or ()):
        return _unknown(label, names, f"policy {name}: no feature tells tasks and tips apart", seed)
    schedule = parameters.pop("schedule", "harmonic") if family == "egreedy" else "harmonic"
    if not isinstance(schedule, str) or schedule not in _SCHEDULES:
        return _unknown(label, names, f"policy {name}: schedule {schedule!r:.40} is not known here", seed)
    warm = _warm(label, parameters.pop("warm", "")) if family in _WARM else None
    strange = sorted(set(parameters) - set(_DEFAULTS[family]))
    if strange:
        return _unknown(label, names, f"policy {name}: parameters not known here, {', '.join(strange)}", seed)
    for key, value in parameters.items():
        low, high = _RANGES[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise UnusableLogError(
                f"manifest: policy {label}: {key} is {value!r:.60}; expected a number from {low:g} to {high:g}"
            )
        if key in _WHOLE and int(value) != value:
            raise UnusableLogError(f"manifest: policy {label}: {key} is {value!r}; expected a whole number")
    rule = Rule(label, family, {**_DEFAULTS[family], **parameters}, names, (), schedule, seed, warm=warm)
    return rule._replace(notes=_notes(rule))


def _warm(label: str, text: object) -> tuple[F64, F64] | None:
    """The A and b of a warm start: base64 of float64, the upper triangle of A^-1 by rows, b, and theta."""
    if text == "":
        return None
    try:
        if not isinstance(text, str) or not text.startswith("gaussian:"):
            raise ValueError("it does not begin with `gaussian:`")
        numbers = np.frombuffer(base64.b64decode(text.removeprefix("gaussian:"), validate=True), "<f8")
        d = int((np.sqrt(25.0 + 8.0 * len(numbers)) - 5.0) / 2.0)  # d (d + 1) / 2 + 2 d numbers
        rows, columns = np.triu_indices(d)
        inverse = np.empty((d, d))
        inverse[rows, columns] = inverse[columns, rows] = numbers[: len(rows)]
        A = np.asarray(np.linalg.inv(inverse), np.float64)
        b = np.asarray(numbers[len(rows) : len(rows) + d], np.float64)
        if not np.allclose(A @ numbers[len(rows) + d :], b, rtol=1e-6, atol=1e-9):
            raise ValueError("its b is not A theta")
    except (ValueError, np.linalg.LinAlgError) as error:
        raise UnusableLogError(
            f"manifest: policy {label}: warm is not a Gaussian: {error}; expected `gaussian:` and base64 of float64: "
            "the upper triangle of A^-1 by rows, b and theta"
        ) from error
    return A, b


def _names(entry: Mapping[str, Any]) -> tuple[str, ...] | None:
    features = entry.get("features")
    names = features.get("names") if isinstance(features, Mapping) else None
    if names is None or isinstance(names, list | tuple):
        return None if names is None else tuple(str(name) for name in names)
    raise UnusableLogError(
        f"manifest: policy {entry['label']}: features: names is {names!r:.60}; expected a list of names"
    )


def _notes(rule: Rule) -> tuple[str, ...]:
    notes = []
    if rule.family in _SEEDED and rule.seed is None:
        notes.append("scores are not derived again: they need the policy's own noise, and there is no seed")
    if rule.names is None:
        notes.append("features are not derived again: no manifest names them")
    elif not derivable(rule.names) and rule.family != "oracle":
        notes.append("features are not derived again: they do not follow from the logged columns")
    return tuple(notes)


def _unknown(label: str, names: tuple[str, ...] | None, why: str, seed: int | None = None) -> Rule:
    vectors = "" if names is None or not derivable(names) else "features, "
    note = f"{why}: {vectors}propensities and draws are checked, scores are not"
    rule = Rule(label, "", {}, names, (), seed=seed)
    return rule._replace(notes=(note, *_notes(rule)))
