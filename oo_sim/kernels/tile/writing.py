"""Writes plans: the constants of an instance, where its rows stand, and the formulas whose steps depend on which
features there are, written out.

Compilers keep what is written out in registers, and drop what a constant switches off; with counters and switches that
are read at run time, the same loops take two to five times as long. `python -m oo_sim.kernels.tile.writing` writes
`plan.py` again, the plan that the package itself has, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from oo_sim.kernels.tile import written
from oo_sim.kernels.tile.numbers import TERMS

LANES = 64
CLOCK_TERMS = ("hour_sin", "hour_cos", "dow_sin", "dow_cos")
CANDIDATE_TERMS = ("is_overdue", "task_age", "priority", "is_llm")

SCORES = (
    *("nothing", "truth", "mean", "upper confidence", "upper confidence by kind", "sample", "bootstrap"),
    *("discounted", "window"),
)
EXPLORERS = ("greedy", "epsilon", "softmax", "inverse gap", "shares", "even")
LESSONS = ("nothing", "ridge", "ridge by kind", "laplace", "restart", "bootstrap", "discounted", "window")
DELAYS = ("none", "geometric", "lognormal", "uniform")
DUES = ("uniform", "normal", "weights")


class Scene(NamedTuple):
    """What decides which code a world has: `kind` is tips, ball or gaussian, the latter two with vectors."""

    kind: str
    tasks: int
    tips: int
    dimension: int = 0
    due: str = "uniform"
    walks: bool = False  # the clock, through the week
    backlog: bool = False
    whole: bool = False  # ages are whole days
    places: bool = False  # how many are on offer changes from round to round
    about_task: bool = False  # a tip has the features of a task
    hourly: bool = False  # the utility depends on the clock
    changes: int = 0  # drifts
    weekly: bool = False  # some of them by weekday
    wanders: bool = False  # some of them walk
    tires: bool = False
    comes: bool = False  # users come in the course of time
    churns: bool = False
    bernoulli: bool = False  # rewards of a world of vectors


class Form(NamedTuple):
    """What decides which code an instance has."""

    scene: Scene
    features: tuple[str, ...]
    score: str
    explore: str
    learn: str
    rows: int  # of a user's state
    late: str = ""  # how long rewards take; nothing where all arrive at once

    @property
    def column(self) -> int | None:
        """The feature that says which kind a candidate is of, where each kind has a model."""
        return self.features.index("is_llm") if self.learn == "ridge by kind" else None

    @property
    def scored(self) -> int:
        """How many features a score reads."""
        return len(self.features) - (self.column is not None)

    @property
    def regressed(self) -> int:
        """How many features are learned on: twice as many, of which one half is 0, where each kind has a model."""
        return self.scored if self.column is None else 2 * self.scored


_STEPS = 130
"""Lines of a score's formula up to which a compiler writes out loops within loops."""
_THROUGH_SAMPLE = ("sample", "bootstrap", "discounted", "window")
"""Scores whose theta stands in SAMPLE."""


def plan(form: Form) -> str:
    """The text of the instance's plan."""
    scene, d = form.scene, len(form.features)
    K, vectors, at = scene.tasks + scene.tips, scene.kind != "tips", rows(form)
    functions = list(_functions(form, at))
    upper = form.score in ("upper confidence", "upper confidence by kind", "discounted", "window")
    formulas = ("def mean", "def quadratic") if upper else ("def mean",)
    steps = sum(len(lines) for lines in functions if lines[0].startswith(formulas))
    distinct = K if vectors or scene.places else scene.tasks + min(scene.tips, 1)  # tips in fixed places are all alike
    facts: dict[str, int | bool] = {
        "LANES": LANES,
        "TASKS": scene.tasks,
        "TIPS": scene.tips,
        "K": K,
        "ABREAST": _abreast(K, 5),
        "DISTINCT": distinct,
        "SCORED_ABREAST": _abreast(distinct, min(_STEPS // steps, 5)),
        "D": d,
        "DIMENSION": scene.dimension,
        "CHANGES": scene.changes,
        "STATE_ROWS": form.rows,
        "VECTORS": vectors,
        "BALL": scene.kind == "ball",
        "BERNOULLI": scene.bernoulli,
        "WALKS": scene.walks,
        "BACKLOG": scene.backlog,
        "WHOLE": scene.whole,
        **{f"DUE_{due.upper()}": scene.due == due for due in DUES},
        "PLACES": scene.places,
        "ABOUT_TASK": scene.about_task,
        "HOURLY": scene.hourly,
        "WEEKDAYS": scene.hourly or scene.weekly or any("dow" in name for name in form.features),
        "WEEKLY": scene.weekly,
        "DRIFTS": scene.changes > 0,
        "WANDERS": scene.wanders,
        "TIRES": scene.tires,
        "COMES": scene.comes,
        "CHURNS": scene.churns,
        "PRESENT": scene.comes or scene.churns,
        "TRUTH": form.score == "truth" or "expected_reward" in form.features,
        "SCORED": form.score != "nothing",
        "SCORES_TRUTH": form.score == "truth",
        "UPPER": upper,
        "BOOTSTRAPS": form.score == "bootstrap",
        "DISCOUNTS": form.score == "discounted",
        "SLIDES": form.score == "window",
        "WINDOW": (form.rows - d - d * (d + 1) // 2) // (d + 2),
        "MODEL_ROWS": d + d * (d + 1) // 2,
        "REPLICATES": form.rows // max(d + d * (d + 1) // 2, 1),
        "SAMPLES_THETA": form.score == "sample",
        "LEARNS": form.learn != "nothing",
        **{f"IS_{explore.upper().replace(' ', '_')}": form.explore == explore for explore in EXPLORERS},
        **{f"LEARNS_{learn.upper().replace(' ', '_')}": form.learn == learn for learn in LESSONS[1:]},
        "LATE": bool(form.late),
        **{f"LATE_{delay.upper()}": form.late == delay for delay in DELAYS[1:]},
        "WIDE": form.scored > written.WIDEST,
        "LEARNS_WIDE": form.regressed > written.WIDEST,
        "KIND": form.column or 0,
        "N": form.regressed,
    }
    facts.update({name: row * LANES for name, row in at.items()})
    facts["LIKED"] = facts["MOVED" if scene.changes else "TASTE"]
    facts["WEIGHTS"] = facts["SAMPLE" if form.score in _THROUGH_SAMPLE else "STATE"]
    facts["Z"] = facts["X" if form.column is None else "PAIRED"]
    facts["KEPT"] = facts["STATE"] + (d + d * (d + 1) // 2) * LANES
    facts["ROWS"] = at["ROWS"]
    lines = [_HEAD, *(f"{name} = {value}" for name, value in facts.items()), ""]
    for function in functions:
        lines += ["", "@lane", *function, ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _abreast(count: int, most: int) -> int:
    """How many of `count` candidates, and at most how many, a loop over lanes goes through at once: all share what is
    read. A divisor; small, since such a loop is vectorised only where the compiler writes out the one within it."""
    return max(width for width in range(1, max(most, 1) + 1) if count % width == 0)


_HEAD = '''"""The plan of an instance: see `writing.py`, which writes it."""

# ruff: noqa: F401, PLR0915 (as many statements as there are steps)
from __future__ import annotations

from typing import Any

import numpy as np

from oo_sim.contract import F64
from oo_sim.kernels.compile import lane
'''


def rows(form: Form) -> dict[str, int]:
    """Which row of a tile each of its parts begins in; the last, ROWS, is how many there are."""
    scene, d = form.scene, len(form.features)
    K, triangle, samples = scene.tasks + scene.tips, d * (d + 1) // 2, form.score in _THROUGH_SAMPLE
    tips, changes = scene.kind == "tips", scene.changes
    models = form.rows // max(d + triangle, 1) if form.learn == "bootstrap" else 0
    tasks, vectors = 8 * ((scene.tasks + 3) // 4), 2 * (scene.dimension + 2) + 2
    drawn = max(tasks, vectors, models + 1, d + 2, scene.tips + 1, TERMS + 2)
    sizes = {
        "CLOCK": 4,
        "DAY": 1,
        "TOP": 1,
        "BEST": 1,
        "PEAK": 1,
        "SOUND": 1,
        "CHOSEN": 1,
        "ACTIVE": 1,
        "NOW": 1,
        "GOT": 1,
        "ANSWERED": 1,
        "LEARNED": 1,
        "HEARD": 1,
        "REACTION": 1,
        "WORTH": 1,
        "DECIDED": 1,
        "BASE": 1,
        "SLOPE": 4,
        "N_TASKS": 1,
        "N_TIPS": 1,
        "BEGAN": 1,
        "TIME": 1,
        "SCRATCH": 6,
        "COMES_AT": 1,
        "GONE": 1,
        "BAD": 1,
        "DONE": 1,
        "ARRIVED": 1,
        "SOURCE": 2,
        "NOVEL": 2,
        "STATE": form.rows,
        "X": max(d, 1),
        "PAIRED": 0 if form.column is None else form.regressed,
        "V": max(form.regressed + 4, 5),
        "FACTOR": triangle if samples else 0,
        "SAMPLE": d if samples else 0,
        "SQUARED": triangle if form.score == "discounted" else 0,
        "LEVEL": K if tips else 0,
        "AGE": K if tips else 0,
        "AGED": K if tips else 0,
        "OVERDUE": K if tips else 0,
        "MASK": K if scene.places else 0,
        "LLM": K if scene.places else 0,
        "DUE": scene.tasks,
        "DATED": scene.tasks,
        "TIRED": scene.tasks if scene.tires else 0,
        "UTILITY": K,
        "EXPECTED": K,
        "SCORE": K,
        "TOTAL": K,
        "OFFERED": K * scene.dimension,
        "THETA": scene.dimension,
        "TASTE": TERMS if tips else 0,
        "MOVED": TERMS if scene.changes else 0,
        "WALKED": TERMS if scene.wanders else 0,
        "CONCERNED": changes,
        "TARGET": changes * TERMS,
        "DRAWN": drawn,
        "NORMAL": drawn,
    }
    at = dict(zip([*sizes, "ROWS"], accumulate([0, *sizes.values()]), strict=True))
    if not (scene.comes or scene.churns or form.late):  # then all answers arrive, and at once
        at["HEARD"] = at["LEARNED"] = at["ANSWERED"]
    return at


def _functions(form: Form, at: dict[str, int]) -> Iterator[list[str]]:
    d, x = len(form.features), list(_features(form, at))
    yield [
        "def put_features(S: F64, k: Any, i: int) -> None:",
        '    """The features of candidate k into the rows of X."""',
        *(f"    S[{(at['X'] + a) * LANES} + i] = {value}" for a, value in enumerate(x)),
        *(["    pass"] if not x else []),
    ]
    wide, wide_lesson = form.scored > written.WIDEST, form.regressed > written.WIDEST
    weights, inverse = at["SAMPLE" if form.score in _THROUGH_SAMPLE else "STATE"], at["STATE"] + d
    x, window = [] if wide else x, d if form.score == "window" and not wide else 0
    discounted = d if form.score == "discounted" and not wide else 0
    if form.score == "window":
        yield written.forgotten(x, at, "mean")
        yield written.forgotten(x, at, "quadratic")
    elif form.column is not None:
        kind, read = (x[form.column], x[: form.column] + x[form.column + 1 :]) if x else ("", x)
        yield written.mean_by_kind(read, kind, at)
        yield written.quadratic_by_kind(read, kind, at)
    else:
        yield written.mean(x, weights)
        yield written.discounted(x, at) if form.score == "discounted" else written.quadratic(x, inverse)
    yield written.factored_sums(window, at)
    yield written.window_sums(window, at, "entered", "X")
    yield written.window_sums(window, at, "left", "V")
    yield written.solved(discounted, at)
    yield written.discounted_sums(discounted, at)
    yield written.weighted(d if form.learn == "bootstrap" else 0, at)
    yield written.learned(0 if wide_lesson else form.regressed, at, "X" if form.column is None else "PAIRED")
    sampled = 0 if wide or form.score != "sample" else d
    yield written.factored(sampled, at)
    yield written.sampled(sampled, at)
    laplace = 0 if wide or form.learn != "laplace" else d
    yield written.times_inverse(laplace, at)
    yield written.shrunk(laplace, at)


def _features(form: Form, at: dict[str, int]) -> Iterator[str]:
    """Each feature of candidate k in lane i, as an expression."""
    for a, name in enumerate(form.features):
        if name == "vector":
            yield f"S[(k * {form.scene.dimension} + {a}) * {LANES} + {at['OFFERED'] * LANES} + i]"
        elif name == "expected_reward":
            yield f"S[k * {LANES} + {at['EXPECTED'] * LANES} + i]"
        else:
            clock, _, candidate = name.rpartition("*")
            value = _term(form, candidate, at)
            yield f"{_term(form, clock, at)} * ({value})" if clock else value


def _term(form: Form, name: str, at: dict[str, int]) -> str:
    if name in CLOCK_TERMS:
        return f"S[{(at['CLOCK'] + CLOCK_TERMS.index(name)) * LANES} + i]"
    if name == "is_llm" and not form.scene.places:
        return f"1.0 if k >= {form.scene.tasks} else 0.0"
    row = {"is_overdue": "OVERDUE", "task_age": "AGED", "priority": "LEVEL", "is_llm": "LLM"}[name]
    value = f"S[k * {LANES} + {at[row] * LANES} + i]"
    # for the whole numbers 0 to 3, the product is the quotient by 3 to the bit
    return f"{value} * 0.3333333333333333" if name == "priority" else value


EXAMPLE = Form(
    Scene("tips", tasks=8, tips=2, whole=True),
    ("hour_sin", "hour_cos", "is_overdue", "task_age", "priority"),
    "upper confidence",
    "greedy",
    "ridge",
    20,
)
"""LinUCB in the scenario quickstart."""

if __name__ == "__main__":
    Path(__file__).with_name("plan.py").write_text(plan(EXAMPLE), encoding="utf-8")
