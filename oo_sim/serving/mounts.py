"""The policies that a server mounts: each under a label of its own, which is its name in routes, state and logs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from oo_sim.contract import Policy
from oo_sim.errors import ServingError, SpecError, together
from oo_sim.logs import LoggedPolicy
from oo_sim.policies import ALIASES, UnknownPolicyError, learned_with, make, policy_hash
from oo_sim.scenario.spec import parse_spec
from oo_sim.serving import lanes
from oo_sim.serving.replies import RefusalError
from oo_sim.serving.store import Offered, Store

CONTRACT = ("linucb", "egreedy")
"""What every server mounts."""
_WIRE = {name: alias for alias, name in ALIASES.items()}
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_.:,=+-]{0,199}")
_CARRIED = {"oo5", "oo7", "none"}
"""Features that a contract reward carries all of: it does not say whether the tip was an LLM's."""


class Mount(NamedTuple):
    """A policy that is served. `wire` is what replies call it."""

    label: str
    wire: str
    policy: Policy
    packing: lanes.Packing
    hash: str

    @property
    def reward_suffices(self) -> bool:
        """Whether a contract reward carries all that the features need."""
        return self.policy.features.name in _CARRIED

    @property
    def described(self) -> LoggedPolicy:
        """The policy as a run's manifest describes it."""
        return LoggedPolicy.of(self.label, self.policy, self.hash)

    def learned_with(self) -> dict[str, Any]:
        """What the state depends on."""
        found: dict[str, Any] = json.loads(json.dumps(learned_with(self.policy)))  # as a store gives it back
        return found


class Mounts:
    """The mounted policies by label and by wire name."""

    def __init__(self, specs: Sequence[str | Policy] | Mapping[str, str | Policy] = ()) -> None:
        found: dict[str, Mount] = {}
        for label, policy in _labelled(specs):
            if label in found:
                raise ServingError(
                    f"policy {label} is mounted twice; give one of them a name of its own: NAME={label}:..."
                )
            found[label] = _mount(label, policy)
        contract = {name: found[name] if name in found else _mount(name, make(name)) for name in CONTRACT}
        self.all = {**contract, **found}
        self._by_name = {**self.all, **{mount.wire: mount for mount in self.all.values()}}

    def find(self, name: str) -> Mount:
        """The mount of that label or wire name. Raises RefusalError (404)."""
        if (mount := self._by_name.get(name)) is None:
            raise RefusalError(
                404, f"no policy {name[:100]!r} is mounted here; there are {', '.join(self.all)}", "policy"
            )
        return mount


def register(store: Store, mounts: Iterable[Mount]) -> None:
    """Check that every policy can go on from the state that is there, and note down how it decides from now on; to be
    called in a transaction. Raises ServingError where a policy learns otherwise now."""
    known = store.policies()
    for mount in mounts:
        now = mount.learned_with()
        if mount.label not in known:
            store.register(mount.label, now)
        elif known[mount.label] != now:
            raise ServingError(_changed(mount.label, known[mount.label], now))
        store.add_variant(mount.described)


def _changed(label: str, before: Mapping[str, object], now: Mapping[str, object]) -> str:
    keys = [key for key in sorted({*before, *now}) if before.get(key) != now.get(key)]
    was, new = (", ".join(f"{key}={side.get(key)}" for key in keys) for side in (before, now))
    return (
        f"policy {label}: the state here was learned with {was}, and cannot continue with {new}; "
        "mount it as it was or under another name (NAME=SPEC), or rebuild the state with `oo-sim migrate`"
    )


def split_spec(text: str) -> tuple[str, str]:
    """The label and the spec of `SPEC`, labelled by its policy's name, or of `NAME=SPEC`."""
    head, equals, rest = text.partition("=")
    if equals and ":" not in head:
        return head.strip(), rest.strip()
    try:
        return parse_spec(text).name, text
    except SpecError as error:
        raise _unusable(text, error) from error


def _labelled(specs: Sequence[str | Policy] | Mapping[str, str | Policy]) -> list[tuple[str, Policy]]:
    if isinstance(specs, Mapping):
        return together(specs.items(), lambda item: (item[0], _made(item[1])))
    return together(specs, _named)


def _named(one: str | Policy) -> tuple[str, Policy]:
    label, spec = split_spec(one) if isinstance(one, str) else (one.name, one)
    return ALIASES.get(label, label), _made(spec)


def _made(one: str | Policy) -> Policy:
    if isinstance(one, Policy):
        return one
    try:
        spec = parse_spec(one)
        return make(spec.name, dict(spec.parameters))
    except (SpecError, UnknownPolicyError) as error:
        raise _unusable(one, error) from error


def _unusable(spec: str, error: Exception) -> ServingError:
    return ServingError(f"--policy {spec[:200]}: {error}")


def _mount(label: str, policy: Policy) -> Mount:
    """Mount a policy after one decision and one lesson, which also compile what is compiled on first use."""
    if not _LABEL.fullmatch(label):
        raise ServingError(
            f"{label[:200]!r} is not a name to mount a policy under; use letters, digits and _ . : , = + -"
        )
    try:
        _try_out(policy)
        packing = lanes.Packing(policy)
    except Exception as error:
        raise ServingError(f"policy {label} cannot be served: {error}") from error
    return Mount(label, _WIRE.get(label, label), policy, packing, policy_hash(policy))


def _try_out(policy: Policy) -> None:
    user = lanes.draws(0, "")
    offered = lanes.candidates([Offered("", "todoist", None, False, 0.0, 1)] * 2, 12, 0)
    state = policy.init(2)
    decision = lanes.choose(policy, state, offered, 0, user)
    x = np.ascontiguousarray(decision.x[int(decision.chosen[0]), :, 0])
    state = lanes.learn(policy, state, lanes.Lesson(x, 0.5, 0, 0, True), user)
    lanes.Packing(policy).unpack(lanes.pack(state))
