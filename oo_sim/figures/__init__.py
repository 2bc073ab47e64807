"""Every figure, and the kit that figures are drawn with. Needs matplotlib; nothing below this room imports it."""

from oo_sim.figures.curves import curves_figure, png, save_png
from oo_sim.figures.kinds import FIGURES, figure

__all__ = ["FIGURES", "curves_figure", "figure", "png", "save_png"]
