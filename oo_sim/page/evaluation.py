"""An evaluation as a chapter of the report: what other policies would have earned in a log, or why it cannot say."""

from __future__ import annotations

from oo_sim.page.chapter import StudyPart, picture
from oo_sim.show import bracketed, plain, signed
from oo_sim.studies import Evaluation
from oo_sim.studies.evaluation import Row


def evaluation_part(found: Evaluation) -> StudyPart:
    """The chapter of an evaluation: one sentence a policy, the picture, the estimates and the weights."""
    name = plain(", ".join(found.paths), 80)
    first = {row.policy: row for row in reversed(found.rows) if row.as_ != "logged"}  # the headline estimator
    own = next((row for row in found.rows if row.as_ == "logged"), None)
    verdict = [_sentence(row) for row in reversed(first.values())]
    if own is not None:
        verdict.insert(0, f"What was logged, by {plain(found.logged, 60)}, earned {bracketed(own.value)} per decision.")
    shown = found.table()
    drawn = [
        picture(
            found.figure(),
            found.alt,
            "Estimates beside the logged value; how users' weights are spread, whose mean should be 1; and how much of "
            "what each policy would choose the log could never choose.",
        )
    ]
    return StudyPart(
        f"{name}: what other policies would have earned",
        name,
        verdict,
        [],
        shown.tables,
        drawn if found.drawable else [],
        shown.notes,
    )


def _sentence(row: Row) -> str:
    name = plain(row.policy, 60)
    if row.verdict == "refused":
        return f"Of {name} this log cannot say: {row.reason}."
    by = row.difference
    told = f"{signed(by.estimate)} ({signed(by.lower)} to {signed(by.upper)}) beside what was logged"
    weak = f" This answer is weak: {row.reason}." if row.verdict == "weak" else ""
    return f"{name} would have earned {bracketed(row.value)} per decision ({row.estimator}), {told}.{weak}"
