"""What users met and did by a log, against the world derived again: clock, candidates, truth, reactions, presence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from oo_sim.audit import said
from oo_sim.audit.arrays import F64, I64, Bool, anywhere, differs
from oo_sim.audit.banks import BankWorld, Told
from oo_sim.audit.people import Lanes
from oo_sim.audit.report import Finding, Rows
from oo_sim.audit.rows import NO_TASK, Decisions, Learnings
from oo_sim.audit.worlds import REACTIONS, REWARDS, Answer, Offer, world_of


class Lived(NamedTuple):
    """What should have happened at each of N decisions; `round` is -1 where there should be no decision."""

    round: I64
    hour: I64
    day: I64
    standing: Bool  # (K, N)
    is_overdue: Bool
    age: F64
    priority: F64
    is_llm: Bool
    serial: I64
    expected: F64
    x: F64 | None
    possible: F64 | None  # (V, K, N), as in `Offer`
    free: Bool | None  # (K, N)
    reaction: I64
    reward: F64
    arrives: I64  # the round in which the reward arrives, -1 where it never does
    sure: Bool
    missing: I64  # (n,) the first decision of each lane that should be there and is not, -1 for none
    comes: I64  # (n,)
    last: I64  # (n,) how many decisions those who left had made; else very many


def lived(d: Decisions, scenario: Mapping[str, Any], lanes: Lanes, rounds: int, appeal: str | None) -> Lived:
    """The world of these lanes over all rounds, in which they chose what the log says; with an `appeal`, tips come out
    of a bank whose texts are valued by it."""
    world = world_of(scenario, lanes) if appeal is None else BankWorld(scenario, lanes, appeal)
    N, n = len(d.t), lanes.n
    K = max(len(d.standing), len(world.offer(0).standing)) if n else len(d.standing)
    told = Told.by(d, world.tips) if isinstance(world, BankWorld) else None
    at = np.full((n, max(int(d.t.max(initial=0)) + 1, 1)), -1)
    at[d.lane, d.t] = np.arange(N)
    wide: list[Any] = [
        np.zeros((K, N), kind) for kind in (np.bool_, np.bool_, np.float64, np.float64, np.bool_, np.int64)
    ]
    expected, more = np.full((K, N), np.nan), _More(K, N)
    narrow = [np.full(N, -1) for _ in range(5)]
    reward, sure, missing = np.zeros(N), np.ones(N, np.bool_), np.full(n, -1)
    for r in range(rounds):
        own = r - world.comes
        known = (own >= 0) & (own < at.shape[1]) & (missing < 0)
        row = np.where(known, at[np.arange(n), np.clip(own, 0, at.shape[1] - 1)], -1)
        present = world.present(r) & (missing < 0)
        missing = np.where(present & (row < 0), own, missing)
        decides = present & (row >= 0)
        who, rows = np.flatnonzero(decides), row[decides]
        if isinstance(world, BankWorld) and told is not None:
            world.hear(told.at(rows, who, n))
        offer = world.offer(r)
        chosen = np.zeros(n, np.int64)
        chosen[who] = np.minimum(d.chosen[rows], len(offer.standing) - 1)
        answer = world.react(r, offer, chosen, decides)
        _put(wide, expected, rows, offer, who)
        more.put(rows, offer, who)
        _answered(narrow, rows, r, rounds, offer, answer, who)
        reward[rows], sure[rows] = answer.reward[who], answer.sure[who]
    count = np.where(world.gone, np.bincount(d.lane[narrow[0] >= 0], minlength=n), np.iinfo(np.int64).max)
    round_, hour, day, reaction, arrives = narrow
    return Lived(
        round_,
        hour,
        day,
        wide[0],
        wide[1],
        wide[2],
        wide[3],
        wide[4],
        wide[5],
        expected,
        more.found.get("x"),
        more.found.get("possible"),
        more.found.get("free"),
        reaction,
        reward,
        arrives,
        sure,
        missing,
        world.comes,
        count,
    )


class _More:
    """What only some worlds offer: vectors, and expected rewards that are not certain; (..., K, N)."""

    def __init__(self, K: int, N: int) -> None:
        self.K, self.N, self.found = K, N, dict[str, Any]()

    def put(self, rows: I64, offer: Offer, who: I64) -> None:
        """What a round offers."""
        parts = {"x": None if offer.x is None else offer.x.transpose(1, 0, 2)}
        for name, values in (parts | {"possible": offer.possible, "free": offer.free}).items():
            if values is None:
                continue
            if name not in self.found:
                self.found[name] = np.zeros((*values.shape[:-2], self.K, self.N), values.dtype)
            self.found[name][..., : values.shape[-2], rows] = values[..., who]


def _put(wide: list[Any], expected: F64, rows: I64, offer: Offer, who: I64) -> None:
    columns = (offer.standing, offer.is_overdue, offer.age, offer.priority, offer.is_llm, offer.serial)
    for out, column in zip(wide, columns, strict=True):
        out[: len(column), rows] = column[:, who]
    expected[: len(offer.expected), rows] = offer.expected[:, who]


def _answered(narrow: list[I64], rows: I64, r: int, rounds: int, offer: Offer, answer: Answer, who: I64) -> None:
    arrives = np.where(answer.reported & (answer.delay >= 0), r + answer.delay, -1)
    columns = (np.full(len(answer.delay), r), offer.hour, offer.day, answer.reaction)
    for out, column in zip(narrow, (*columns, np.where(arrives < rounds, arrives, -1)), strict=True):
        out[rows] = column[who]


def findings(
    d: Decisions,
    m: Learnings,
    scenario: Mapping[str, Any],
    lanes: Lanes,
    users: tuple[str, ...],
    oracle: bool,
    appeal: str | None,
) -> Iterator[tuple[Finding, Rows]]:
    """Every check of the world, with the rows that it is about; see `lived` for `appeal`."""
    found = lived(d, scenario, lanes, int(scenario["rounds"]), appeal)
    decided = Rows(users, lanes.replicates, d.lane, d.t)
    learned = Rows(users, lanes.replicates, m.lane, np.where(m.t_decided >= 0, m.t_decided, np.maximum(m.t_now, 0)))
    there = found.round >= 0
    yield _presence(d, found, there), decided
    everybody = np.arange(lanes.n)
    gap = Finding(
        "presence",
        np.ones(lanes.n, np.bool_),
        found.missing >= 0,
        lambda i: "no decision",
        lambda i: f"a decision in round {found.comes[i] + found.missing[i] + 1}, of a user who is there",
    )
    yield gap, Rows(users, lanes.replicates, everybody, np.maximum(found.missing, 0))
    yield _clock(d, found, there), decided
    yield _offer(d, found, there), decided
    named = said.candidates(d)
    if named is not None:
        yield named, decided
    yield _truth(d, found, there, oracle), decided
    for finding, about_learned in _reactions(d, m, found, there):
        yield finding, learned if about_learned else decided


def _presence(d: Decisions, found: Lived, there: Bool) -> Finding:
    after = (found.missing[d.lane] >= 0) & (d.t > found.missing[d.lane])
    return Finding("presence", ~after, ~there, lambda i: "a decision", lambda i: "none: the user is not there")


def _clock(d: Decisions, found: Lived, there: Bool) -> Finding:
    return Finding(
        "clock",
        there,
        (d.hour != found.hour) | (d.day != found.day),
        lambda i: f"hour {d.hour[i]}, day {d.day[i]}",
        lambda i: f"hour {found.hour[i]}, day {found.day[i]} in round {found.round[i] + 1}",
    )


def _offer(d: Decisions, found: Lived, there: Bool) -> Finding:
    """The first cell of the candidates that differs."""
    K = len(d.standing)
    both = found.standing[:K] & d.standing
    columns: dict[str, tuple[Any, Any, Bool]] = {
        "is_overdue": (d.is_overdue, found.is_overdue[:K], d.is_overdue != found.is_overdue[:K]),
        "task_age_days": (d.age, found.age[:K], differs(d.age, found.age[:K])),
        "priority": (d.priority, found.priority[:K], d.priority != found.priority[:K]),
        "is_llm": (d.is_llm, found.is_llm[:K], d.is_llm != found.is_llm[:K]),
    }
    if d.task_ids is not None:
        serial = d.serials()
        columns["task_id"] = (serial, found.serial[:K], serial != found.serial[:K])
    if found.x is not None and len(found.x) == d.x.shape[1]:
        x = found.x[:, :K].transpose(1, 0, 2)
        wrong = np.asarray(differs(d.x, x).any(axis=1))
        columns["x"] = (d.x.transpose(0, 2, 1), x.transpose(0, 2, 1), wrong)
    counts = d.standing.sum(axis=0), found.standing.sum(axis=0)
    uneven = counts[0] != counts[1]
    wrong_cells = {name: wrong & both for name, (_, _, wrong) in columns.items()}
    wrong_rows = uneven | np.logical_or.reduce([wrong.any(axis=0) for wrong in wrong_cells.values()])

    def say(i: int, side: int) -> str:
        if uneven[i]:
            return f"{counts[side][i]} candidates"
        name, wrong = next((name, wrong) for name, wrong in wrong_cells.items() if wrong[:, i].any())
        k = int(np.argmax(wrong[:, i]))
        value = columns[name][side][k, i]
        return f"{name} {_task_id(int(value)) if name == 'task_id' else value} of candidate {k}"

    return Finding("offer", there, wrong_rows, lambda i: say(i, 0), lambda i: say(i, 1))


def _task_id(serial: int) -> str:
    return {-1: "null", NO_TASK: "no task's"}.get(serial, f"task-{serial}")


def _truth(d: Decisions, found: Lived, there: Bool, oracle: bool) -> Finding:
    """Expected rewards are those of who the user is, or, where a bank's texts have their say, may be."""
    K = len(d.standing)
    standing = d.standing & found.standing[:K]
    expected = _nearest(found, np.where(np.arange(len(found.expected))[:, None] == d.chosen, d.expected, np.nan))
    own, best = d.of_chosen(expected), _best(d, found, expected)
    wrong = differs(d.expected, own) | differs(d.best, best)
    if oracle:
        logged = np.full(found.expected.shape, np.nan)
        logged[:K] = d.x[:, 0]
        seen = _nearest(found, logged)
        own_best = np.where(found.standing, seen, -np.inf).max(axis=0, initial=-np.inf)
        wrong |= anywhere(differs(d.x[:, 0], seen[:K]) & standing) | differs(d.best, own_best)
    return Finding(
        "truth",
        there,
        np.asarray(wrong),
        lambda i: f"expected reward {d.expected[i]:.17g}, best {d.best[i]:.17g}",
        lambda i: f"expected reward {own[i]:.17g}, best {best[i]:.17g}",
    )


def _nearest(found: Lived, logged: F64) -> F64:
    """The expected rewards (K, N) that are possible and nearest to the logged ones; the first where none is logged."""
    expected = found.expected
    if found.possible is not None:
        gaps = np.abs(found.possible - np.where(np.isnan(logged), found.possible[0], logged))
        expected = np.take_along_axis(found.possible, gaps.argmin(axis=0)[None], axis=0)[0]
    if found.free is not None:
        expected = np.where(found.free & (np.abs(logged) <= 1.0), logged, expected)
    return np.asarray(expected)


def _best(d: Decisions, found: Lived, expected: F64) -> F64:
    """The best expected reward (N,) on offer: the possible one that is nearest to what was logged."""
    certain = np.where(found.standing, expected, -np.inf)
    if found.possible is None and found.free is None:
        return np.asarray(certain.max(axis=0, initial=-np.inf))
    chosen = np.arange(len(expected))[:, None] == d.chosen
    if found.free is not None:
        least = np.where(found.free & ~chosen, -np.inf, certain).max(axis=0, initial=-np.inf)
        open_ = (found.free & found.standing & ~chosen).any(axis=0)
        return np.asarray(np.where(open_ & (d.best <= 1.0), np.maximum(least, d.best), least))
    assert found.possible is not None
    values = np.where(chosen, expected, found.possible)
    least = np.where(found.standing, values.min(axis=0), -np.inf).max(axis=0, initial=-np.inf)
    fits = found.standing & (values >= least)
    nearest = np.where(fits, np.abs(values - d.best), np.inf).reshape(-1, values.shape[-1]).argmin(axis=0)
    return np.asarray(values.reshape(-1, values.shape[-1])[nearest, np.arange(values.shape[-1])])


def _reactions(d: Decisions, m: Learnings, found: Lived, there: Bool) -> Iterator[tuple[Finding, bool]]:
    """What users said, whether and when it was learned, and in which order."""
    if not len(d.t):
        return  # nothing that was learned belongs to a decision
    at = d.find(m.lane, m.t_decided)
    known = (at >= 0) & ~m.reset
    at = np.where(known, at, 0)
    judged = known & there[at]
    code, due = found.reaction[at], found.arrives[at]
    worth = np.where(code >= 0, REWARDS[code], np.nan)
    other = np.where(np.isnan(worth), ~np.isnan(m.reaction), m.reaction != worth) | differs(m.reward, found.reward[at])
    yield (
        Finding(
            "reaction",
            judged,
            other,
            lambda i: f"reward {m.reward[i]:.17g}",
            lambda i: f"{_name(int(code[i]))}, reward {found.reward[at[i]]:.17g}",
        ),
        True,
    )
    own = due - found.comes[m.lane]
    now = np.where(due >= 0, np.minimum(own, found.last[m.lane]), -1)
    n = np.arange(len(at))
    last = np.maximum(n - 1, 0)
    follows = (n > 0) & (m.lane == m.lane[last]) & judged & judged[last]
    before = (due[last] > due) | ((due[last] == due) & (m.t_decided[last] > m.t_decided))
    yield (
        Finding(
            "feedback",
            judged & found.sure[at],
            (now != m.t_now) | (follows & before),
            lambda i: f"learned at t_now {m.t_now[i]}",
            lambda i: f"t_now {now[i]}, oldest decision first" if due[i] >= 0 else "never reported",
        ),
        True,
    )
    heard = np.zeros(len(d.t), np.bool_)
    heard[at[known]] = True
    lost = (found.arrives >= 0) & ~heard
    yield (
        Finding("feedback", there & found.sure, lost, lambda i: "nothing learned", lambda i: _when(found, i)),
        False,
    )


def never(scenario: Mapping[str, Any], lanes: Lanes, users: tuple[str, ...]) -> tuple[Finding, Rows]:
    """Of lanes that no row is about: those who come within the run should have decided."""
    comes = world_of(scenario, lanes).comes
    finding = Finding(
        "presence",
        np.ones(lanes.n, np.bool_),
        comes < int(scenario["rounds"]),
        lambda i: "no row",
        lambda i: f"a decision in round {comes[i] + 1}, when the user comes",
    )
    nothing = np.zeros(lanes.n, np.int64)
    return finding, Rows(users, lanes.replicates, np.arange(lanes.n), nothing)


def _name(code: int) -> str:
    return REACTIONS[code] if 0 <= code < len(REACTIONS) else "no reaction"


def _when(found: Lived, i: int) -> str:
    return f"{_name(int(found.reaction[i]))}, learned in round {found.arrives[i] + 1}"


def picked(users: int, some: int) -> Callable[[str], bool]:
    """Which of `users` simulated users are looked at: the first and the last, where faults of an end would show."""
    last = some // 2
    names = {f"user-{j}" for j in (*range(min(some - last, users)), *range(max(users - last, 0), users))}
    return names.__contains__
