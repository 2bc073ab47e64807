"""What people say: labels of pairs, how far judges agree with them, and both together in one win rate."""

from __future__ import annotations

import csv
import io
import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import krippendorff
import numpy as np

from oo_sim.errors import GeneratorInputError
from oo_sim.generator.judging.pairs import Pair
from oo_sim.generator.metrics.metric import Metric, Section, known, mean, share
from oo_sim.generator.texts import read_text, write_text
from oo_sim.stats import Interval, t_interval
from oo_sim.stats.predicted import predicted_mean

_WORDS = {"a": 1.0, "first": 1.0, "ours": 1.0, "b": 0.0, "second": 0.0, "theirs": 0.0, "tie": 0.5}
_STEPS = {-2: 0.0, -1: 0.25, 0: 0.5, 1: 0.75, 2: 1.0}
COLUMNS = ("position", "user_id", "label", "rater")
_SIDES = ("theirs", "tie", "ours")


Ratings = tuple[str | None, ...]


class Label(NamedTuple):
    """What a person says of one context: 1 for the first bank, 0 for the second, 0.5 for a tie, steps between."""

    position: int
    user_id: str
    value: float
    rater: str = ""


def read_labels(path: Path) -> list[Label]:
    """The labels in a CSV or JSON lines file. Raises `GeneratorInputError`, which names the line.

    A label is ours, theirs or tie (or A, B; first, second), or a step from -2 (theirs, clearly) to 2 (ours, clearly).
    """
    text = read_text(path)
    labels = [_label(path, number, row) for number, row in _rows(path, text)]
    if not labels:
        raise GeneratorInputError(f"{path}: holds no labels; expected columns {', '.join(COLUMNS[:3])}")
    return labels


def check_writable(path: Path) -> None:
    """`GeneratorInputError` where no file can be written there, before anybody has worked for it."""
    if not path.resolve().parent.is_dir():
        raise GeneratorInputError(f"{path}: cannot be written: there is no directory {path.parent}")


def write_labels(path: Path, labels: Sequence[Label]) -> None:
    """Writes a CSV that `read_labels` reads, whole or not at all."""
    names = {value: name for name, value in _WORDS.items() if name in _SIDES}
    steps = {value: step for step, value in _STEPS.items()}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((one.position, one.user_id, names.get(one.value, steps[one.value]), one.rater) for one in labels)
    write_text(path, out.getvalue())


def agreement_section(pairs: Sequence[Pair], labels: Sequence[Label], alias: str) -> Section:
    """How far a judge agrees with people, and the win rate of labels alone and of labels and judgements together.

    Intervals are over users. Raises `GeneratorInputError` where labels are of contexts that the banks do not have.
    """
    scores = {pair.position: pair.score for pair in pairs}
    strange = next((label for label in labels if label.position not in scores), None)
    if strange is not None:
        raise GeneratorInputError(f"--labels: one is of context {strange.position}, which the tip bank does not have")
    by_context = _by_context(labels)
    users = {pair.position: pair.user_id for pair in pairs}
    both = [(at, users[at], value, score) for at, value in by_context.items() if (score := scores[at]) is not None]
    alone = mean_interval_of([(users[at], value) for at, value in by_context.items()])
    sides = [(user, side(value), side(score)) for _, user, value, score in both]
    of = f"{len(both)} labelled contexts with a verdict"
    return Section(
        f"judge {alias} and {len(labels)} labels",
        (
            share("agreement", [(user, a == b, 1) for user, a, b in sides], "labelled contexts with a verdict"),
            _jackknifed("Cohen's kappa", sides, cohen_kappa, of),
            _jackknifed("Krippendorff's alpha, judge and people", sides, _alpha_of, of),
            *_calibration(both),
            known(alone, Metric("win rate, labels alone", None, f"{len(by_context)} contexts", is_share=True)),
            _powered(pairs, by_context, users),
        ),
    )


def judges_section(by_alias: Mapping[str, Sequence[Pair]]) -> Section:
    """How far several judges agree with each other."""
    rows: dict[int, list[str | None]] = defaultdict(list)
    users = {pair.position: pair.user_id for pairs in by_alias.values() for pair in pairs if pair.verdicts}
    for pairs in by_alias.values():
        for pair in pairs:
            if pair.verdicts:
                rows[pair.position].append(None if pair.score is None else side(pair.score))
    told = [(users[at], *row) for at, row in rows.items()]
    of = f"{len(told)} pairs, {len(by_alias)} judges"
    return Section("judges among themselves", (_jackknifed("Krippendorff's alpha", told, _alpha_of, of),))


def cohen_kappa(rows: Sequence[Ratings]) -> float:
    """Agreement beyond chance of two raters; nan where chance alone agrees always. Source: Cohen (1960)."""
    n = len(rows)
    if not n:
        return math.nan
    agreed = sum(a == b for a, b in rows) / n
    first, second = ([row[at] for row in rows] for at in (0, 1))
    chance = sum(first.count(name) * second.count(name) for name in {*first, *second}) / n**2
    return (agreed - chance) / (1 - chance) if chance < 1 else math.nan


def side(value: float) -> str:
    """Who wins at a score."""
    return "tie" if value == 0.5 else "ours" if value > 0.5 else "theirs"


def mean_interval_of(rows: Sequence[tuple[str, float]]) -> Interval:
    """The mean over units with an interval over users."""
    values, names = [value for _, value in rows], [user for user, _ in rows]
    return predicted_mean(values, values, names, [], [])[0]


def _alpha_of(rows: Sequence[Ratings]) -> float:
    """Source: Krippendorff (2011); nominal, with whatever is missing left out."""
    data = [
        [math.nan if value is None else _SIDES.index(value) for value in rater] for rater in zip(*rows, strict=True)
    ]
    try:
        return float(krippendorff.alpha(data, level_of_measurement="nominal", value_domain=[0, 1, 2]))
    except ValueError:  # all say the same, or nothing can be compared
        return math.nan


def _jackknifed(
    name: str,
    rows: Sequence[Ratings],
    measure: Callable[[Sequence[Ratings]], float],
    of: str,
) -> Metric:
    """A measure of rows (user, ratings ...) with the interval of its jackknife over users. Source: Tukey (1958)."""
    by_user: dict[str | None, list[Ratings]] = defaultdict(list)
    for user, *ratings in rows:
        by_user[user].append(tuple(ratings))
    whole = measure([row for own in by_user.values() for row in own]) if rows else math.nan
    n = len(by_user)
    metric = Metric(name, None, of)
    if not math.isfinite(whole):
        return metric
    if n < 2:
        return metric._replace(value=whole)
    without = [measure([row for name, own in by_user.items() if name != user for row in own]) for user in by_user]
    if not all(map(math.isfinite, without)):
        return metric._replace(value=whole)
    pseudo = n * whole - (n - 1) * np.array(without)
    return known(t_interval(whole, float(pseudo.var(ddof=1)), n), metric)


def _calibration(both: Sequence[tuple[int, str, float, float]]) -> list[Metric]:
    """What people say where the judge says one thing."""
    return [
        mean(
            f"people for ours where the judge says {verdict}",
            [(user, value) for _, user, value, score in both if side(score) == verdict],
            "labelled contexts",
            is_share=True,
        )
        for verdict in ("ours", "tie", "theirs")
    ]


def _powered(pairs: Sequence[Pair], labels: Mapping[int, float], users: Mapping[int, str]) -> Metric:
    """The win rate by labels and judgements together, over the pairs that have a judgement."""
    judged = {pair.position: pair.score for pair in pairs if pair.score is not None}
    here = [at for at in labels if at in judged]
    there = [at for at in judged if at not in labels]
    interval, weight = predicted_mean(
        [labels[at] for at in here],
        [judged[at] for at in here],
        [users[at] for at in here],
        [judged[at] for at in there],
        [users[at] for at in there],
    )
    of = f"{len(here)} labels and {len(there)} further judgements"
    note = f"prediction-powered; the judge weighs {weight:.2f}"
    return known(interval, Metric("win rate, labels and judge", None, of, is_share=True, note=note))


def _by_context(labels: Sequence[Label]) -> dict[int, float]:
    """The mean label of each context, where several people gave one."""
    values: dict[int, list[float]] = defaultdict(list)
    for label in labels:
        values[label.position].append(label.value)
    return {at: sum(given) / len(given) for at, given in values.items()}


def _rows(path: Path, text: str) -> Iterable[tuple[int, Mapping[str, object]]]:
    if text.lstrip().startswith("{"):
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                try:
                    value = json.loads(line)
                except (ValueError, RecursionError):
                    raise GeneratorInputError(f"{path}, line {number}: is not JSON") from None
                yield number, value if isinstance(value, dict) else {}
    else:
        yield from enumerate(csv.DictReader(io.StringIO(text)), 2)


def _label(path: Path, number: int, row: Mapping[str, object]) -> Label:
    position, given = row.get("position"), str(row.get("label", "")).strip().casefold()
    value = _WORDS.get(given)
    if value is None:
        value = _STEPS.get(int(given)) if given.lstrip("+-").isdecimal() and given.isascii() else None
    if value is None or not str(position).strip().isdecimal():
        raise GeneratorInputError(
            f"{path}, line {number}: expected a position (a whole number) and a label (ours, theirs, tie, or -2 to 2), "
            f"received {str(position)!r:.30} and {given!r:.30}"
        )
    return Label(int(str(position)), str(row.get("user_id") or ""), value, str(row.get("rater") or ""))
