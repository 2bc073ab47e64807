"""`evaluate`: what another policy would have earned in a log, or why the log cannot say.

A log streams part by part, whole users at a time; what is kept are sums per user. Shapes: K candidates, n decisions.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from oo_sim import ope
from oo_sim.contract import F64, I64, Bool, FeatureMap, Policy
from oo_sim.entrants import guarded
from oo_sim.errors import EvaluationError
from oo_sim.features import FEATURES, raw, with_kind
from oo_sim.logs import Log, Part, open_log
from oo_sim.policies import UnknownPolicyError, factory, make
from oo_sim.scenario import parse_spec
from oo_sim.stats import Interval, mean_interval
from oo_sim.studies.evaluation import Evaluation, Health, LoggedPart, Row
from oo_sim.studies.walk import Target, replay, walk

As: TypeAlias = Literal["frozen", "passive", "replay"]
QUESTIONS: tuple[As, ...] = ("frozen", "passive", "replay")
DEFAULT = ("dr", "ips", "snips", "dm")
"""The estimators unless others are named; the first is the headline."""

MOST_UNSUPPORTED = 0.005
FEWEST_USERS, FEWEST_EFFECTIVE, FEW_EFFECTIVE = 30, 20.0, 50.0
WEIGHT_ALPHA = 0.001
MOST_LOOSE = 0.05
_SUM = 1e-6
_PROPENSITY = 1e-9
_BINS = 20
_ROWS = 1 << 14


def evaluate(
    log: str | Path | Log | Sequence[str | Path | Log],
    policies: Sequence[str | Policy],
    as_: As = "frozen",
    *,
    logged: str | None = None,
    train_until: float = 0.5,
    estimators: Sequence[str] | None = None,
    window: float | None = None,
    decisions: int | None = None,
    anytime: bool = False,
    assume_iid: bool = False,
    level: float = 0.95,
) -> Evaluation:
    """Estimate from a log what other policies would have earned, with intervals over users, or refuse in words.

    `log` is a run directory with events, a served export, or a Parquet or CSV file of the plain layout; several are
    taken together. `as_` is the question: `frozen`, the value of the state learned from each user's log up to
    `train_until`, in the later situations; `passive`, the value of following the policy for one step at each logged
    decision while it learns from what was logged; `replay`, the value of deploying the learner, over each user's first
    accepted `decisions`. `logged` names the logging policy where the log has several. `window` replaces the log's
    reward window: rounds when simulated, seconds when served. Where what was offered depended on what was served,
    `replay` requires `assume_iid`. `anytime` adds betting intervals, for rewards of -1 to 1.

    Raises EvaluationError, UnknownPolicyError, SpecError and RunLogError, each with what would be right; what the log
    cannot answer is not an error but a row whose verdict is `refused`.
    """
    if as_ not in QUESTIONS:
        raise EvaluationError(f"there is no question {as_!r}; there are {', '.join(QUESTIONS)}")
    if not 0.0 < train_until < 1.0:
        raise EvaluationError(f"train_until is {train_until!r}; a share between 0 and 1 is expected, such as 0.5")
    if isinstance(policies, str | Policy) or not policies:
        raise EvaluationError(f"policies must be a list of specs or policies, such as ['linucb'], not {policies!r}")
    if decisions is not None and decisions < 1:
        raise EvaluationError(f"decisions is {decisions!r}; a whole number of at least 1 is expected")
    given = [log] if isinstance(log, str | Path) or not isinstance(log, Sequence) else list(log)
    logs = [open_log(one) if isinstance(one, str | Path) else one for one in given]
    if not logs:
        raise EvaluationError("there is no log to evaluate; name a run directory, an export, or a table")
    labels = [_logged(one, logged) for one in logs]
    names = _estimators(estimators)
    first = next(_parts(logs[:1], labels[:1], window), None)
    if first is None:
        raise EvaluationError(f"{logs[0].path}: holds no decision of {labels[0]}")
    targets = [_target(one, logs[0], labels[0], first[1]) for one in policies]
    if len({target.label for target in targets}) < len(targets):
        raise EvaluationError("a policy is listed twice; name each once")
    work = _Work(targets, as_, train_until, names, _seed(logs[0]))
    ceiling = _ceiling(logs, labels, window) if as_ == "replay" else math.nan
    for source, part in _parts(logs, labels, window):
        work.add(source, logs[source], part, ceiling)
    if not work.parts:
        raise EvaluationError(f"{logs[0].path}: every user's log is empty")
    own = any(one.manifest.own_trajectory for one in logs)
    served = any(one.manifest.served and (window is None and one.manifest.window is None) for one in logs)
    asked = _Asked(as_, names, level, anytime, decisions, own and not assume_iid, served)
    rows, health = _answers(work, asked)
    return Evaluation(
        paths=[str(one.path) for one in logs],
        logged=labels[0],
        as_=as_,
        train_until=train_until,
        own_trajectory=own,
        level=level,
        part=work.described(),
        rows=rows,
        health=health,
        decisions=work.used,
    )


class _Asked(NamedTuple):
    as_: As
    names: tuple[str, ...]
    level: float
    anytime: bool
    decisions: int | None
    not_iid: bool
    no_window: bool


def _logged(log: Log, wanted: str | None) -> str:
    known = [policy.label for policy in log.policies]
    if wanted is None:
        if len(known) == 1:
            return known[0]
        raise EvaluationError(f"{log.path}: several policies logged: {', '.join(known)}; name one with --logged")
    names = [label for label in known if wanted in (label, label.partition(":")[0])]
    if wanted in known or len(names) == 1:
        return wanted if wanted in known else names[0]
    raise EvaluationError(f"{log.path}: no policy {wanted!r} logged; there are {', '.join(known)}")


def _estimators(wanted: Sequence[str] | None) -> tuple[str, ...]:
    names = tuple(DEFAULT if wanted is None else dict.fromkeys(wanted))
    for name in names:
        if name not in ope.ESTIMATORS:
            raise EvaluationError(f"there is no estimator {name!r}; there are {', '.join(ope.ESTIMATORS)}")
    return names


def _seed(log: Log) -> int:
    return log.manifest.seed


def maps_of(part: Part) -> tuple[Mapping[str, FeatureMap], str | None]:
    """The feature maps that this log's candidates can fill, and the one that replaces a policy's own default."""
    if part.candidates.vectors is None:
        return {name: phi for name, phi in FEATURES.items() if name != "truth"}, None
    d = part.candidates.vectors.shape[1]
    return {"raw": raw(d), "none": FEATURES["none"]}, "raw"


def _target(one: str | Policy, log: Log, label: str, part: Part) -> Target:
    maps, default = maps_of(part)
    if isinstance(one, Policy):
        policy, name = guarded(one), one.name
    elif isinstance(one, str):
        spec = parse_spec(one)
        name, parameters = str(spec), dict[str, object](spec.parameters)
        if default and "features" in inspect.signature(factory(spec.name)).parameters:
            parameters.setdefault("features", default)
        made = make(spec.name, parameters, maps)
        policy = guarded(made) if ":" in spec.name else made
    else:
        raise UnknownPolicyError(f"{one!r} is not a policy; give a spec such as 'linucb:alpha=0.5', or a Policy")
    features = policy.features
    if features.name == "truth" or (FEATURES.get(features.name) is features and features.name not in maps):
        raise EvaluationError(f"policy {name}: this log cannot fill features {features.name!r}, but {', '.join(maps)}")
    described = next(each for each in log.policies if each.label == label)
    return Target(name, policy, tuple(described.feature_names) == tuple(features.names))


def _parts(logs: Sequence[Log], labels: Sequence[str], window: float | None) -> Iterator[tuple[int, Part]]:
    for source, (log, label) in enumerate(zip(logs, labels, strict=True)):
        for part in log.parts(label, window=window, rows=_ROWS):
            yield source, part


def _ceiling(logs: Sequence[Log], labels: Sequence[str], window: float | None) -> float:
    """The largest 1 / p of any candidate that could have been chosen: what replay divides acceptance by."""
    least = 1.0
    for _, part in _parts(logs, labels, window):
        known = np.where(np.isnan(part.probs), np.inf, part.probs)
        least = min(least, float(np.where(known > 0, known, np.inf).min(initial=np.inf)))
        fallback = part.propensity[np.isnan(part.probs).any(axis=0)]
        least = min(least, float(np.where(fallback > 0, fallback, 1.0).min(initial=1.0)))
    return 1.0 / least


class _Work:
    """Sums over the parts of a log, for each policy."""

    def __init__(
        self, targets: Sequence[Target], as_: As, train_until: float, names: tuple[str, ...], seed: int
    ) -> None:
        self.targets, self._as, self._until, self._seed = targets, as_, train_until, seed
        self._estimators = [ope.ESTIMATORS[name] for name in dict.fromkeys((*names, "ips"))]
        self._codes: dict[tuple[int, str], int] = {}
        self._ids: set[str] = set()
        self.sums: list[list[ope.Sums]] = [[] for _ in targets]
        self.own: list[ope.Sums] = []  # of the logged policy, whose weights are 1
        self.uniform: list[ope.Sums] = []  # of "uniform over the supported candidates"
        self.missing = np.zeros(len(targets))  # unsupported mass, summed over decisions
        self.over_time = np.zeros((len(targets), 2, _BINS))
        self.accepted: list[list[tuple[I64, F64]]] = [[] for _ in targets]
        self.parts = self.used = self.dropped = self.total = 0
        self.unknown = self.no_probs = 0
        self.loose = self.rewards = 0
        self.largest = 1.0

    def add(self, source: int, log: Log, part: Part, ceiling: float) -> None:
        """A part of a log. Raises `RunLogError` for rows that are broken."""
        check_rows(log, part)
        self.parts += 1
        self.total += len(part.t)
        rewarded = ~part.learned.reset
        self.rewards += int(rewarded.sum())
        self.loose += int((rewarded & (part.learned.decision < 0)).sum())
        null = np.isnan(part.propensity)
        self.unknown += int(null.sum())
        self.no_probs += int((np.isnan(part.probs).any(axis=0) & ~null).sum())
        if null.any():
            return
        count = np.bincount(part.lane, minlength=len(part.lanes))
        start = np.cumsum(count) - count
        cut = np.floor(self._until * count).astype(np.int64)
        rank = np.arange(len(part.t)) - start[part.lane]
        judged = part.settled & (rank >= cut[part.lane] if self._as == "frozen" else True)
        self.dropped += int((~part.settled).sum())
        use = np.flatnonzero(judged)
        self.used += len(use)
        user = np.array([self._code(source, lane.user_id) for lane in part.lanes])[part.lane]
        self.largest = max(self.largest, float(np.abs(part.reward).max(initial=0.0)))
        stands = part.candidates.mask
        support = np.where(np.isnan(part.probs), stands, part.probs > 0)
        flat = 1.0 / np.maximum(support.sum(axis=0), 1) / part.propensity
        one = np.ones(len(use))
        self.own.append(ope.sums(ope.rows(one, part.reward[use], user=user[use]), self._estimators))
        self.uniform.append(ope.sums(ope.rows(flat[use], part.reward[use], user=user[use])))
        model = _Model(part, user)
        at = part.t[start] + cut  # decision numbers, from which each lane is frozen
        for j, target in enumerate(self.targets):
            if self._as == "replay":
                kept = replay(target, part, self._seed, ceiling)
                kept &= part.settled
                self.accepted[j].append((user[kept], part.reward[kept]))
                continue
            pi = walk(target, part, self._seed, at if self._as == "frozen" else None)
            self._estimate(j, part, np.nan_to_num(pi), use, user, model)

    def _estimate(self, j: int, part: Part, pi: F64, use: I64, user: I64, model: _Model) -> None:
        w = pi[part.chosen[use], use] / part.propensity[use]
        out = np.where(part.probs[:, use] == 0.0, pi[:, use], 0.0).sum(axis=0)
        self.missing[j] += out.sum()
        bins = np.minimum(_BINS - 1, part.t[use] * _BINS // (int(part.t.max()) + 1))
        self.over_time[j] += np.stack([np.bincount(bins, v, minlength=_BINS) for v in (out, np.ones(len(use)))])
        rows = ope.rows(w, part.reward[use], model.chosen[use], model.mean(pi)[use], user[use])
        self.sums[j].append(ope.sums(rows, self._estimators))

    def _code(self, source: int, user: str) -> int:
        return self._codes.setdefault((source, user), len(self._codes))

    def described(self) -> LoggedPart:
        """What of the log was used."""
        return LoggedPart(
            users=len(self._codes),
            decisions=self.total,
            dropped=self.dropped,
            rewards=self.rewards,
            loose=self.loose,
            without_probs=self.no_probs,
        )


class _Model:
    """The reward model of a part: predictions for all candidates, each from that user's earlier rewards only."""

    def __init__(self, part: Part, user: I64) -> None:
        c = part.candidates
        phi = with_kind(FEATURES["oo7"]) if c.vectors is None else raw(c.vectors.shape[1])
        x = np.empty((len(c.mask), phi.d, len(part.t)))
        phi.encode(c, x)
        self._stands, sizes = c.mask, c.mask.sum(axis=0)
        self._first = np.cumsum(sizes) - sizes
        flat = np.ascontiguousarray(x.transpose(2, 0, 1)[c.mask.T])
        self._q = ope.predictable_ridge(flat, self._first, part.chosen, part.reward, user)
        self.chosen = ope.chosen_q(self._q, self._first, part.chosen)

    def mean(self, pi: F64) -> F64:
        """The mean of the predictions under the policy (n,)."""
        return ope.target_q(self._q, pi.T[self._stands.T], self._first)


def check_rows(log: Log, part: Part) -> None:
    """Raise `RunLogError` for the first broken row, by row and column: a probability outside 0 to 1, probabilities
    that do not sum to 1 or differ from the chosen one's, a decision twice, a reward that is not finite."""
    refuse = _Refuser(log, part)
    p, total = part.propensity, np.where(part.candidates.mask, part.probs, 0.0).sum(axis=0)
    listed = part.probs[part.chosen, np.arange(len(p))]
    known, all_null = ~np.isnan(p), bool(np.isnan(p).all())
    refuse("propensity", known & ~((p > 0) & (p <= 1)), lambda i: f"is {p[i]:g}; a probability above 0, at most 1")
    if not all_null:
        refuse("propensity", ~known, lambda i: "is empty; the probability of what was chosen is expected")
    outside = np.asarray((((part.probs < 0) | (part.probs > 1)) & part.candidates.mask).any(axis=0))
    refuse("probs", outside, lambda i: "holds a number outside 0 to 1")
    refuse("probs", np.asarray(np.abs(total - 1) > _SUM), lambda i: f"sums to {total[i]:.6g}; probabilities sum to 1")
    refuse(
        "propensity",
        known & (np.abs(listed - p) > _PROPENSITY),
        lambda i: f"is {p[i]:.6g}, and probs say {listed[i]:.6g} of what was chosen",
    )
    refuse("reward", ~np.isfinite(part.reward), lambda i: f"is {part.reward[i]}; a finite number is expected")
    twice: Bool = np.concatenate(([False], (np.diff(part.lane) == 0) & (np.diff(part.t) == 0)))
    refuse("t", twice, lambda i: f"is {part.t[i]} a second time for user {part.lanes[part.lane[i]].user_id}")
    ids = part.decision_id.dictionary_encode()
    if len(ids.dictionary) < len(ids):
        _, first = np.unique(ids.indices.to_numpy(zero_copy_only=False), return_index=True)
        again = np.ones(len(ids), np.bool_)
        again[first] = False
        refuse("decision_id", again, lambda i: f"is {ids[i].as_py()!r}, which another row has too")
    lost = ~part.learned.reset & ~np.isfinite(part.learned.reward)
    if lost.any():
        i = int(np.flatnonzero(lost)[0])
        log.refuse(
            int(part.learned.row[i]), "reward", f"is {part.learned.reward[i]}; a finite number is expected", True
        )


class _Refuser:
    def __init__(self, log: Log, part: Part) -> None:
        self._log, self._row = log, part.row

    def __call__(self, column: str, wrong: Bool, why: object) -> None:
        if wrong.any():
            i = int(np.flatnonzero(wrong)[np.argmin(self._row[wrong])])
            assert callable(why)
            more = f" ({int(wrong.sum())} such rows)" if wrong.sum() > 1 else ""
            self._log.refuse(int(self._row[i]), column, f"{why(i)}{more}", False)


def _answers(work: _Work, asked: _Asked) -> tuple[list[Row], list[Health]]:
    """A row per policy and estimator, the logged policy first; and the figures on the weights of each policy."""
    if 0 < work.unknown < work.total:
        raise EvaluationError(f"{work.unknown:,} of {work.total:,} decisions have no probability; all or none may")
    refused = _about_the_log(work, asked)
    rows, health = [], []
    if work.own:
        own = ope.merge(work.own)
        value = mean_interval(own.mean("r"), asked.level)
        zero = Interval(0.0, 0.0, 0.0, value.n)
        rows.append(Row("(logged)", "logged", "mean", value, zero, "answered", "", None))
    for j, target in enumerate(work.targets):
        if asked.as_ == "replay" and work.own:
            rows.append(_replayed(work, j, target.label, asked, refused))
        elif work.own and work.sums[j]:
            found = _health(work, j, asked)
            health.append(found)
            rows += _estimated(work, j, asked, found, refused)
        else:
            nothing = Interval(math.nan, math.nan, math.nan, 0)
            rows.append(Row(target.label, asked.as_, "-", nothing, nothing, "refused", refused[0][1], None))
    return rows, health


def _about_the_log(work: _Work, asked: _Asked) -> list[tuple[int, str]]:
    """What stands against the log whatever the policy: the place in the order of refusals, and why."""
    found = []
    if work.unknown:
        found.append((2, "the logged probabilities are not known (null, as of Thompson sampling with one sample); log "
                         "a policy whose probabilities are, such as thompson:samples=100"))  # fmt: skip
    elif work.own:
        weight = ope.merge(work.uniform).mean("w")
        p = ope.weight_test(weight)
        if p < WEIGHT_ALPHA:
            found.append(
                (4, f"the logged probabilities are not those that were drawn with: 'uniform over what is supported' "
                    f"has mean weight {weight.mean():.3f} instead of 1 (p = {p:.1g})"))  # fmt: skip
    if work.used == 0 and not work.unknown:
        found.append((7, "no decision is left: the reward window reaches past the log's end; give a shorter window"))
    if work.rewards and work.loose > MOST_LOOSE * work.rewards:
        share = work.loose / work.rewards
        found.append((7, f"{share:.1%} of rewards belong to no decision ({work.loose:,} of {work.rewards:,}); at most "
                         f"{MOST_LOOSE:.0%} may: send decision ids with rewards"))  # fmt: skip
    if asked.no_window:
        found.append((7, "a served log requires a reward window, after which a missing reward is no reward: --window "
                         "24h here, or export-log --window"))  # fmt: skip
    return found


def _health(work: _Work, j: int, asked: _Asked) -> Health:
    merged = ope.merge(work.sums[j])
    found = ope.diagnostics(merged, asked.level)
    known = work.no_probs == 0
    missing = float(work.missing[j] / max(work.used, 1)) if known else math.nan
    out, count = work.over_time[j]
    times = np.divide(out, count, out=np.full(_BINS, np.nan), where=count > 0)
    return Health(work.targets[j].label, missing, merged.mean("w"), times, found)


def _against(work: _Work, asked: _Asked, found: Health, refused: list[tuple[int, str]]) -> list[tuple[int, str]]:
    d, against = found.diagnostics, list(refused)
    if found.unsupported > MOST_UNSUPPORTED:
        u = found.unsupported * work.largest
        against.append((3, f"{found.unsupported:.1%} of the policy's choices could never have been logged (probability "
                           f"0); no data can narrow what they earned below {2 * u:.3f}"))  # fmt: skip
    if d.p_value < WEIGHT_ALPHA:
        against.append((5, f"the mean weight is {d.mean_weight.estimate:.3f} instead of 1 (p = {d.p_value:.1g}): the "
                           "log hardly ever chose what the policy would"))  # fmt: skip
    if d.users < FEWEST_USERS:
        against.append((6, f"{d.users} users; at least {FEWEST_USERS} are required, as intervals are over users"))
    elif d.effective_users < FEWEST_EFFECTIVE:
        against.append((6, f"effective users {d.effective_users:.1f} of {d.users}: a few carry all the weight; at "
                           f"least {FEWEST_EFFECTIVE:g} are required"))  # fmt: skip
    return sorted(against, key=lambda each: each[0])


def _estimated(work: _Work, j: int, asked: _Asked, found: Health, refused: list[tuple[int, str]]) -> list[Row]:
    label, merged, d = work.targets[j].label, ope.merge(work.sums[j]), found.diagnostics
    against = _against(work, asked, found, refused)
    weak = d.effective_users < FEW_EFFECTIVE
    verdict: Literal["answered", "weak", "refused"] = "refused" if against else "weak" if weak else "answered"
    reason = against[0][1] if against else ""
    if verdict == "weak":
        reason = (
            f"effective users {d.effective_users:.1f} of {d.users}: intervals may be too narrow below {FEW_EFFECTIVE:g}"
        )
    u = 0.0 if math.isnan(found.unsupported) else found.unsupported * work.largest
    rows = []
    nothing = Interval(math.nan, math.nan, math.nan, d.users)
    if verdict == "refused":
        return [Row(label, asked.as_, "-", nothing, nothing, verdict, reason, found)]
    for name in asked.names:
        if verdict == "weak" and name in ("snips", "sndr"):
            continue
        value, difference = ope.estimate(ope.ESTIMATORS[name], merged, asked.level)
        rows.append(Row(label, asked.as_, name, _wider(value, u), _wider(difference, u), verdict, reason, found))
    if asked.anytime:
        if work.largest > 1.0:
            raise EvaluationError(f"--anytime is for rewards of -1 to 1, and this log has one of {work.largest:g}")
        value = _wider(ope.betting_interval(merged, level=asked.level), u)
        rows.append(Row(label, asked.as_, "ips, anytime", value, nothing, verdict, reason, found))
    return rows


def _wider(interval: Interval, u: float) -> Interval:
    return interval._replace(lower=interval.lower - u, upper=interval.upper + u)


def _replayed(work: _Work, j: int, label: str, asked: _Asked, refused: list[tuple[int, str]]) -> Row:
    user = np.concatenate([u for u, _ in work.accepted[j]])
    reward = np.concatenate([r for _, r in work.accepted[j]])
    users = len(work._codes)
    count = np.sort(np.bincount(user, minlength=users)) if len(user) else np.zeros(users, np.int64)
    most = int(count[users // 10]) if asked.decisions is None else asked.decisions
    against = list(refused)
    nothing = Interval(math.nan, math.nan, math.nan, 0)
    if asked.not_iid:
        against.append((0, "what was offered depended on what had been served, so accepted decisions are not those of "
                           "a deployment; --assume-iid evaluates as if they were"))  # fmt: skip
    if most < 1:
        against.append((6, "fewer than one accepted decision for nine in ten users: the log is too short or explores "
                           "too little for replay"))  # fmt: skip
    else:
        value = ope.replay(np.ones(len(user), np.bool_), reward, user, decisions=most, level=asked.level)
        if value.n < FEWEST_USERS:
            against.append((6, f"{value.n} users have {most} accepted decisions; at least {FEWEST_USERS} are required"))
    if against:
        reason = sorted(against, key=lambda each: each[0])[0][1]
        return Row(label, "replay", "replay", nothing, nothing, "refused", reason, None)
    own = float(ope.merge(work.own).mean("r").mean())
    difference = Interval(value.estimate - own, value.lower - own, value.upper - own, value.n)
    words = f"over the first {most} accepted decisions of {value.n} users"
    return Row(label, "replay", "replay", value, difference, "answered", words, None)
