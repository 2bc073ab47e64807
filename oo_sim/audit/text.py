"""An audit's report as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from oo_sim.audit.report import PolicyReport, Report


def lines(report: Report) -> Iterator[str]:
    """What was checked, what is wrong, and what was refused, policy by policy."""
    for policy in report.policies:
        yield from _policy(policy)
    for refused in report.refused:
        yield str(refused)
    if not report.policies:
        yield "There are no decisions in this log."
    yield _verdict(report)


def _policy(policy: PolicyReport) -> Iterator[str]:
    yield f"{policy.label}: {policy.decisions:,} decisions"
    if policy.first is not None:
        yield f"  first wrong: {policy.first}"
    for check, count in policy.checks.items():
        wrong = f"{count.wrong:,} wrong" if count.wrong else "ok"
        yield f"  {check:<11}{count.judged:>12,} checked  {wrong}"
    for note in policy.notes:
        yield f"  note: {note}"


def _verdict(report: Report) -> str:
    if report.clean:
        return "Clean: every decision that was checked follows from the log."
    refused = sum(refused.count for refused in report.refused)
    return f"{report.violations:,} violations, {refused:,} rows refused."
