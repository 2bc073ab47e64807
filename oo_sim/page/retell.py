"""Says in words what was run, what looks wrong with it, and with which command it is run again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import NamedTuple

import yaml

from oo_sim.logs import Manifest
from oo_sim.policies import ALIASES, POLICIES
from oo_sim.scenario import (
    LinearWorld,
    Scenario,
    ScenarioError,
    Span,
    SpecError,
    TipsWorld,
    lint,
    load,
    parse_spec,
    shipped,
    validate,
)
from oo_sim.show import count, plain

_CHANGES = {
    "drift": "preferences drift",
    "fatigue": "appetite for the same thing drops with each showing",
    "churn": "users leave for good",
    "arrivals": "users come in the course of time",
}
_OVERRIDES = ("users", "rounds", "replicates", "seed")


class Repeat(NamedTuple):
    """How to run it again: commands, remarks, and the scenario file that they require, None for a shipped one."""

    commands: tuple[str, ...]
    remarks: tuple[str, ...]
    file: str | None


def scenario_of(manifest: Manifest) -> Scenario | None:
    """The scenario that was run; None where the manifest holds none that is valid here."""
    try:
        return validate(manifest.scenario)
    except ScenarioError:
        return None


def in_words(scenario: Scenario) -> Iterator[str]:
    """The scenario in sentences."""
    if scenario.description:
        yield plain(scenario.description, 2000)
    times = f", in {scenario.replicates:,} replicates" if scenario.replicates > 1 else ""
    present = isinstance(scenario.world, LinearWorld) or not (scenario.world.churn or scenario.world.arrivals)
    most = "" if present else "up to "
    decisions = f"{most}{count(scenario.rounds, 'decision')} each"
    yield f"{count(scenario.users, 'user')}, {decisions} under every policy{times}."
    if scenario.feedback:
        yield "Rewards are reported late, or never, as the scenario says under feedback."
    yield from _linear(scenario.world) if isinstance(scenario.world, LinearWorld) else _tips(scenario.world)


def _linear(world: LinearWorld) -> Iterator[str]:
    noise = f"Gaussian noise of standard deviation {world.noise_sd:g}" if world.noise == "gaussian" else "rewards of ±1"
    yield (
        f"In each round {world.candidates} fresh context vectors in {count(world.dimension, 'dimension')}; the mean "
        f"reward is x'θ with a θ of norm {world.theta_norm:g} for each user, with {noise}."
    )


def _tips(world: TipsWorld) -> Iterator[str]:
    stay = "that stay and age until they are done" if world.tasks.mode == "backlog" else "drawn afresh in each round"
    tips = f", and {_span(world.tips.count)} LLM tips" if _most(world.tips.count) else ""
    yield f"On offer: {_span(world.tasks.count)} tasks {stay}{tips}."
    total = sum(segment.weight for segment in world.segments)
    shares = ", ".join(f"{plain(s.name, 40)} {s.weight / total * 100:.0f} %" for s in world.segments)
    yield f"Users belong to {count(len(world.segments), 'segment')}: {shares}."
    if world.reactions.no_reaction:
        yield f"{world.reactions.no_reaction * 100:g} % of decisions draw no reaction."
    changes = [words for name, words in _CHANGES.items() if getattr(world, name)]
    if changes:
        yield f"Users change: {', '.join(changes)}, as the scenario says."


def _span(count: int | Span) -> str:
    if isinstance(count, int):
        return str(count)
    return str(count.max) if count.min == count.max else f"{count.min} to {count.max}"


def _most(count: int | Span) -> int:
    return count if isinstance(count, int) else count.max


def warnings(manifest: Manifest, scenario: Scenario | None) -> list[str]:
    """Policies that failed, and what the lint finds in the scenario."""
    found = [f"{plain(label, 60)} failed: {plain(why)}" for label, why in manifest.failures.items()]
    if scenario is None:
        return found
    return found + [plain(f"{problem.where}: {problem.message}") for problem in lint(scenario)]


def repeat(manifest: Manifest, scenario: Scenario | None) -> Repeat:
    """The command that runs it again, bit for bit, and what it needs."""
    if scenario is None:
        return Repeat((), ("The manifest holds no scenario that this version can read.",), None)
    kept, remarks = _policies(manifest)
    if not kept:
        return Repeat((), tuple(remarks), None)
    scenario, banks = scenario.with_(policies=kept), _banks(manifest)
    if banks:
        remarks.append("It requires the tip banks that are named below, from oo-sim generate.")
    known = _shipped(scenario)
    if known is not None:
        command = ["oo-sim", "run", scenario.name, *_changes(known, scenario), *banks]
        return Repeat((shlex.join(command),), tuple(remarks), None)
    text = yaml.safe_dump(scenario.canonical(), sort_keys=False, allow_unicode=True, width=100, default_flow_style=None)
    return Repeat((shlex.join(["oo-sim", "run", f"{scenario.name}.yaml", *banks]),), tuple(remarks), text)


def _policies(manifest: Manifest) -> tuple[list[str], list[str]]:
    """The specs of the policies, without those that have none; and what to say about private ones."""
    kept, remarks = [], []
    for policy in manifest.policies:
        bank = (policy.bank or {}).get("bank")
        label = policy.label.removesuffix(f"+{bank}") if bank else policy.label
        try:
            name = parse_spec(label).name
        except SpecError:
            name = ""
        if ":" in name:
            remarks.append(f"{plain(label, 60)} is a private policy: run where Python finds its module.")
        elif name not in POLICIES and name not in ALIASES:
            remarks.append(f"{plain(label, 60)} was handed over in Python, so no command can name it; it is left out.")
            continue
        kept.append(label)
    return list(dict.fromkeys(kept)), list(dict.fromkeys(remarks))


def _banks(manifest: Manifest) -> list[str]:
    """The option that names the tip banks of the run."""
    met = [policy.bank for policy in manifest.policies if policy.bank]
    if not met:
        return []
    found = dict.fromkeys(str(bank["bank"]).partition("@")[0] for bank in met)
    files = ["--llm", ",".join(bank if bank == "none" else f"{bank}.parquet" for bank in found)]
    kinds = list(dict.fromkeys(str(bank["bank"]).partition("@")[2] for bank in met if "@" in str(bank["bank"])))
    return [*files, "--appeal", ",".join(kinds)] if kinds else files


def _shipped(scenario: Scenario) -> Scenario | None:
    """The shipped scenario that differs in nothing but what the command line can say."""
    if scenario.name not in shipped():
        return None
    known = load(scenario.name)
    sizes = {name: getattr(scenario, name) for name in (*_OVERRIDES, "policies")}
    return known if known.with_(**sizes).canonical() == scenario.canonical() else None


def _changes(known: Scenario, scenario: Scenario) -> Iterator[str]:
    for name in _OVERRIDES:
        if getattr(known, name) != getattr(scenario, name):
            yield f"--{name}={getattr(scenario, name)}"
    if known.policies != scenario.policies:
        for spec in scenario.policies:
            yield from ("--policy", spec)
