"""How much of what a policy serves is exploration, over time."""

from __future__ import annotations

from matplotlib.figure import Figure

from oo_sim.figures.kit import NAME, Shape, draw_lines, end_room, finish, half_in_words, multiples, name_panel
from oo_sim.figures.style import label_ends, looks
from oo_sim.logs import RunLogError
from oo_sim.results import Run
from oo_sim.results.series import exploration_lines
from oo_sim.results.summary import size
from oo_sim.show import plain


def exploration_figure(run: Run) -> Figure:
    """Share of decisions explored against the round. Raises `RunLogError` where no decision says."""
    found = exploration_lines(run)
    if not found:
        raise RunLogError(run.events("decisions").path, "no policy in it explores by chance; egreedy and random do")
    facts = run.manifest
    shape = Shape(1, 6.0, 3.2, end_room([plain(line.label, NAME) for line in found]))
    note = f"{size(facts)}; in blocks of rounds that grow with the round{half_in_words(found)}"
    figure, [axes] = multiples(f"{plain(facts.name, 60)}: exploration", note, 1, shape)
    draw_lines(axes, found, looks(facts.policies))
    axes.set_xscale("log")
    axes.set_ylim(bottom=0.0)
    name_panel(axes, "Share of decisions explored", "round, logarithmic")
    finish(axes)
    label_ends(axes, shape.height)
    return figure
