"""The audit itself: a log's decisions derived again, shard by shard, and what does not follow."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from oo_sim.audit import checks, model, said
from oo_sim.audit.arrays import I64, U64, Bool
from oo_sim.audit.columns import among, ints, whole
from oo_sim.audit.evalues import ALPHA, Bets, Evidence, bets
from oo_sim.audit.features import derivable
from oo_sim.audit.lanes import Lane
from oo_sim.audit.ledger import Ledger
from oo_sim.audit.lived import findings, never, picked
from oo_sim.audit.people import Lanes
from oo_sim.audit.philox import user_words
from oo_sim.audit.report import Finding, Report, Rows, UnusableLogError
from oo_sim.audit.rows import Decisions, Learnings, decisions, learnings
from oo_sim.audit.rules import Rule, rules, undescribed
from oo_sim.audit.said import Made
from oo_sim.audit.shards import Indexed, Shard, judged
from oo_sim.audit.sources import More, Source, TableSource

WORLD_USERS = 64
"""How many users' worlds are derived again, unless all are."""
SHARD_NUMBERS = 750_000
"""About how many numbers of vectors are held at once, in one array; some ten arrays of that size are."""
_CANDIDATES = 8
"""What a decision is taken to offer when shards are sized."""
_TEXTS = "how many tips a bank had, what each is about and what its text is worth are taken from the log"
_NO_SEED = f"there is no seed: exploration is tested by e-values, each at alpha {ALPHA:g}"


def audit_tables(decided: pa.Table, learned: pa.Table, manifest: Mapping[str, Any], *, full: bool = False) -> Report:
    """Audits a log in memory; see `audit`."""
    return audit(TableSource(decided, "decisions"), TableSource(learned, "learnings"), manifest, full=full)


def audit(
    decided: Source,
    learned: Source,
    manifest: Mapping[str, Any],
    *,
    numbers: int = SHARD_NUMBERS,
    full: bool = False,
    progress: Callable[[int], None] | None = None,
    workers: int = 1,
) -> Report:
    """Derives every decision of a log again and reports what does not follow.

    `manifest` describes the policies (label, name, parameters, features), the seed and whether rewards are
    reactions; what it does not say is not checked, and the report says so. Without a seed, draws cannot be
    derived, and exploration is tested by e-values instead. With a scenario, its world is derived again for
    `WORLD_USERS` users over all their rounds, or, with `full`, for all users. `progress` receives how many
    decisions a shard had. `workers` is how many threads judge shards; the report does not depend on it. Raises
    UnusableLogError where the log cannot be read; rows that cannot be judged are refused in the report.
    """
    seed = _seed(manifest)
    known = rules(manifest, seed)
    ledger = Ledger()

    def width(policy: str) -> int:
        rule = known.get(policy) or undescribed(policy)
        wide = _CANDIDATES * max(4, 16 if rule.names is None else len(rule.names))
        return wide // 4 if rule.in_turn else wide  # more lanes to each round, where rounds are what takes time

    evidence: dict[str, Evidence] = {}
    expected = _rows(manifest)
    log = Indexed(decided, learned, ledger.refuse, partial(_counted, ledger, expected))
    made = Made.by(manifest, _banks(manifest))
    judge = partial(_judged, known=known, seed=seed, reactions=bool(manifest.get("has_reactions", False)), made=made)
    truth = made.export or any(rule.family == "oracle" for rule in known.values())
    for found in judged(log.shards(numbers, width, More(ids=made.export, truth=truth)), judge, workers):
        ledger.take(found.ledger)
        if found.made is not None:  # each shard's evidence goes on from that of the shards before it
            for finding in evidence.setdefault(found.policy, Evidence()).judge(found.made):
                ledger.add(found.policy, found.part.decided, finding)
        if progress is not None:
            progress(len(found.part.decided.t))
    if seed is not None and manifest.get("scenario"):
        _worlds(log, manifest, known, seed, numbers, full, workers, ledger)
    return ledger.report()


class _Judged(NamedTuple):
    """What was found in a shard; without a seed, also the bets that its decisions decide. Its arrays stay until the
    next shard has its own: memory that is given back in between is slow to get again."""

    policy: str
    part: _Part
    ledger: Ledger
    made: Bets | None


def _judged(shard: Shard, known: Mapping[str, Rule], seed: int | None, reactions: bool, made: Made) -> _Judged:
    """A shard, derived again."""
    ledger, rule = Ledger(), known.get(shard.policy) or undescribed(shard.policy)
    part = _part(shard, rule, ledger)
    for finding, about in (*_findings(part, rule, reactions), *_said(part, rule, shard.policy, made)):
        ledger.add(shard.policy, about, finding)
    for finding in () if seed is None else _draws(part, seed):
        ledger.add(shard.policy, part.decided, finding)
    notes = rule.notes if seed is not None else (*rule.notes, _NO_SEED)
    ledger.decisions(shard.policy, len(part.decisions.t), notes, rule.unchecked)
    return _Judged(shard.policy, part, ledger, bets(_likely(part)) if seed is None else None)


def _worlds(
    log: Indexed,
    manifest: Mapping[str, Any],
    known: Mapping[str, Rule],
    seed: int,
    numbers: int,
    full: bool,
    workers: int,
    ledger: Ledger,
) -> None:
    """Derives the scenario's world again and sets what was logged against it."""
    scenario = manifest["scenario"]
    appeals = _appeals(manifest)
    users, replicates = _count(manifest, "users") or 0, _count(manifest, "replicates") or 1
    of_interest = picked(users, users if full else WORLD_USERS)
    ends = range(replicates) if full else sorted({0, replicates - 1})

    def keep(lane: Lane) -> bool:
        return lane.replicate in ends and of_interest(lane.user_id)

    def forget(table: str, reason: str, rows: I64) -> None:
        """Rows that cannot be judged were counted before."""

    def judge(shard: Shard) -> tuple[Ledger, tuple[Lane, ...]]:
        """A shard's findings, and the lanes that were looked at."""
        own, rule = Ledger(), known.get(shard.policy) or undescribed(shard.policy)
        width = None if rule.names is None else len(rule.names)
        d = decisions(shard.decisions, width, False, forget)
        m = learnings(shard.learnings, d.x.shape[1], forget)
        if appeals.get(shard.policy) is not None and d.task_ids is None:
            own.note(shard.policy, "the world is not derived again: no task_id says what tips are about", "world")
            return own, ()
        ids = tuple(lane.user_id for lane in shard.lanes)
        lanes = Lanes(user_words(ids), np.array([lane.replicate for lane in shard.lanes], np.int64), seed)
        lost = _short(shard.decisions, d.lane, lanes.n) | _short(shard.learnings, m.lane, lanes.n)
        try:
            appeal = appeals.get(shard.policy)
            found = list(findings(d, m, scenario, lanes, ids, rule.family == "oracle", appeal))
        except _UNREAD as error:
            raise _unreadable(error) from error
        for finding, about in found:
            own.add(shard.policy, about, finding._replace(judged=finding.judged & ~lost[about.lane]))
        return own, shard.lanes

    looked: set[Lane] = set()
    shards = log.shards(4 * numbers, lambda policy: 16 * _CANDIDATES, More(ids=True), keep)
    for own, seen in judged(shards, judge, workers):
        ledger.take(own)
        looked.update(seen)
    if not manifest.get("sampled"):
        _absent(known, users, ends, keep, looked, scenario, seed, ledger)
    for label in appeals:
        ledger.note(label, _TEXTS, "texts of tips")
    ledger.world = f"{len({lane.user_id for lane in looked}):,} of {users:,} users, over all their rounds"


def _appeals(manifest: Mapping[str, Any]) -> Mapping[str, str]:
    """How the texts of each policy's tips are valued, of those whose tips come out of a bank."""
    return {label: str(bank.get("appeal") or "keywords") for label, bank in _banks(manifest).items()}


def _banks(manifest: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """What is said of the tip banks, by label, of policies whose tips come out of one."""
    banks = {entry["label"]: entry["llm"] for entry in manifest.get("policies", ()) if entry.get("llm")}
    if not all(isinstance(bank, Mapping) for bank in banks.values()):
        label, bank = next((label, bank) for label, bank in banks.items() if not isinstance(bank, Mapping))
        raise UnusableLogError(
            f"manifest: policy {label}: llm is {bank!r:.60}; expected an object that describes a tip bank, or null"
        )
    return banks


def _absent(
    labels: Iterable[str],
    users: int,
    replicates: Iterable[int],
    keep: Callable[[Lane], bool],
    looked: Collection[Lane],
    scenario: Mapping[str, Any],
    seed: int,
    ledger: Ledger,
) -> None:
    """Names users without any row who should have decided."""
    for label in labels:
        every = (Lane(label, replicate, f"user-{user}") for replicate in replicates for user in range(users))
        missing = [lane for lane in every if keep(lane) and lane not in looked]
        if not missing:
            continue
        ids = tuple(lane.user_id for lane in missing)
        lanes = Lanes(user_words(ids), np.array([lane.replicate for lane in missing], np.int64), seed)
        try:
            finding, rows = never(scenario, lanes, ids)
        except _UNREAD as error:
            raise _unreadable(error) from error
        ledger.add(label, rows, finding)


class _Way(NamedTuple):
    """A policy's rule, what it gives, which decisions were made by it, and which of them after learnings that are all
    known."""

    rule: Rule
    scored: model.Scored | None
    own: Bool
    sure: Bool


class _Part(NamedTuple):
    """A shard as arrays; `at` is where the decision of each learning stands, -1 for none; `gaps` are lanes with refused
    decisions, `holes` lanes with refused learnings."""

    decisions: Decisions
    learnings: Learnings
    at: I64
    ways: list[_Way]
    decided: Rows
    learned: Rows
    gaps: Bool
    holes: Bool
    words: U64


def _part(shard: Shard, rule: Rule, ledger: Ledger) -> _Part:
    names = rule.names
    d = decisions(
        shard.decisions,
        None if names is None else len(names),
        names is not None and derivable(names),
        ledger.refuse,
    )
    m = learnings(shard.learnings, d.x.shape[1], ledger.refuse)
    users = tuple(lane.user_id for lane in shard.lanes)
    words = user_words(users)
    replicates = np.array([lane.replicate for lane in shard.lanes], np.int64)
    holes = _short(shard.learnings, m.lane, len(users)) | shard.nameless[1]
    ways = []
    for way in rule.migrated or (rule,):
        own = among(d.hashes, way.hashes) if rule.migrated else np.ones(len(d.t), np.bool_)
        ways.append(_Way(way, model.scored(d, m, way, words, replicates), own, own & ~holes[d.lane]))
    return _Part(
        d,
        m,
        d.find(m.lane, m.t_decided),
        ways,
        Rows(users, replicates, d.lane, d.t),
        Rows(users, replicates, m.lane, np.where(m.t_decided >= 0, m.t_decided, np.maximum(m.t_now, 0))),
        _short(shard.decisions, d.lane, len(users)) | shard.nameless[0],
        holes,
        words,
    )


def _short(table: pa.Table, kept: I64, lanes: int) -> Bool:
    """Which lanes lost rows."""
    before = np.bincount(ints(whole(table["lane"])), minlength=lanes)
    return np.asarray(before != np.bincount(kept, minlength=lanes))


def _findings(part: _Part, rule: Rule, reactions: bool) -> Iterator[tuple[Finding, Rows]]:
    """Every check that needs no seed, with the rows that it is about."""
    d, m = part.decisions, part.learnings
    yield checks.order(d, ~part.gaps[d.lane]), part.decided
    yield checks.learning_order(m, ~part.holes[m.lane]), part.learned
    if rule.names is not None and derivable(rule.names):
        yield checks.features(d, rule.names), part.decided
    yield checks.learned(m, d, part.at, rule.names, ~part.gaps[m.lane]), part.learned
    if d.served.any() or m.served.any():
        for finding, about_learned in checks.times(d, m):
            yield finding, part.learned if about_learned else part.decided
    yield checks.reward(m, reactions), part.learned
    for finding in checks.sums(d):
        yield finding, part.decided
    if rule.family == "oracle":
        yield checks.best(d), part.decided
    for way in part.ways:
        if way.scored is not None:
            for finding in model.findings(d, way.scored, way.rule, way.sure):
                yield finding, part.decided


def _said(part: _Part, rule: Rule, label: str, made: Made) -> Iterator[tuple[Finding, Rows]]:
    """What rows say of themselves, with the rows that it is about."""
    d, m = part.decisions, part.learnings
    yield said.ids(d, rule.hashes, made.ids(label, part.decided, d.t)), part.decided
    due = partial(made.ids, label, part.learned, np.maximum(m.t_decided, 0))
    yield said.learned_ids(m, d, part.at, due, ~part.gaps[m.lane]), part.learned
    for finding in said.kinds(d, ((way.rule, way.own) for way in part.ways), label, made):
        yield finding, part.decided
    for finding, about_learned in said.times(d, m, made):
        yield finding, part.learned if about_learned else part.decided
    if made.run or made.export:
        yield said.unexplored(d, ((way.rule, way.own) for way in part.ways)), part.decided
    if made.export:
        yield said.untold(d), part.decided
    tips = said.tips(d, m, part.at, made)
    if tips is not None:
        yield tips, part.learned


def _draws(part: _Part, seed: int) -> Iterator[Finding]:
    d = part.decisions
    told = [(way.own, model.explored_share(d, way.scored, way.rule, way.sure)) for way in part.ways]
    parts = [(share[0], share[1] & own) for own, share in told if share is not None]
    exploring = np.select([known for _, known in parts], [share for share, _ in parts]) if parts else None
    known = np.logical_or.reduce([known for _, known in parts])
    yield from checks.draw(
        *(d, seed, part.decided.replicates[d.lane], part.words[d.lane]),
        None if exploring is None else (exploring, known),
    )


def _likely(part: _Part) -> Decisions:
    """The decisions, with probabilities wherever they are logged or can be derived."""
    d = part.decisions
    for way in part.ways:
        d = model.with_probs(d, way.scored, way.rule, way.sure)
    return d


def _counted(ledger: Ledger, expected: Mapping[str, int], table: str, rows: int) -> None:
    ledger.rows(table, rows, expected.get(table))


def _rows(manifest: Mapping[str, Any]) -> Mapping[str, int]:
    """How many rows the manifest says that the tables have; format 1 says nothing."""
    rows = manifest.get("rows") or {}
    if not isinstance(rows, Mapping) or not all(isinstance(count, int) for count in rows.values()):
        raise UnusableLogError(f"manifest: rows is {rows!r:.60}; expected a whole number for each table")
    return rows


def _count(manifest: Mapping[str, Any], key: str) -> int | None:
    """A number of users or replicates; None where the manifest has none."""
    found = manifest.get(key)
    if found is None or (isinstance(found, int) and not isinstance(found, bool) and found >= 0):
        return found
    raise UnusableLogError(f"manifest: {key} is {found!r:.60}; expected a whole number of at least 0")


_UNREAD = (KeyError, TypeError, ValueError, IndexError, AttributeError, ZeroDivisionError)
"""What comes of a scenario that is not as documented."""


def _unreadable(error: Exception) -> UnusableLogError:
    return UnusableLogError(
        f"manifest: scenario: cannot be read: {error!r:.120}; expected a scenario's file as scenarios/README.md has it"
    )


def _seed(manifest: Mapping[str, Any]) -> int | None:
    seed = manifest.get("seed")
    if seed is None or (isinstance(seed, int) and not isinstance(seed, bool)):
        return seed
    raise UnusableLogError(f"manifest: seed is {seed!r:.60}; expected a whole number, or null where there is none")
