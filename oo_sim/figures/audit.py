"""The picture of an audit: how many rows each check judged of each policy, and how many of them are wrong."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from oo_sim.figures.kit import NAME, Sheet, text_width
from oo_sim.figures.style import FONT, INK
from oo_sim.show import plain
from oo_sim.studies.auditing import Audit

_EDGE, _HEAD, _ROW, _CELL = 0.25, 0.75, 0.3, 1.15  # inches
_RIGHT, _WRONG, _NONE = "#e5f0f8", "#fdae6b", "#ffffff"


def cells(found: Audit) -> tuple[list[str], list[str], dict[tuple[str, str], tuple[str, str]]]:
    """The policies, the checks, and for each pair of them its text and colour. Raises `ValueError`
    where nothing was checked."""
    made = {}
    for policy, check, count in found.counts():
        said = f"{count.judged:,}" + (f": {count.wrong:,} wrong" if count.wrong else "")
        made[policy.label, check] = said, _WRONG if count.wrong else _RIGHT if count.judged else _NONE
    if not made:
        raise ValueError("there is nothing to draw: nothing was checked")
    policies, checks = (list(dict.fromkeys(names)) for names in zip(*made, strict=True))
    return policies, checks, made


def checks_figure(found: Audit) -> Figure:
    """A row per check, a column per policy: blue where all rows are right, orange where some are wrong. Raises
    `ValueError` where nothing was checked."""
    policies, checks, made = cells(found)
    names = [plain(label, NAME) for label in policies]
    left, cell = _EDGE + text_width(checks) + 0.2, max(_CELL, text_width(names) + 0.2)
    width, height = cell * len(policies), _ROW * len(checks)
    note = "rows checked; of them wrong, where some are"
    sheet = Sheet(max(left + width, _EDGE + text_width([note])) + _EDGE, _EDGE + _HEAD + 0.25 + height + _EDGE)
    sheet.text(_EDGE, _EDGE, "Audit", title=True)
    sheet.text(_EDGE, _EDGE + 0.3, note)
    axes = sheet.axes(left, _EDGE + _HEAD + 0.25, width, height)
    for (label, check), (said, color) in made.items():
        x, y = policies.index(label), checks.index(check)
        axes.add_patch(Rectangle((x, y), 1, 1, facecolor=color, edgecolor="white", linewidth=2))
        axes.text(x + 0.5, y + 0.5, said, ha="center", va="center", fontsize=FONT - 0.5, color=INK)
    axes.set_xlim(0, len(policies))
    axes.set_ylim(len(checks), 0)
    axes.xaxis.tick_top()
    axes.set_xticks([x + 0.5 for x in range(len(policies))], names)
    axes.set_yticks([y + 0.5 for y in range(len(checks))], checks)
    for text in axes.get_xticklabels():
        text.set_parse_math(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return sheet.figure
