"""A fit as a chapter of the report: who the people are, how well they are predicted, and what speaks against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from oo_sim.errors import OoSimError
from oo_sim.figures.fit import again_figure, calibration_figure, coefficients_figure
from oo_sim.page.chapter import Picture, picture
from oo_sim.show import Table, plain
from oo_sim.studies.again import again, known, scenario_beside


class FitPart(NamedTuple):
    """What stands in the page of one fit, from top to bottom."""

    name: str
    verdict: Sequence[str]
    warnings: Sequence[str]
    tables: Sequence[Table]
    pictures: Sequence[Picture]
    notes: Sequence[str]


def fit_part(path: Path) -> FitPart:
    """The chapter of `NAME.fit.json`; the logging policy is run again where the log and the scenario are still there.

    Raises FitError where the file is not one.
    """
    said = known(path)
    pictures, notes, sentence = [], [], ""
    try:
        found = again(said, scenario_beside(path))
        pictures.append(
            picture(
                again_figure(found, plain(said["policy"], 40)),
                "reward curves of the logging policy in the log and in the fitted world",
                "Where the two bands lie apart, the fitted world is not the log's: do not believe it there.",
            )
        )
        sentence = (
            "Run again in the fitted world, the logging policy's reward curve agrees with the log's own at every round."
            if found.apart == 0.0
            else f"Run again in the fitted world, the logging policy's reward curve differs from the log's own at "
            f"{found.apart:.0%} of the rounds that were looked at: do not believe the fitted world there."
        )
    except OoSimError as error:
        notes.append(f"The logging policy was not run again: {error}")
    pictures.append(
        picture(
            calibration_figure(said),
            "observed against predicted rewards, by tenth of the prediction and by hour",
            "Points on the dotted line are predicted rightly.",
        )
    )
    pictures.append(
        picture(
            coefficients_figure(said),
            "means of the coefficients with their intervals, by segment",
            "Intervals are of the mean over a segment's users; the users themselves differ by the sd in the file.",
        )
    )
    new = said["held_out"]["new_users"]
    verdict = [
        f"{said['users']} users, {said['decisions']:,} decisions of {said['policy']}, {said['reactions']:,} reactions; "
        f"{len(said['people'])} {'segment' if len(said['people']) == 1 else 'segments'} of people.",
        f"Per reaction of users whom the fit has not seen, the log likelihood is {new['fit']:.3f}, against "
        f"{new['one_segment']:.3f} with one segment and {new['constant']:.3f} of a constant.",
        *([sentence] if sentence else []),
    ]
    tables = [_segments(said), _tried(said), _held_out(said)]
    return FitPart(path.name.removesuffix(".fit.json"), verdict, said["warnings"], tables, pictures, notes)


def _segments(said: Mapping[str, Any]) -> Table:
    rows = [
        (
            one["name"],
            f"{one['share']:.3f} ± {1.96 * one['share_error']:.3f}",
            ", ".join(f"{term} {one['mean'][term]:+.2f}" for term in _strongest(one, said["terms"])),
        )
        for one in said["people"]
    ]
    title = f"Segments; {said['assignment']['sure']:.0%} of users belong to one with probability .9 or more"
    return Table(("segment", "share", "surest coefficients"), rows, title, wordy=frozenset({2}))


def _strongest(one: Mapping[str, Any], terms: Sequence[str]) -> list[str]:
    return sorted(terms[1:], key=lambda term: -abs(one["mean"][term]) / max(one["mean_error"][term], 1e-12))[:4]


def _tried(said: Mapping[str, Any]) -> Table:
    rows = [
        (
            str(one["segments"]),
            f"{one['log_likelihood']:,.1f}",
            f"{one['bic']:,.0f}",
            f"{one['reached']} of {one['starts']}",
        )
        for one in said["tried"]
    ]
    headers = ("segments", "log likelihood", "BIC", "starts that reached it")
    return Table(headers, rows, "Numbers of segments that were tried; the smallest BIC was taken")


def _held_out(said: Mapping[str, Any]) -> Table:
    names = {"new_users": "users never seen", "later_rounds": "the same users, later"}
    rows = [
        (names[key], *(f"{one[column]:.4f}" for column in ("fit", "one_segment", "constant")))
        for key, one in said["held_out"].items()
    ]
    return Table(("kept back", "this fit", "one segment", "a constant"), rows, "Log likelihood per reaction")
