"""Checks policies against their baselines, cheapest layer first: environment, hashes, audit, statistics, drift."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from oo_sim.audit import PolicyReport, UnusableLogError
from oo_sim.contract import I64, Policy
from oo_sim.engine.forks import processes
from oo_sim.entrants import Entrant, entrants
from oo_sim.errors import GateError, RunFailedError, UnknownPolicyError
from oo_sim.experiment import lanes
from oo_sim.gate import environment
from oo_sim.gate.baseline import DIRECTORY, Baseline, find, path_of, stored
from oo_sim.gate.judge import Finding, Judgement, alpha_at, judge
from oo_sim.gate.measure import Measured, Stage
from oo_sim.gate.recording import source_hash, stage
from oo_sim.gate.results import CHANGE, Case, Layer, Report, Status, Verdict
from oo_sim.scenario import PolicyKey, Scenario, parse_spec, policy_key
from oo_sim.show.text import plain
from oo_sim.studies.pairs import largest_difference
from oo_sim.worlds import build

_PARTS = {
    "scenario": "the scenario has changed",
    "streams": "the random streams are different",
    "contexts": "the users' contexts are different",
    "oracle": "the oracle's rewards are different",
}


class Job(NamedTuple):
    """A policy to check, in the scenario that its baseline was recorded in."""

    ready: Stage
    entrant: Entrant
    baseline: Baseline


def check(
    *scenarios: str | Path | Scenario,
    policies: Sequence[str | Policy] | None = None,
    directory: Path = DIRECTORY,
    workers: int | None = None,
    threads: int | None = None,
    strict: bool = False,
    unchecked: bool = False,
) -> Report:
    """Check every baseline of these scenarios (of all that were recorded), or of these policies alone.

    With `strict`, changed bits fail until they are accepted, whatever the statistics say. A policy is a spec, or a
    Policy that stands in for the one whose name it has. A private one whose lanes interact is refused as by `run`,
    unless `unchecked` or recorded so. `workers` is that of `run`. Raises GateError, ScenarioError,
    SpecError, UnknownPolicyError.
    """
    count = processes(workers, threads)
    return Report(tuple(examine(job, count, strict) for job in jobs(scenarios, policies, directory, unchecked)))


def jobs(
    scenarios: Sequence[str | Path | Scenario],
    policies: Sequence[str | Policy] | None,
    directory: Path,
    unchecked: bool,
) -> list[Job]:
    """What is to be checked. Raises GateError where something has no baseline."""
    known = [each.unchecked() if unchecked else each for each in find(directory)]
    where = f"in {plain(directory)}; record one with `oo-sim gate record`"
    if not known:
        raise GateError(f"there is no baseline {where}")
    wanted = None if policies is None else {policy_key(_label(each)): each for each in policies}
    sources = scenarios or list(dict.fromkeys(baseline.facts.source for baseline in known))
    found: list[Job] = []
    for source in sources:
        ready = stage(source)
        own = [each for each in known if each.facts.scenario == ready.scenario.name]
        if not own:
            raise GateError(f"{plain(ready.scenario.name)}: there is no baseline {where}")
        found += [
            _job(ready, each, wanted, directory)
            for each in own
            if wanted is None or policy_key(each.facts.policy) in wanted
        ]
    recorded = {policy_key(job.baseline.facts.policy) for job in found}
    missing = {_label(each) for key, each in (wanted or {}).items() if key not in recorded}
    if missing:
        raise GateError(f"{plain(', '.join(sorted(missing)))}: there is no baseline {where}")
    for job in found:
        if not job.baseline.facts.unchecked:
            lanes.check(job.ready.world, [job.entrant], job.ready.scenario.seed)
    return found


def _label(policy: str | Policy) -> str:
    return policy.name if isinstance(policy, Policy) else str(parse_spec(policy))


def _job(ready: Stage, baseline: Baseline, wanted: Mapping[PolicyKey, str | Policy] | None, directory: Path) -> Job:
    """The scenario runs as long as it was recorded; whether it is the same one otherwise is for the check to say."""
    label, rounds = baseline.facts.policy, baseline.facts.marks[-1]
    scenario = ready.scenario.with_(rounds=rounds)
    ready = ready._replace(scenario=scenario, world=build(scenario))
    try:
        (entrant,) = entrants(ready.world, [label if wanted is None else wanted[policy_key(label)]])
    except UnknownPolicyError as error:
        path = path_of(directory, baseline.facts.scenario, label)
        raise UnknownPolicyError(f"{plain(path)}: {error}; delete the baseline of a policy that is gone") from error
    return Job(ready, entrant, baseline)


def examine(job: Job, workers: int | None = None, strict: bool = False) -> Case:
    """Check one policy."""
    start, facts, found = time.perf_counter(), job.baseline.facts, _Check(job, workers)
    verdict = found.verdict()
    layers = tuple(found.layers)
    if strict and verdict in (Verdict.EQUIVALENT, Verdict.IMPROVED):
        verdict = Verdict.CHANGED
        layers = tuple(replace(each, status=Status.FAILED) if each.name in CHANGE else each for each in layers)
    return Case(
        facts.scenario,
        facts.policy,
        verdict,
        layers,
        found.judgement,
        found.users,
        time.perf_counter() - start,
        found.drift,
    )


class _Check:
    """One policy's way through the layers; it stops where nothing more can be said.

    `users` were run; `judgement` and `drift`, against the baseline and its anchor, are None where none was needed.
    """

    def __init__(self, job: Job, workers: int | None) -> None:
        self.job, self.workers, self.users = job, workers, 0
        self.layers: list[Layer] = []
        self.judgement: Judgement | None = None
        self.drift: Judgement | None = None
        self._largest = largest_difference(job.ready.scenario.canonical(), "expected")
        self._noted = time.perf_counter()

    def verdict(self) -> Verdict:
        """Go through the layers."""
        comparable, sound = self._environment(), True
        try:
            first = self._run(0, self.job.baseline.facts.looks[0])
            if comparable and self._hashes(first):
                return Verdict.IDENTICAL
            self._first_difference(first)
            sound = self._audit(first)
            if comparable:
                found = self._statistics(first)
            else:
                self._note("statistics", Status.SKIPPED, "the baseline is of another environment")
                found = Verdict.NOT_COMPARABLE
        except RunFailedError as error:
            self._note("run", Status.FAILED, str(error))
            found = Verdict.FAILED
        return found if sound else Verdict.VIOLATION

    def _note(self, layer: str, status: Status, text: str) -> bool:
        now = time.perf_counter()
        self.layers.append(Layer(layer, status, text, now - self._noted))
        self._noted = now
        return status is Status.PASSED

    def _environment(self) -> bool:
        facts, (ready, _, _) = self.job.baseline.facts, self.job
        found = environment.differences(facts.environment, environment.fingerprint(ready.scenario, ready.world))
        if tuple(ready.marks) != facts.marks:
            return self._note("environment", Status.FAILED, "not comparable: other checkpoints; record it again")
        if not found:
            said = "the scenario, its streams, contexts and oracle are as recorded"
            return self._note("environment", Status.PASSED, said)
        said = "; ".join(_PARTS[part] for part in found)
        where = environment.changed(facts.settings, environment.settings(ready.scenario))
        text = f"not comparable: {said}" + (f" ({where})" if where else "")
        return self._note("environment", Status.FAILED, text + self._elsewhere())

    def _elsewhere(self) -> str:
        found = environment.elsewhere(self.job.baseline.facts.versions)
        return f"; recorded with {found}" if found else ""

    def _run(self, first: int, after: int) -> Measured:
        self.users = after
        return self.job.ready.run(self.job.entrant, first, after - first, self.workers)

    def _hashes(self, first: Measured) -> bool:
        facts = self.job.baseline.facts
        if (first.decisions, first.curves) == (facts.decisions, facts.curves):
            said = f"all decisions and rewards of {facts.looks[0]:,} users are as recorded, bit for bit"
            return self._note("hashes", Status.PASSED, said)
        what = "decisions" if first.curves == facts.curves else "decisions and rewards"
        if said := environment.changed(facts.parameters, dict(self.job.entrant.policy.parameters)):
            what += f", and the policy's parameters: {said}"
        elif self.job.entrant.hash != facts.policy_hash:
            what += ", and the policy's name or features"
        if facts.code and source_hash(self.job.entrant) != facts.code:
            what += ", and the file that the policy is written in"
        return self._note("hashes", Status.SKIPPED, f"changed: {what}{self._elsewhere()}")

    def _first_difference(self, first: Measured) -> None:
        """Names the first decision that is another one: user, round, field, before and after."""
        before = self.job.baseline.log
        if before is None or first.sample is None:
            return
        self._note("first difference", Status.SKIPPED, first_difference(before, first.sample.log()))

    def _audit(self, first: Measured) -> bool:
        assert first.sample is not None
        try:
            report = first.sample.audit()
        except UnusableLogError as error:
            return self._note("audit", Status.FAILED, f"the log can't be audited: {error}")
        wrong = [_first_of(policy) for policy in report.policies if policy.first is not None]
        wrong += [str(refused) for refused in report.refused]
        if wrong:
            return self._note("audit", Status.FAILED, "; ".join(wrong))
        decisions = sum(policy.decisions for policy in report.policies)
        notes = "".join(f"; {note}" for policy in report.policies for note in policy.notes)
        return self._note("audit", Status.PASSED, f"{decisions:,} decisions derived again, none is wrong{notes}")

    def _statistics(self, first: Measured) -> Verdict:
        """Looks at more and more of the stored users, until there is an answer or no user is left."""
        baseline, scale = self.job.baseline, self.job.ready.world.scale
        looks = baseline.facts.looks
        totals = stored(first.totals, scale)
        for look, after in enumerate(looks):
            if look:
                more = stored(self._run(looks[look - 1], after).totals, scale)
                totals = np.concatenate([totals, more], axis=-1)
            facts, alpha = baseline.facts, alpha_at(look, looks)
            steps, last = baseline.steps(totals), look == len(looks) - 1
            judgement = judge(steps, facts.marks, facts.margin, alpha=alpha, last=last, largest=self._largest)
            if judgement.finding is not Finding.INCONCLUSIVE:
                break
        self.judgement = judgement
        bad = judgement.finding in (Finding.REGRESSED, Finding.INCONCLUSIVE)
        self._note("statistics", Status.FAILED if bad else Status.PASSED, describe(judgement))
        return Verdict.REGRESSED if self._drifted(totals) else Verdict(judgement.finding.value)

    def _drifted(self, totals: I64) -> bool:
        """Whether all that was accepted since the anchor, and this change, add up to a regression."""
        baseline = self.job.baseline
        if not baseline.has_drifted:
            return False
        facts = baseline.facts
        self.drift = judge(baseline.drift(totals), facts.marks[-1:], facts.margin, largest=self._largest)
        lost = self.drift.finding is Finding.REGRESSED
        advice = "; `oo-sim gate accept --anchor` takes it as the new zero" if lost else ""
        text = f"{describe(self.drift)}; this change and all that were accepted since the anchor{advice}"
        self._note("drift", Status.FAILED if lost else Status.PASSED, text)
        return lost


def _first_of(policy: PolicyReport) -> str:
    """The first wrong decision, and how many fail each check."""
    counts = ", ".join(f"{check} {count.wrong:,}" for check, count in policy.checks.items() if count.wrong)
    return f"{policy.first} (wrong in all: {counts})"


def first_difference(before: pa.Table, after: pa.Table) -> str:
    """The first decision of the logged users that is not as recorded."""
    keys = ("t", "user")
    old, new = ({tuple(row[k] for k in keys): row for row in table.to_pylist()} for table in (before, after))
    for key in sorted(old.keys() | new.keys()):
        was, now = old.get(key), new.get(key)
        where = f"user-{key[1]}, decision {key[0] + 1} (t={key[0]})"
        if was is None or now is None:
            return f"{where}: {'was not made before' if was is None else 'is not made any more'}"
        fields = [name for name in was if was[name] != now[name]]
        if fields:
            said = ", ".join(f"{name} {_shown(was[name])} before, {_shown(now[name])} now" for name in fields)
            return f"{where}: {said}"
    return f"none in the {len({user for _, user in old})} users whose decisions are kept; others differ"


def _shown(value: object) -> str:
    return "null" if value is None else f"{value:.17g}" if isinstance(value, float) else str(value)


def describe(judgement: Judgement) -> str:
    """The statistics in a sentence."""
    d = judgement.difference
    level = 100 * (1 - 2 * judgement.alpha)
    return (
        f"{judgement.finding.value}: {d.estimate:+.5f} reward per decision, {level:g} % interval {d.lower:+.5f} to "
        f"{d.upper:+.5f} over {d.n:,} users, margin {judgement.margin:.5f}: {judgement.why}"
    )
