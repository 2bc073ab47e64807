"""The verdict of a comparison in sentences: who leads, by how much, how surely, and what is left to gain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from oo_sim.logs import LoggedPolicy
from oo_sim.results.summary import LEVEL
from oo_sim.show.text import plain
from oo_sim.stats import Interval, Paired, t_interval

_FLOOR, _CEILING = "random", "oracle"
_MOST = 4  # rivals that are named


class PairLike(Protocol):
    """Candidate minus baseline, by user: what a verdict needs of a pair of a comparison."""

    @property
    def scenario(self) -> str: ...
    @property
    def baseline(self) -> str: ...
    @property
    def candidate(self) -> str: ...
    @property
    def users(self) -> int: ...
    @property
    def difference(self) -> Interval: ...
    @property
    def spread(self) -> float: ...
    @property
    def paired(self) -> Paired: ...


class Lead(NamedTuple):
    """How much more expected reward per decision `first` earns than `second`."""

    first: str
    second: str
    by: Interval

    @property
    def sure(self) -> bool:
        """Whether the interval excludes 0."""
        return self.by.excludes(0.0)


def leads(pairs: Sequence[PairLike]) -> list[Lead]:
    """Every pair, the one with more reward first. The intervals hold for all pairs at once (Bonferroni over their
    number), so whoever leads may be picked after looking."""
    level = 1 - (1 - LEVEL) / max(len(pairs), 1)
    found = []
    for pair in pairs:
        sign = 1.0 if pair.difference.estimate >= 0 else -1.0
        names = (pair.candidate, pair.baseline) if sign > 0 else (pair.baseline, pair.candidate)
        spread = pair.spread if pair.users > 1 else 0.0
        found.append(Lead(*names, t_interval(sign * pair.difference.estimate, spread**2, pair.users, level)))
    return found


def verdict(policies: Sequence[LoggedPolicy], pairs: Sequence[PairLike]) -> list[str]:
    """The sentences for one scenario; `policies` is the manifest's list, which tells which ones learn.

    The first sentence is the verdict. Where two policies can't be told apart it says so, never that they are equal.
    """
    if not pairs:
        return ["Fewer than two policies have results, so there is nothing to compare."]
    if pairs[0].users < 2:
        return ["With one user there is no interval, and so no verdict: simulate more users."]
    names = {policy.label: policy.name for policy in policies}
    found = leads(pairs)
    means = _means(pairs)
    learners = [label for label in means if names.get(label.rpartition("@")[0] or label) not in (_FLOOR, _CEILING)]
    ranked = sorted(learners or means, key=lambda label: -means[label])
    return [*_first(ranked, found), *_ends(ranked[0], names, found), _how(pairs)]


def _means(pairs: Sequence[PairLike]) -> dict[str, float]:
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


def _ends(leader: str, names: Mapping[str, str], found: Sequence[Lead]) -> Iterator[str]:
    """The leader against random and the oracle."""
    for each in found:
        other = each.second if each.first == leader else each.first
        if leader not in each[:2] or names.get(other) not in (_FLOOR, _CEILING):
            continue
        if names[other] == _CEILING:
            yield f"The oracle, which knows the true means, earns {_bounds(each.by)} more than {_name(leader)}."
        elif each.first == leader:
            yield f"{_name(leader)} earns {_bounds(each.by)} more than choosing at random."
        else:
            yield f"Choosing at random earns {_bounds(each.by)} more than {_name(leader)}."


def _how(pairs: Sequence[PairLike]) -> str:
    several = f", together for all {len(pairs)} comparisons (Bonferroni)" if len(pairs) > 1 else ""
    return (
        f"True expected reward per decision; {LEVEL * 100:g} % intervals over {pairs[0].users:,} users, paired by user"
        f"{several}."
    )


def _more(lead: Lead) -> str:
    return f"it earns {_bounds(lead.by)} more per decision than {_name(lead.second)}, the next"


def _bounds(interval: Interval) -> str:
    return f"{_signed(interval.estimate)} ({_signed(interval.lower)} to {_signed(interval.upper)})"


def _signed(value: float) -> str:
    return f"{value:.4f}".replace("-", "\N{MINUS SIGN}")


def _name(label: str) -> str:
    return plain(label, 60)
