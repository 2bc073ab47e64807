"""Gathers findings over shards of a log into a report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from oo_sim.audit.arrays import I64
from oo_sim.audit.report import CHECKS, Count, Finding, PolicyReport, Refused, Report, Rows, Wrong

_PRECEDENCE = {check: place for place, check in enumerate(CHECKS)}


class _Page:
    """What is known of one policy so far."""

    def __init__(self) -> None:
        self.decisions = 0
        self.counts: dict[str, Count] = {}
        self.firsts: dict[str, Wrong] = {}
        self.notes: dict[str, None] = {}
        self.unchecked: tuple[str, ...] = ()

    def count(self, check: str, more: Count) -> None:
        """Adds to what a check judged."""
        before = self.counts.get(check, Count())
        self.counts[check] = Count(before.judged + more.judged, before.wrong + more.wrong)

    def first(self, found: Wrong) -> None:
        """Takes note of a wrong decision, if it is earlier than the one that is known."""
        known = self.firsts.get(found.check)
        if known is None or found.t < known.t:
            self.firsts[found.check] = found

    def take(self, other: _Page) -> None:
        """Adds another page."""
        self.decisions += other.decisions
        for check, count in other.counts.items():
            self.count(check, count)
        for wrong in other.firsts.values():
            self.first(wrong)
        self.notes |= other.notes
        self.unchecked = tuple(dict.fromkeys((*self.unchecked, *other.unchecked)))


class Ledger:
    """Counts findings and keeps the first wrong decision of each check: the smallest t, then the first user."""

    def __init__(self) -> None:
        self._pages: dict[str, _Page] = {}
        self._refused: dict[tuple[str, str], Refused] = {}
        self._cut: list[str] = []
        self.world = ""

    def _page(self, policy: str) -> _Page:
        return self._pages.setdefault(policy, _Page())

    def decisions(self, policy: str, count: int, notes: Iterable[str] = (), unchecked: tuple[str, ...] = ()) -> None:
        """Adds to a policy's decisions, and notes what is not checked about them."""
        self._page(policy).unchecked = unchecked
        page = self._page(policy)
        page.decisions += count
        page.notes.update(dict.fromkeys(notes))

    def note(self, policy: str, note: str, part: str) -> None:
        """Takes note of a part of a policy that is not derived again."""
        page = self._page(policy)
        page.notes[note] = None
        page.unchecked = (*page.unchecked, part)

    def add(self, policy: str, rows: Rows, finding: Finding) -> None:
        """Adds one check's outcome over `rows`."""
        page, check = self._page(policy), finding.check
        wrong = np.flatnonzero(finding.wrong & finding.judged)
        page.count(check, Count(int(finding.judged.sum()), len(wrong)))
        if len(wrong) == 0:
            return
        i = int(wrong[np.argmin(rows.t[wrong])])
        found = Wrong(
            check,
            policy,
            int(rows.replicates[rows.lane[i]]),
            rows.users[rows.lane[i]],
            int(rows.t[i]),
            _text(finding.logged(i)),
            _text(finding.expected(i)),
        )
        page.first(found)

    def refuse(self, table: str, reason: str, rows: I64) -> None:
        """Counts rows (their numbers in the table) that cannot be judged."""
        if len(rows) == 0:
            return
        found = Refused(table, reason, len(rows), int(rows.min()))
        known = self._refused.get((table, reason))
        self._refused[table, reason] = found if known is None else _together(known, found)

    def rows(self, table: str, found: int, expected: int | None) -> None:
        """Takes note of a table that has another number of rows than its manifest says."""
        if expected is not None and found != expected:
            self._cut.append(f"{table}: {found:,} rows; the manifest says {expected:,}")

    def take(self, other: Ledger) -> None:
        """Adds what another ledger gathered of the shards that come next."""
        for policy, page in other._pages.items():
            self._page(policy).take(page)
        for key, refused in other._refused.items():
            self._refused[key] = refused if key not in self._refused else _together(self._refused[key], refused)
        self._cut += other._cut

    def report(self) -> Report:
        """All of it."""
        policies = tuple(_policy_report(label, page) for label, page in self._pages.items())
        return Report(policies, tuple(self._refused.values()), tuple(self._cut), self.world)


def _together(one: Refused, other: Refused) -> Refused:
    """Two refusals for one reason."""
    return replace(one, count=one.count + other.count, first_row=min(one.first_row, other.first_row))


def _policy_report(label: str, page: _Page) -> PolicyReport:
    order = sorted(page.counts, key=_PRECEDENCE.__getitem__)
    firsts = {check: page.firsts[check] for check in order if check in page.firsts}
    first = min(firsts.values(), key=lambda wrong: wrong.t, default=None)
    counts = {check: page.counts[check] for check in order}
    return PolicyReport(label, page.decisions, counts, first, firsts, tuple(page.notes), page.unchecked)


def _text(value: object) -> str:
    if isinstance(value, float | np.floating):
        return repr(float(value))
    if isinstance(value, np.ndarray):
        return "[" + ", ".join(f"{number:.10g}" for number in value.tolist()) + "]"
    return str(value)
