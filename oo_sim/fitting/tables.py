"""What a fit says, as tables and sentences, from what `NAME.fit.json` holds: for people, notebooks and the report."""

from __future__ import annotations

from collections.abc import Sequence

from oo_sim.fitting.said import FitSaid, SegmentSaid
from oo_sim.show import Table, count


def sentences(said: FitSaid) -> list[str]:
    """Of whom it is a fit, and how well it predicts people it has not seen."""
    new = said["held_out"]["new_users"]
    return [
        f"{count(said['users'], 'user')}, {count(said['decisions'], 'decision')} of {said['policy']}, "
        f"{count(said['reactions'], 'reaction')}; {count(len(said['people']), 'segment')} of people.",
        f"Per reaction of users whom the fit has not seen, the log likelihood is {new['fit']:.3f}, against "
        f"{new['one_segment']:.3f} with one segment and {new['constant']:.3f} of a constant.",
    ]


def segments_table(said: FitSaid) -> Table:
    """Each segment's share and what is known most surely of it."""
    rows = [
        (
            one["name"],
            f"{one['share']:.3f} ± {1.96 * one['share_error']:.3f}",
            ", ".join(f"{term} {one['mean'][term]:+.2f}" for term in _surest(one, said["terms"])),
        )
        for one in said["people"]
    ]
    title = f"Segments; {said['assignment']['sure']:.0%} of users belong to one with probability .9 or more"
    return Table(("segment", "share", "surest coefficients"), rows, title, wordy=frozenset({2}))


def _surest(one: SegmentSaid, terms: Sequence[str]) -> list[str]:
    return sorted(terms[1:], key=lambda term: -abs(one["mean"][term]) / max(one["mean_error"][term], 1e-12))[:4]


def tried_table(said: FitSaid) -> Table:
    """The numbers of segments that were tried."""
    rows = [
        (
            str(one["segments"]),
            f"{one['log_likelihood']:,.1f}",
            f"{one['bic']:,.0f}",
            f"{one['reached']} of {one['starts']}",
        )
        for one in said["tried"]
    ]
    headers = ("segments", "log likelihood", "BIC", "starts that\nreached it")
    return Table(headers, rows, "Numbers of segments that were tried; the smallest BIC was taken")


def held_out_table(said: FitSaid) -> Table:
    """How well is predicted what was kept back."""
    held = said["held_out"]
    rows = [
        (name, *(f"{value:.4f}" for value in (one["fit"], one["one_segment"], one["constant"])))
        for name, one in (("users never seen", held["new_users"]), ("the same users, later", held["later_rounds"]))
    ]
    return Table(("kept back", "this fit", "one segment", "a constant"), rows, "Log likelihood per reaction")
