"""The verdict of a comparison in sentences: who leads, by how much, how surely, and what is left to gain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from oo_sim.logs import LoggedPolicy
from oo_sim.results.summary import LEVEL
from oo_sim.show import plain
from oo_sim.show.text import MINUS
from oo_sim.stats import Interval, t_interval
from oo_sim.studies import Pair

_FLOOR, _CEILING = "random", "oracle"
_MOST = 4  # rivals that are named


class Lead(NamedTuple):
    """How much more expected reward per decision `first` earns than `second`."""

    first: str
    second: str
    by: Interval

    @property
    def sure(self) -> bool:
        """Whether the interval excludes 0."""
        return self.by.excludes(0.0)


def leads(pairs: Sequence[Pair]) -> list[Lead]:
    """Every pair, the one with more reward first. The intervals hold for all pairs at once, so the leader may be picked
    after looking: those of the comparison, or Student's by Bonferroni over their number, never narrower than each
    pair's own."""
    found = []
    for pair in pairs:
        interval = pair.simultaneous or _bonferroni(pair, len(pairs))
        if pair.difference.estimate >= 0:
            found.append(Lead(pair.candidate, pair.baseline, interval))
        else:
            turned = Interval(-interval.estimate, -interval.upper, -interval.lower, interval.n)
            found.append(Lead(pair.baseline, pair.candidate, turned))
    return found


def _bonferroni(pair: Pair, pairs: int) -> Interval:
    level = 1 - (1 - LEVEL) / pairs
    own, variance = pair.difference, pair.spread**2 if pair.users > 1 else 0.0
    wide = t_interval(own.estimate, variance, pair.users, level)
    return Interval(own.estimate, min(own.lower, wide.lower), max(own.upper, wide.upper), own.n)


def verdict(policies: Sequence[LoggedPolicy], pairs: Sequence[Pair]) -> list[str]:
    """The sentences for one scenario; `policies` is the manifest's list, which tells which ones learn.

    The first sentence is the verdict. Where two policies can't be told apart it says so, never that they are equal.
    """
    if not pairs:
        return ["Fewer than two policies have results, so there is nothing to compare."]
    if pairs[0].users < 2:
        return ["With one user there is no interval, and so no verdict: simulate more users."]
    roles = _roles(policies, pairs)
    found = leads(pairs)
    means = _means(pairs)
    learners = [label for label in means if roles[label].name not in (_FLOOR, _CEILING)]
    ranked = sorted(learners or means, key=lambda label: -means[label])
    return [*_first(ranked, found), *_ends(ranked[0], roles, found), _how(pairs)]


class _Role(NamedTuple):
    """What a label stands for: a policy's name, and the bank of its tips, empty without one."""

    name: str
    bank: str


def _roles(policies: Sequence[LoggedPolicy], pairs: Sequence[Pair]) -> dict[str, _Role]:
    """The role of each label of the pairs; where runs differ, labels end in `@run`."""
    known = {p.label: _Role(p.name, (p.bank or {}).get("bank", "")) for p in policies}
    shown = {label for pair in pairs for label in (pair.baseline, pair.candidate)}
    return {label: known.get(label.rpartition("@")[0], known.get(label, _Role("", ""))) for label in shown}


def _means(pairs: Sequence[Pair]) -> dict[str, float]:
    means: dict[str, float] = {}
    for pair in pairs:
        means[pair.baseline] = pair.paired.baseline.estimate
        means[pair.candidate] = pair.paired.candidate.estimate
    return means


def _first(ranked: Sequence[str], found: Sequence[Lead]) -> Iterator[str]:
    """The leader against the other policies that learn."""
    leader, own = ranked[0], [each for each in found if ranked[0] in each[:2]]
    others = [each for each in own if {each.first, each.second} <= set(ranked)]
    if not others:
        return
    unsure = [each for each in others if not each.sure]
    nearest = min(others, key=lambda each: abs(each.by.estimate))
    if not unsure:
        best = f"is the best of the {len(ranked)} policies that learn" if len(others) > 1 else "is better"
        yield f"{_name(leader)} {best}: {_more(nearest)}."
        return
    names = [_name(each.second if each.first == leader else each.first) for each in unsure]
    rivals = ", ".join(names[:_MOST]) + (f" and {len(names) - _MOST} more" if len(names) > _MOST else "")
    close = unsure[0] if len(unsure) == 1 else min(unsure, key=lambda each: abs(each.by.estimate))
    yield (
        f"No policy is shown to be the best: {_name(leader)} has the highest mean, but can't be told apart from "
        f"{rivals}. {_name(close.first)} minus {_name(close.second)} is {_bounds(close.by)}, which includes 0."
    )


def _ends(leader: str, roles: Mapping[str, _Role], found: Sequence[Lead]) -> Iterator[str]:
    """The leader against random and the oracle, which chose among the same tips."""
    for each in found:
        other = each.second if each.first == leader else each.first
        role = roles[other]
        if leader not in each[:2] or role.name not in (_FLOOR, _CEILING) or role.bank != roles[leader].bank:
            continue
        whole = "" if other == role.name else f" ({_name(other)})"  # a label says more: the bank, the run
        if role.name == _CEILING:
            oracle = f"The oracle{whole}, which knows the true means,"
            yield f"{oracle} earns {_bounds(each.by)} more than {_name(leader)}."
        elif each.first == leader:
            yield f"{_name(leader)} earns {_bounds(each.by)} more than choosing at random{whole}."
        else:
            yield f"Choosing at random{whole} earns {_bounds(each.by)} more than {_name(leader)}."


def _how(pairs: Sequence[Pair]) -> str:
    several = f", together for all {len(pairs)} comparisons" if len(pairs) > 1 else ""
    return (
        f"True expected reward per decision; {LEVEL * 100:g} % intervals over {pairs[0].users:,} users, paired by user"
        f"{several}."
    )


def _more(lead: Lead) -> str:
    return f"it earns {_bounds(lead.by)} more per decision than {_name(lead.second)}, the next"


def _bounds(interval: Interval) -> str:
    return f"{_signed(interval.estimate)} ({_signed(interval.lower)} to {_signed(interval.upper)})"


def _signed(value: float) -> str:
    return f"{value:.4f}".replace("-", MINUS)


def _name(label: str) -> str:
    return plain(label, 60)
