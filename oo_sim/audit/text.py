"""An audit's report as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from oo_sim.audit.report import PARTS, PolicyReport, Report


def lines(report: Report) -> Iterator[str]:
    """How much was derived again, then what was checked, what is wrong, and what was refused, policy by policy."""
    yield from _derived(report)
    for policy in report.policies:
        yield from _policy(policy)
    yield from report.cut
    for refused in report.refused:
        yield str(refused)
    if not report.policies:
        yield "There are no decisions in this log."
    yield _verdict(report)


def _derived(report: Report) -> Iterator[str]:
    """The first lines: a clean report of what was not looked at would say nothing."""
    for policy in report.policies:
        if policy.unchecked:
            missing = ", ".join(policy.unchecked)
            yield f"Not derived again: {missing} of {policy.label} ({policy.decisions:,} decisions)."
    whole = [policy for policy in report.policies if not policy.unchecked]
    if whole:
        count = sum(policy.decisions for policy in whole)
        yield f"Derived again, {', '.join(PARTS)}: {count:,} decisions of {', '.join(p.label for p in whole)}."
    if report.world:
        yield f"World derived again, people, clock, candidates, reactions, feedback: {report.world}."


def _policy(policy: PolicyReport) -> Iterator[str]:
    yield f"{policy.label}: {policy.decisions:,} decisions"
    if policy.first is not None:
        yield f"  first wrong: {policy.first}"
    for check, count in policy.checks.items():
        wrong = f"{count.wrong:,} wrong" if count.wrong else "ok" if count.judged else "the log has none"
        yield f"  {check:<11}{count.judged:>12,} checked  {wrong}"
    for note in policy.notes:
        yield f"  note: {note}"


def _verdict(report: Report) -> str:
    if report.clean and report.complete:
        return "Clean: every decision follows from the log."
    if report.clean:
        return "Nothing wrong was found; what the first lines name was not derived again."
    refused = sum(refused.count for refused in report.refused)
    return f"{_count(report.violations, 'violation')}, {_count(refused, 'row')} refused."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
