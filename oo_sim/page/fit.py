"""A fit as a chapter of the report: what the people are like, how well it predicts them, and what speaks against it."""

from __future__ import annotations

from pathlib import Path

from oo_sim.errors import OoSimError
from oo_sim.figures.fit import again_figure, calibration_figure, coefficients_figure
from oo_sim.fitting.tables import held_out_table, segments_table, sentences, tried_table
from oo_sim.page.chapter import StudyPart, picture
from oo_sim.show import plain
from oo_sim.studies.again import again, known, scenario_beside


def fit_part(path: Path) -> StudyPart:
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
            "Points on the dotted line are predicted correctly.",
        )
    )
    pictures.append(
        picture(
            coefficients_figure(said),
            "means of the coefficients with their intervals, by segment",
            "Intervals are of the mean over a segment's users; the users themselves differ by the sd in the file.",
        )
    )
    verdict = [*sentences(said), *([sentence] if sentence else [])]
    tables = [segments_table(said), tried_table(said), held_out_table(said)]
    name = path.name.removesuffix(".fit.json")
    return StudyPart(f"{name}: people fitted to a log", name, verdict, said["warnings"], tables, pictures, notes)
