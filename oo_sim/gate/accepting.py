"""Takes what a policy does now as its new baseline: a deliberate act, with a reason, that the baseline remembers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from oo_sim.contract import Policy
from oo_sim.engine.forks import processes
from oo_sim.errors import GateError
from oo_sim.gate.baseline import DIRECTORY, Accepted, Baseline, save
from oo_sim.gate.checking import Job, examine, jobs
from oo_sim.gate.judge import Finding
from oo_sim.gate.recording import baseline_of
from oo_sim.gate.results import Case, Verdict
from oo_sim.scenario import Scenario
from oo_sim.show.text import plain


@dataclass(frozen=True)
class Acceptance:
    """What the check said of a policy, and the new baseline's file; None where nothing was taken, and why."""

    case: Case
    path: Path | None
    why: str

    @property
    def refused(self) -> bool:
        """Whether there was a change, and it was not taken."""
        return self.path is None and self.case.verdict is not Verdict.IDENTICAL


def accept(
    *scenarios: str | Path | Scenario,
    reason: str,
    policies: Sequence[str | Policy] | None = None,
    anchor: bool = False,
    directory: Path = DIRECTORY,
    workers: int | None = None,
    threads: int | None = None,
    unchecked: bool = False,
) -> list[Acceptance]:
    """Check, and record anew what changed. The anchor stays while no difference from it is beyond doubt.

    So losses that are too small to be seen add up: once they are beyond the margin together, they are not accepted
    unless the anchor is moved too. It moves by itself where all of the loss is this one change's, in plain view; where
    there is a gain, so that nothing can be lost of it unseen; and in another environment. Nothing is taken of what is
    identical, fails, or fails its audit. Raises GateError without a reason, and what `check` raises.
    """
    if not reason.strip():
        raise GateError("reason: it is empty; say why the change is right, for those who read the baseline later")
    count = processes(workers, threads)
    return [
        _accepted(job, plain(reason.strip()), anchor, directory, count)
        for job in jobs(scenarios, policies, directory, unchecked)
    ]


def _accepted(job: Job, reason: str, anchor: bool, directory: Path, workers: int | None) -> Acceptance:
    case = examine(job, workers)
    if refusal := _refusal(case, anchor):
        return Acceptance(case, None, refusal)
    moved = anchor or _moves_anchor(case)
    return Acceptance(case, save(_renewed(job, case, reason, moved, workers), directory), _said(moved))


def _moves_anchor(case: Case) -> bool:
    since = case.drift or case.judgement
    return since is None or since.finding in (Finding.REGRESSED, Finding.IMPROVED)


def _refusal(case: Case, anchor: bool) -> str:
    if case.verdict is Verdict.IDENTICAL:
        return "nothing to accept: identical"
    if case.verdict is Verdict.VIOLATION:
        return "not accepted: its decisions fail the audit, and no reason makes them right"
    if case.verdict is Verdict.FAILED:
        return "not accepted: the policy fails"
    if case.drift is not None and case.drift.finding is Finding.REGRESSED and not anchor:
        return (
            "not accepted: together with earlier ones the loss is beyond the margin; --anchor takes it as the new zero"
        )
    return ""


def _said(moved: bool) -> str:
    return "accepted; it is the new anchor" if moved else "accepted; the anchor stays, so that losses add up"


def _renewed(job: Job, case: Case, reason: str, moved: bool, workers: int | None) -> Baseline:
    old = job.baseline
    d = None if case.judgement is None else case.judgement.difference
    entry = Accepted(
        reason=reason,
        difference=d and d.estimate,
        lower=d and d.lower,
        upper=d and d.upper,
        users=case.users,
    )
    facts = old.facts
    return baseline_of(
        job.ready,
        job.entrant,
        old.users,
        facts.margin,
        facts.power,
        workers,
        None if moved else old.anchor,
        (entry,) if moved else (*facts.accepted, entry),
        facts.unchecked,
    )
