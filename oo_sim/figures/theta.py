"""What the policies have learned against the truth, as points about a line."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from oo_sim.figures.kit import NAME, Shape, finish, multiples, name_panel
from oo_sim.figures.style import FAINT, Look, looks
from oo_sim.logs import RunLogError
from oo_sim.results import Run
from oo_sim.results.coefficients import PLAIN_RIDGE, Learned, learned
from oo_sim.results.summary import size
from oo_sim.show import plain

_SHAPE = Shape(3, 2.6, 2.6)
_POINTS = 3000


def told(run: Run) -> tuple[list[Learned], bool, tuple[float, float]]:
    """What each policy has learned, whether the truth is exact, and the ends of an axis that shows nearly all of it.
    Raises `RunLogError` without events or without a policy whose coefficients can be told."""
    found, exact = learned(run)
    if not found:
        raise RunLogError(
            run.events("learnings").path,
            f"holds no coefficients to show; policies with them are {', '.join(PLAIN_RIDGE)}",
        )
    ends = np.quantile(np.concatenate([np.concatenate([p.truth, p.learned]).ravel() for p in found]), [0.002, 0.998])
    margin = 0.05 * (ends[1] - ends[0]) or 0.1
    return found, exact, (float(ends[0] - margin), float(ends[1] + margin))


def theta_figure(run: Run) -> Figure:
    """A panel per policy: each user's learned coefficients against the true ones. Raises `RunLogError` as `told`."""
    found, exact, ends = told(run)
    facts, style = run.manifest, looks(run.manifest.policies)
    what = "true coefficient" if exact else "best linear fit to the true means"
    note = f"{size(facts)}; a point: one coefficient of one user after all rounds; on the line: learned exactly"
    figure, panels = multiples(f"{plain(facts.name, 60)}: what was learned", note, len(found), _SHAPE)
    for axes, policy in zip(panels, found, strict=True):
        points(axes, policy, style[policy.label], ends)
        name_panel(axes, f"{plain(policy.label, NAME)}: rms error {policy.error:.3f}", what)
        axes.set_ylabel("learned", color=FAINT, labelpad=2)
        finish(axes)
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.locator_params(axis="both", nbins=5, integer=False)
        axes.set_xlim(axes.get_ylim())
    return figure


def points(axes: Axes, policy: Learned, look: Look, ends: tuple[float, float], size: float = 4.0) -> None:
    """Learned against true coefficients, and the line on which they would be the same."""
    step = max(1, policy.truth.size // _POINTS)
    x, y = policy.truth.ravel()[::step], policy.learned.ravel()[::step]
    axes.plot(x, y, ".", color=look.color, markersize=size, alpha=0.4, markeredgewidth=0)
    axes.plot(ends, ends, color=FAINT, linewidth=1.0, linestyle=(0, (4, 3)))
    axes.set_xlim(ends)
    axes.set_ylim(ends)
