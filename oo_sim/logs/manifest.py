"""What a log says about itself: `manifest.json` as a typed, frozen record, checked entry by entry when read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from oo_sim.contract import Policy
from oo_sim.errors import RunLogError

FORMATS = (1, 2)
"""The versions of the log that are read here; the last one is written."""

_KINDS: Mapping[type, str] = {
    str: "a text",
    dict: "an object",
    list: "a list",
    int: "a whole number",
    bool: "true or false",
}
_REQUIRED: Mapping[str, type] = {
    "name": str,
    "policies": list,
    "seed": int,
    "own_trajectory": bool,
    "has_reactions": bool,
}
_SIMULATED: Mapping[str, type] = {
    "scenario": dict,
    "users": int,
    "rounds": int,
    "replicates": int,
    "content_hash": str,
    "failures": dict,
    "timing": dict,
}
"""What the manifest of a simulated run says besides; a served export says none of it."""


@dataclass(frozen=True, slots=True)
class LoggedPolicy:
    """A policy as a log describes it: what a reader needs to build it again."""

    label: str
    name: str = ""
    hash: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    features: str = ""  # the name of its feature map
    feature_names: tuple[str, ...] = ()
    bank: Mapping[str, Any] | None = None  # the tip bank that it met, with its label under `bank`

    @classmethod
    def of(cls, label: str, policy: Policy, policy_hash: str, bank: Mapping[str, Any] | None = None) -> Self:
        """The description of a policy."""
        f = policy.features
        return cls(label, policy.name, policy_hash, dict(policy.parameters), f.name, tuple(f.names), bank)

    def as_dict(self) -> dict[str, Any]:
        """The entry of `policies` in `manifest.json`."""
        entry = {
            "label": self.label,
            "name": self.name,
            "hash": self.hash,
            "parameters": dict(self.parameters),
            "features": {"name": self.features, "names": list(self.feature_names)},
        }
        return entry if self.bank is None else entry | {"llm": dict(self.bank)}

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> Self:
        """The policy that an entry of `manifest.json` describes. Raises `ValueError` for what is not one."""
        if not isinstance(entry, dict) or not isinstance(entry.get("label"), str):
            raise ValueError("must be an object with a `label`")
        features, parameters, bank = entry.get("features", {}), entry.get("parameters", {}), entry.get("llm")
        names = features.get("names", []) if isinstance(features, dict) else None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError("`features` must be an object with a list of `names`")
        if not isinstance(parameters, dict) or not (bank is None or isinstance(bank, dict)):
            raise ValueError("`parameters` and `llm` must be objects")
        name, policy_hash = (str(entry.get(key, "")) for key in ("name", "hash"))
        return cls(entry["label"], name, policy_hash, parameters, str(features.get("name", "")), tuple(names), bank)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a log says about itself. A log is `served` when a server exported it, and simulated otherwise.

    `users`, `rounds` (the most decisions of a user) and `replicates` are the sizes of the log. `own_trajectory` is
    True where what was offered depended on what was served before.
    """

    name: str
    policies: tuple[LoggedPolicy, ...]
    seed: int
    users: int
    rounds: int
    replicates: int = 1
    own_trajectory: bool = False
    has_reactions: bool = True
    scenario: Mapping[str, Any] = field(default_factory=dict)
    scenario_hash: str = ""
    content_hash: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)  # label -> message
    timing: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # label -> seconds, decisions_per_second
    played: Mapping[str, str] = field(default_factory=dict)  # label -> tiles, or the loop and why
    threads: int = 1
    window: float | None = None  # for how long a reward counts: rounds when simulated, seconds when served
    rows: Mapping[str, int] = field(default_factory=dict)  # rows of the event tables
    exported_at: str | None = None  # ISO 8601, when served
    checkpoints: str = "all"  # of the users table: all, last, off, or numbers of rounds
    moments: Mapping[str, Any] = field(default_factory=dict)  # label -> exact sums over users, where there is no table
    unchecked: tuple[str, ...] = ()  # private policies that ran without the check of their lanes
    served: bool = False  # then there is no scenario, and nothing that only a simulation knows
    format: int = FORMATS[-1]

    @property
    def labels(self) -> list[str]:
        """The labels of the policies, in order."""
        return [policy.label for policy in self.policies]

    def as_dict(self) -> dict[str, Any]:
        """What `manifest.json` holds."""
        sizes = {"users": self.users, "rounds": self.rounds, "replicates": self.replicates}
        simulated = {
            "scenario": dict(self.scenario),
            "scenario_hash": self.scenario_hash,
            "content_hash": self.content_hash,
            "failures": dict(self.failures),
            "timing": {label: dict(rate) for label, rate in self.timing.items()},
            "played": dict(self.played),
            "threads": self.threads,
            **({} if self.checkpoints == "all" else {"checkpoints": self.checkpoints}),
            **({"moments": dict(self.moments)} if self.moments else {}),
            **({"unchecked": list(self.unchecked)} if self.unchecked else {}),
        }
        return {
            "format": self.format,
            "name": self.name,
            "policies": [policy.as_dict() for policy in self.policies],
            "seed": self.seed,
            **sizes,
            "own_trajectory": self.own_trajectory,
            "has_reactions": self.has_reactions,
            "window": self.window,
            "rows": dict(self.rows),
            "versions": dict(self.versions),
            **({"exported_at": self.exported_at} if self.served else {}),
            **({} if self.served else simulated),
        }

    @classmethod
    def from_dict(cls, data: object, path: Path) -> Self:
        """The manifest that a file holds. Raises `RunLogError`, naming `path` and the entry that is wrong."""
        if not isinstance(data, dict) or "format" not in data:
            raise RunLogError(path, "is not the manifest of a run: it has no `format`")
        if data["format"] not in FORMATS:
            known = " and ".join(map(str, FORMATS))
            raise RunLogError(path, f"has format {data['format']!r:.40}; this version reads format {known}")
        _check(path, data, _REQUIRED)
        if "scenario" in data:
            _check(path, data, _SIMULATED)
            _check_results(path, data)
        policies = []
        for index, entry in enumerate(data["policies"]):
            try:
                policies.append(LoggedPolicy.from_dict(entry))
            except ValueError as error:
                raise RunLogError(path, f"`policies[{index}]` {error}") from error
        _check_later(path, data)
        said: dict[str, Any] = {key: data[key] for key in cls.__dataclass_fields__ if key in data}
        said["unchecked"] = tuple(map(str, data.get("unchecked") or ()))
        sizes = {"users": 0, "rounds": 0}  # of which exports in format 1 say nothing
        return cls(
            **sizes | said | _since_format_2(data) | {"policies": tuple(policies), "served": "scenario" not in data}
        )

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read `manifest.json`. Raises `RunLogError` where it is missing, not JSON, or says something wrong."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise RunLogError(path, f"is missing, so this is not a run directory{_instead(path.parent)}") from error
        except OSError as error:
            raise RunLogError(path, f"cannot be read: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise RunLogError(path, f"is not JSON: {(str(error).splitlines() or [''])[0][:200]}") from error
        return cls.from_dict(data, path)


def _instead(directory: Path) -> str:
    """What a directory without a manifest is, where that can be told."""
    if (directory / "work.json").exists():
        return (
            " but a work directory: oo-sim show --partial shows what is done; its own command, or oo-sim merge of all "
            "shards, makes a run of it"
        )
    runs = sorted(path.parent.name for path in directory.glob("*/manifest.json"))
    return f"; it holds {', '.join(runs[:3])}{', ...' * (len(runs) > 3)}" if runs else ""


def seconds(text: str) -> float:
    """A length of time such as `90s`, `15m`, `24h` or `7d`, in seconds. Raises `ValueError`."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smhd])", text.strip())
    if not found:
        raise ValueError(f"{text!r} is not a length of time; 90s, 15m, 24h or 7d are")
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]]


def _check(path: Path, data: Mapping[str, Any], required: Mapping[str, type]) -> None:
    for key, kind in required.items():
        value = data.get(key)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise RunLogError(path, f"`{key}` must be {_KINDS[kind]}, not {value!r:.40}")


def _check_later(path: Path, data: Mapping[str, Any]) -> None:
    """What format 2 added."""
    window, rows, exported = data.get("window"), data.get("rows", {}), data.get("exported_at")
    if window is not None and (isinstance(window, bool) or not isinstance(window, int | float) or not window >= 0):
        raise RunLogError(path, f"`window` must be a number of at least 0 or null, not {window!r:.40}")
    if not isinstance(rows, dict) or not all(isinstance(value, int) for value in rows.values()):
        raise RunLogError(path, f"`rows` must be an object of whole numbers, not {rows!r:.40}")
    if exported is not None:
        try:
            datetime.fromisoformat(exported)
        except (TypeError, ValueError) as error:
            raise RunLogError(path, f"`exported_at` must be a time in ISO 8601: {error}") from error


def _since_format_2(data: Mapping[str, Any]) -> dict[str, Any]:
    """What format 1 did not say, where it follows from what it did."""
    if data["format"] > 1 or "scenario" not in data:
        return {}
    feedback = data["scenario"].get("feedback") or {}
    return {"window": feedback.get("window", 200) if feedback.get("delay") else 0}


def _check_results(path: Path, data: Mapping[str, Any]) -> None:
    for key in ("users", "rounds", "replicates"):
        if data[key] < 1:
            raise RunLogError(path, f"`{key}` must be at least 1, not {data[key]!r:.40}")
    for label, rate in data["timing"].items():
        if not isinstance(rate, dict) or not all(isinstance(value, int | float) for value in rate.values()):
            raise RunLogError(path, f"`timing[{label!r:.40}]` must be an object of numbers, not {rate!r:.40}")
    for key in ("failures", "played"):
        texts = data.get(key, {})
        if not isinstance(texts, dict):
            raise RunLogError(path, f"`{key}` must be an object, not {texts!r:.40}")
        for label, text in texts.items():
            if not isinstance(text, str):
                raise RunLogError(path, f"`{key}[{label!r:.40}]` must be a text, not {text!r:.40}")
