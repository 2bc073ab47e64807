"""How much of what a policy serves is exploration, over time: from the logged decisions of a run with events."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from matplotlib.figure import Figure

from oo_sim.contract import F64, I64
from oo_sim.figures.lines import NAME, draw_lines, finish, name_panel
from oo_sim.figures.multiples import Shape, end_room, multiples
from oo_sim.figures.style import label_ends, looks
from oo_sim.logs import RunFiles, RunLogError
from oo_sim.results.run import Run
from oo_sim.results.series import Line, blocks
from oo_sim.results.summary import LEVEL, size
from oo_sim.show.text import plain
from oo_sim.stats import mean_interval

_BLOCKS = 24
_ROWS = 1 << 17


def explores(run: Run) -> bool:
    """Whether the run logged decisions of a policy that explores."""
    return run.path is not None and RunFiles(run.path).has_events and bool(exploration_lines(run))


def exploration_lines(run: Run) -> list[Line]:
    """Share of decisions explored in blocks of rounds, with its band over users; policies without the notion are
    left out. Raises `RunLogError` when the run logged no decisions."""
    places = {label: i for i, label in enumerate(run.manifest.labels)}
    users = {name: i for i, name in enumerate(run.users["user_id"].unique())}
    starts = blocks(run.manifest.rounds, _BLOCKS)
    counts = np.zeros((2, len(places), len(users), len(starts)))
    keys = pa.array(list(places)), pa.array(list(users))
    for batch in run.decisions().batches(["policy", "user_id", "t", "explored"], rows=_ROWS):
        known = batch.filter(pc.is_valid(batch.column("explored")))
        _count(counts, known, starts, keys)
    ends = np.append(starts[1:], run.manifest.rounds)
    x = (starts + 1 + ends) / 2.0
    return [_line(label, x, *counts[:, i]) for label, i in places.items() if counts[1, i].any()]


def _count(counts: F64, batch: pa.RecordBatch, starts: I64, keys: tuple[pa.Array, pa.Array]) -> None:
    """Add a batch's decisions: how many were explored, and how many there were, by policy, user and block."""
    policy, user = (pc.index_in(batch.column(i), key).to_numpy(zero_copy_only=False) for i, key in enumerate(keys))
    t = batch.column("t").to_numpy()
    block = np.searchsorted(starts, t, "right") - 1
    explored = batch.column("explored").to_numpy(zero_copy_only=False).astype(float)
    np.add.at(counts[0], (policy, user, block), explored)
    np.add.at(counts[1], (policy, user, block), 1.0)


def _line(label: str, x: F64, explored: F64, decisions: F64) -> Line:
    found = []
    for j in range(len(x)):
        seen = decisions[:, j] > 0
        found.append(mean_interval(explored[seen, j] / decisions[seen, j], LEVEL))
    return Line(label, x, np.array([each.estimate for each in found]), np.array([each.width / 2 for each in found]))


def exploration_figure(run: Run) -> Figure:
    """Share of decisions explored against the round. Raises `RunLogError` where no decision says."""
    found = exploration_lines(run)
    if not found:
        raise RunLogError(run.decisions().path, "no policy in it explores by chance; egreedy and random do")
    facts = run.manifest
    shape = Shape(1, 6.0, 3.2, end_room([plain(line.label, NAME) for line in found]))
    note = f"{size(facts)}; in blocks of rounds that grow with the round; band: 95 % over users"
    figure, [axes] = multiples(f"{plain(facts.name, 60)}: exploration", note, 1, shape)
    draw_lines(axes, found, looks(facts.policies))
    axes.set_xscale("log")
    axes.set_ylim(bottom=0.0)
    name_panel(axes, "Share of decisions explored", "round, logarithmic")
    finish(axes)
    label_ends(axes, shape.height)
    return figure
