"""What rows say of themselves: ids, times, kinds of tips and of probabilities, who wrote a text.

How much follows depends on who made the log: a run and a server name rows in one way, other logs in any.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oo_sim.audit.arrays import I64, Bool
from oo_sim.audit.columns import among, arrow, ints, is_null, truths
from oo_sim.audit.report import Finding, Rows
from oo_sim.audit.rows import Decisions, Learnings
from oo_sim.audit.rules import Rule


class Made(NamedTuple):
    """By whom a log was made, as its manifest has it: a run, an export of a server, or somebody else. `early` is
    format 1, which says less; `banks` are the tip banks of a run's policies, by label."""

    run: bool
    export: bool
    early: bool
    banks: Mapping[str, Mapping[str, Any]]

    @classmethod
    def by(cls, manifest: Mapping[str, Any], banks: Mapping[str, Mapping[str, Any]]) -> Made:
        """What a manifest says."""
        return cls(bool(manifest.get("scenario")), "exported_at" in manifest, manifest.get("format") == 1, banks)

    def ids(self, label: str, rows: Rows, t: I64) -> pa.Array | None:
        """The ids (n,) of decisions `t` of the rows' users; None where the log may name them in any way."""
        if not (self.run or self.export):
            return None
        replicates, numbers = (arrow(each).cast(pa.string()) for each in (rows.replicates[rows.lane], t))
        users = pa.array(rows.users, pa.string()).take(arrow(rows.lane))
        return pc.binary_join_element_wise(pa.scalar(label), replicates, numbers, users, "/")


def ids(d: Decisions, hashes: Collection[str], due: pa.Array | None) -> Finding:
    """Decisions have the ids `due` (n,), or at least ids of their own; each was made by a policy of a hash that the
    manifest names."""
    n = len(d.t)
    strange = np.zeros(n, np.bool_) if not hashes else ~among(d.hashes, hashes)
    wrong = ~truths(pc.equal(d.ids, due)) if due is not None else ~_first_of_their_own(d.ids)

    def expected(i: int) -> str:
        if wrong[i]:
            return f"decision_id {due[i].as_py()}" if due is not None else "an id of its own"
        return f"a policy_hash of {', '.join(sorted(hashes))}"

    return Finding(
        "id",
        np.ones(n, np.bool_),
        wrong | strange,
        lambda i: f"decision_id {d.ids[i].as_py()}" + ("" if wrong[i] else f", policy_hash {d.hashes[i].as_py()}"),
        expected,
    )


def _first_of_their_own(names: pa.Array) -> Bool:
    """Which names stand there for the first time; null does not."""
    encoded = names.dictionary_encode()
    codes = ints(encoded.indices)
    first = np.full(len(codes), len(encoded.dictionary) == len(codes))
    if not first.all():
        first[np.unique(codes, return_index=True)[1]] = True
    return np.asarray(first & (codes >= 0))


def learned_ids(m: Learnings, d: Decisions, at: I64, ids: Callable[[], pa.Array | None], complete: Bool) -> Finding:
    """What was learned names the id of the decision that it belongs to, which stands `at` (m,), or the one that it
    should have: `ids` (m,), made where some do not name the former."""
    named = m.t_decided >= 0
    due = d.ids.take(arrow(np.maximum(at, 0))) if len(d.ids) else pa.nulls(len(at), pa.string())
    other = ~truths(pc.equal(due, m.ids))
    if (other & named).any():
        due = due if (right := ids()) is None else right
        other &= ~truths(pc.equal(due, m.ids))
    return Finding(
        "id",
        ~m.reset & complete & (~named | (at >= 0)),  # that there is no such decision is said elsewhere
        np.where(named, other, ~is_null(m.ids)),
        lambda i: f"learning seq {m.seq[i]} of decision_id {m.ids[i].as_py()}",
        lambda i: f"decision_id {due[i].as_py()}" if named[i] else "no decision_id without t_decided",
    )


def kinds(d: Decisions, ways: Iterator[tuple[Rule, Bool]], label: str, made: Made) -> Iterator[Finding]:
    """What is said of the candidate chosen and of the probabilities is true of them. `ways` are the policy's rules,
    each with the decisions (n,) made by it. A log that a run or a server made is not silent where it can tell.
    """
    n, strict = len(d.t), (made.run or made.export) and not made.early
    tip: Bool = np.asarray(d.is_llm[d.chosen, np.arange(n)])
    due: dict[str, _Due] = {}
    if "tip_kind" in d.said:
        kind = d.said["tip_kind"]
        right = np.where(tip, among(kind, ("advice",)), among(kind, ("task",)))
        silent = is_null(kind) & ~(strict & (tip | made.run))  # early servers did not say it of tasks
        due["tip_kind"] = _Due(~silent, right, lambda i: "advice" if tip[i] else "task")
    if {"probs_kind", "probs_samples"} <= set(d.said):
        kind, count = d.said["probs_kind"], ints(d.said["probs_samples"])
        samples = _samples(d, np.where(among(kind, ("estimated",)), np.maximum(count, 1), -1), ways)
        judged, word = ~is_null(kind) | strict, np.where(d.has_probs, np.where(samples > 0, 2, 1), 0)
        right = np.select([word == 2, word == 1], [among(kind, ("estimated",)), among(kind, ("exact",))], is_null(kind))
        due["probs_kind"] = _Due(judged, right, lambda i: (None, "exact", "estimated")[word[i]])
        due["probs_samples"] = _Due(judged, count == samples, lambda i: None if samples[i] < 0 else samples[i])
    if made.run:
        for column, key in (("prompt_version", "prompt_version"), ("llm_model", "models")):
            if column in d.said:
                due[column] = _written(d.said[column], tip, made.banks.get(label), key)
    yield from (_kind(column, d.said[column], one) for column, one in due.items() if one.judged.any())


class _Due(NamedTuple):
    """Which rows (n,) of a column are judged, and right; what a row should hold."""

    judged: Bool
    right: Bool
    value: Callable[[int], object]


def _kind(column: str, said: pa.Array, due: _Due) -> Finding:
    return Finding(
        "kind",
        due.judged,
        np.asarray(~due.right),
        lambda i: f"{column} {_word(said[i].as_py())}",
        lambda i: f"{column} {_word(due.value(i))}",
    )


def _samples(d: Decisions, logged: I64, ways: Iterator[tuple[Rule, Bool]]) -> I64:
    """Of how many samples probabilities (n,) are shares, -1 for none: as logged where the policy is not known."""
    for rule, own in ways:
        if rule.family:
            logged[own] = int(rule.parameters["samples"]) if rule.shares and "samples" in rule.parameters else -1
    return np.where(d.has_probs, logged, -1)


def _written(column: pa.Array, tip: Bool, bank: Mapping[str, Any] | None, key: str) -> _Due:
    """A column of the tip's text: what the bank has, where the manifest says that; nothing for what has no text."""
    said = None if bank is None else bank.get(key)
    known = [str(each) for each in (said if isinstance(said, list | tuple) else () if said is None else (said,))]
    text = tip & (bank is not None)
    right = np.where(text, among(column, known) if known else True, is_null(column))
    return _Due(np.ones(len(tip), np.bool_), right, lambda i: " or ".join(known) if text[i] else None)


def _word(value: object) -> str:
    return "null" if value is None else str(value)


def times(d: Decisions, m: Learnings, made: Made) -> Iterator[tuple[Finding, bool]]:
    """What a run makes has no time of its own, what a server makes has one. Whether a finding is about learnings comes
    with it."""
    if not (made.run or made.export):
        return
    said = ("a time", "null") if made.run else ("null", "a time")
    for rows, learnings in ((d, False), (m, True)):
        wrong = rows.served if made.run else ~rows.served
        yield (
            Finding("time", np.ones(len(wrong), np.bool_), wrong, lambda i: f"ts {said[0]}", lambda i: f"ts {said[1]}"),
            learnings,
        )


def untold(d: Decisions) -> Finding:
    """No server knows an expected reward."""
    return Finding(
        "truth",
        np.ones(len(d.t), np.bool_),
        ~(np.isnan(d.expected) & np.isnan(d.best)),
        lambda i: f"expected reward {d.expected[i]:.17g}, best {d.best[i]:.17g}",
        lambda i: "null: what was served has none",
    )


def unexplored(d: Decisions, ways: Iterable[tuple[Rule, Bool]]) -> Finding:
    """Policies that have no notion of exploring do not say that they did. `ways` are rules with the rows that they own
    (n,)."""
    parts = [own for rule, own in ways if rule.family and not rule.explores]
    return Finding(
        "explored",
        np.logical_or.reduce(parts) if parts else np.zeros(len(d.t), np.bool_),
        d.explored >= 0,
        lambda i: "explored" if d.explored[i] else "not explored",
        lambda i: "null: the policy has no such notion",
    )


def tips(d: Decisions, m: Learnings, at: I64, made: Made) -> Finding | None:
    """What was learned of a decision that was served, which stands `at` (m,), names the tip that was chosen; a run
    names none. None where that is not in the log."""
    if "tip_id" not in m.said or not (made.run or (made.export and d.tip_ids is not None)):
        return None
    judged, due = np.ones(len(m.seq), np.bool_), pa.nulls(len(m.seq), pa.string())
    if made.export and len(d.t):
        assert d.tip_ids is not None
        judged = ~m.reset & (at >= 0)
        count = d.standing.sum(axis=0)
        due = d.tip_ids.take(arrow((np.cumsum(count) - count + d.chosen)[np.maximum(at, 0)]))
    same = is_null(m.said["tip_id"]) if made.run else truths(pc.equal(m.said["tip_id"], due))
    return Finding(
        "learned",
        judged,
        ~same,
        lambda i: f"learning seq {m.seq[i]} of tip_id {_word(m.said['tip_id'][i].as_py())}",
        lambda i: f"tip_id {_word(due[i].as_py())}",
    )


def candidates(d: Decisions) -> Finding | None:
    """A run names candidates `task-N` as their task, `tip-{t}-{position among the tips}`, or `arm-{position}`. None
    where ids were not read."""
    if d.tip_ids is None or d.task_ids is None:
        return None
    K, flat = len(d.standing), d.standing.T
    tip, place = d.is_llm & d.standing, np.broadcast_to(np.arange(K)[:, None], d.standing.shape)
    at, nth, t = (arrow(each.T[flat]) for each in (place, tip.cumsum(axis=0) - 1, np.broadcast_to(d.t, place.shape)))
    tips, arms = _named("tip", t, nth), pc.coalesce(d.task_ids, _named("arm", at))
    due = pc.if_else(arrow(tip.T[flat]), tips, arms)
    wrong = np.zeros(flat.shape, np.bool_)
    wrong[flat] = ~truths(pc.equal(d.tip_ids, due))
    starts = np.cumsum(flat.sum(axis=1)) - flat.sum(axis=1)

    def say(names: pa.Array, i: int) -> str:
        k = int(np.argmax(wrong[i]))
        return f"id {_word(names[int(starts[i]) + k].as_py())} of candidate {k}"

    return Finding(
        "offer",
        np.ones(len(d.t), np.bool_),
        np.asarray(wrong.any(axis=1)),
        lambda i: say(d.tip_ids, i),
        lambda i: say(due, i),
    )


def _named(kind: str, *numbers: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(pa.scalar(kind), *(each.cast(pa.string()) for each in numbers), "-")
