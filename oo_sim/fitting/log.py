"""What a fit takes out of a log: reactions with the features they were given to, and what was on offer, when."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from oo_sim.contract import F64, I64, REWARDS, Candidates
from oo_sim.errors import FitError
from oo_sim.features import FEATURES, OO7X
from oo_sim.fitting.people import Reactions
from oo_sim.logs import FATES, Log, Part

PENDING, REWARDED = FATES.index("pending"), FATES.index("rewarded")
SITUATIONS = 2_000
"""How many decisions' candidates are kept, for the priors of warm starts."""
INTERCEPT = "intercept"


@dataclass
class Offers:
    """What was on offer: counts by hour (24,), weekday (7,), priority of tasks (4,), whole days of tasks' ages, number
    of tasks and of tips a decision (65,); tasks whose age is 0, and tips that have the default features."""

    hours: I64 = field(default_factory=lambda: np.zeros(24, np.int64))
    weekdays: I64 = field(default_factory=lambda: np.zeros(7, np.int64))
    priority: I64 = field(default_factory=lambda: np.zeros(4, np.int64))
    ages: dict[int, int] = field(default_factory=dict)
    whole: bool = True
    ageless: int = 0
    tasks: I64 = field(default_factory=lambda: np.zeros(65, np.int64))
    tips: I64 = field(default_factory=lambda: np.zeros(65, np.int64))
    default_tips: int = 0

    def add(self, c: Candidates) -> None:
        """Count the candidates of some decisions."""
        self.hours += np.bincount(c.hour, minlength=24)
        self.weekdays += np.bincount(c.day, minlength=7)
        llm = (c.is_llm > 0.5) & c.mask
        task = c.mask & ~llm
        self.priority += np.bincount(np.clip(np.rint(c.priority[task]), 1, 4).astype(int), minlength=5)[1:]
        age = c.task_age_days[task]
        dated = age[age != 0.0]
        days = np.floor(dated)
        self.whole &= bool((days == dated).all())
        for day, count in zip(*np.unique(days.astype(np.int64), return_counts=True), strict=True):
            self.ages[int(day)] = self.ages.get(int(day), 0) + int(count)
        self.ageless += len(age) - len(dated)
        self.tasks += np.bincount(task.sum(axis=0), minlength=65)
        self.tips += np.bincount(llm.sum(axis=0), minlength=65)
        default = (c.is_overdue == 0.0) & (c.task_age_days == 0.0) & (c.priority == 1.0)
        self.default_tips += int((llm & default).sum())


class Gathered(NamedTuple):
    """What some policies logged, gathered. `late` users did not start at their first decision."""

    reactions: Reactions  # with the terms of `oo7x` or fewer
    decided_at: I64  # (M,), the decision of its user that each reaction belongs to
    hour: I64  # (M,)
    offers: Offers
    decisions: I64  # (N,), of each user
    answered: int
    pending: int
    late: int
    situations: Candidates  # some decisions' candidates


def terms_of(text: str) -> tuple[str, ...]:
    """The terms that a fit uses, without the intercept: those of a feature map, or a list with commas between."""
    if text in FEATURES and set(FEATURES[text].names) <= set(OO7X) and FEATURES[text].names:
        return FEATURES[text].names
    named = tuple(part.strip() for part in text.split(","))
    unknown = [term for term in named if term not in OO7X]
    if unknown:
        raise FitError(f"terms: {unknown[0]!r} is not a term; write oo5, oo7, oo7x, or some of {', '.join(OO7X)}")
    return tuple(term for term in OO7X if term in named)


def gather(log: Log, labels: Sequence[str], terms: Sequence[str]) -> Gathered:
    """Read the decisions of some policies, of all replicates. A user's rows are in order of the decision numbers, those
    of all replicates together. Raises FitError and RunLogError; FitError where two policies decided for one user."""
    stride = max(1, log.manifest.users * log.manifest.rounds // SITUATIONS)
    offers, found, place = Offers(), list[_Rows](), dict[str, int]()
    for label in labels:
        known = set(place)
        for part in log.parts(label):
            if part.candidates.vectors is not None:
                raise FitError(
                    f"{log.path}: its candidates are vectors; a fit requires tasks and tips, with source, priority, "
                    "is_overdue and task_age_days, and the hour and day of each decision"
                )
            both = next((lane.user_id for lane in part.lanes if lane.user_id in known), None)
            if both is not None:
                raise FitError(
                    f"{log.path}: user {both} met several policies; choose one, "
                    f"--logged LABEL or in Python logged='LABEL': {', '.join(labels)}"
                )
            users = np.array([place.setdefault(lane.user_id, len(place)) for lane in part.lanes])
            found.append(_rows(log, part, users, terms, stride, offers))
    if not found:
        raise FitError(f"{log.path}: policy {', '.join(labels)} decided nothing")
    user, at = (np.concatenate([getattr(rows, name) for rows in found]) for name in ("user", "at"))
    order = np.lexsort((at, user))
    N = len(place)
    reactions = Reactions(
        np.ascontiguousarray(np.concatenate([rows.X for rows in found])[order]),
        np.concatenate([rows.y for rows in found])[order],
        np.r_[0, np.cumsum(np.bincount(user, minlength=N))].astype(np.int64),
        (INTERCEPT, *terms),
    )
    return Gathered(
        reactions,
        at[order],
        np.concatenate([rows.hour for rows in found])[order],
        offers,
        np.bincount(np.concatenate([rows.decided for rows in found]), minlength=N),
        sum(rows.answered for rows in found),
        sum(rows.pending for rows in found),
        len({user for rows in found for user in rows.late}),
        _joined([rows.situations for rows in found]),
    )


def with_what_was_offered(data: Gathered, terms: str) -> tuple[Gathered, list[str]]:
    """Without the terms on LLM tips where none were on offer and `terms` names a whole map; and what was left out."""
    if terms not in FEATURES or data.offers.tips[1:].any():
        return data, []
    kept = [j for j, term in enumerate(data.reactions.terms) if "is_llm" not in term]
    if len(kept) == len(data.reactions.terms):
        return data, []
    names = tuple(data.reactions.terms[j] for j in kept)
    reactions = data.reactions._replace(X=np.ascontiguousarray(data.reactions.X[:, kept]), terms=names)
    return data._replace(reactions=reactions), ["no LLM tips were on offer, so the terms with is_llm are left out"]


class _Rows(NamedTuple):
    """What a part of a log holds: of each reaction features, code, user, decision and hour; each decision's user."""

    X: F64
    y: I64
    user: I64
    at: I64
    hour: I64
    decided: I64
    answered: int
    pending: int
    late: set[int]  # users who do not start at their first decision
    situations: Candidates


def _rows(log: Log, part: Part, users: I64, terms: Sequence[str], stride: int, offers: Offers) -> _Rows:
    lane, t, fate, offered = part.lane, part.t, part.fate, part.candidates
    offers.add(offered)
    chosen, n = part.chosen, len(lane)
    at = chosen, np.arange(n)
    served = Candidates(
        offered.is_overdue[at][None],
        offered.task_age_days[at][None],
        offered.priority[at][None],
        offered.is_llm[at][None],
        offered.hour,
        offered.day,
        np.ones((1, n), np.bool_),
        np.full((1, n), -1),
    )
    phi = FEATURES["oo7x"]
    x = np.empty((1, phi.d, n))
    phi.encode(served, x)
    answered = fate == REWARDED
    y = _codes(log, part, np.flatnonzero(answered))
    columns = [phi.names.index(term) for term in terms]
    X = np.concatenate([np.ones((len(y), 1)), x[0][columns][:, answered].T], axis=1)
    start = np.searchsorted(lane, np.arange(len(users)))
    return _Rows(
        np.ascontiguousarray(X),
        y,
        users[lane[answered]],
        t[answered],
        offered.hour[answered],
        users[lane],
        int(answered.sum()),
        int((fate == PENDING).sum()),
        set(users[t[start] > 0].tolist()),
        _picked(offered, np.arange(0, n, stride)),
    )


def _codes(log: Log, part: Part, rows: I64) -> I64:
    """The reactions of some decisions as codes, by the rewards where the log does not name them."""
    reaction, reward = part.reaction[rows], part.reward[rows]
    ladder = np.array(REWARDS)
    nearest = np.abs(reward[:, None] - ladder).argmin(axis=1)
    off = (reaction < 0) & (ladder[nearest] != reward)
    if off.any():
        at = int(np.flatnonzero(off)[0])
        values = ", ".join(f"{value:g}" for value in REWARDS)
        why = f"is {reward[at]:g}, which is not a reaction; a fit needs reactions, or rewards of {values}"
        log.refuse(int(part.learned.row[part.learned.decision == rows[at]][0]), "reward", why, True)
    return np.where(reaction < 0, nearest, reaction).astype(np.int64)


def _picked(c: Candidates, at: I64) -> Candidates:
    """The candidates of some decisions."""
    return _each(lambda column: column[..., at], c)


def _joined(parts: Sequence[Candidates]) -> Candidates:
    """Several parts' candidates side by side; those of smaller sets are padded."""
    most = max(len(part.mask) for part in parts)

    def joined(*columns: Any) -> Any:
        padded = [np.pad(c, ((0, most - len(c)), (0, 0))) if c.ndim == 2 else c for c in columns]
        return np.concatenate(padded, axis=-1)

    return _each(joined, *parts)


def _each(of: Callable[..., Any], *parts: Candidates) -> Candidates:
    """`of` the raw columns of several candidates, column by column."""
    raw = Candidates._fields[:8]
    return Candidates(*(of(*(getattr(part, name) for part in parts)) for name in raw))
