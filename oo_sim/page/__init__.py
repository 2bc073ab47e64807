"""The report of runs: one self-contained HTML page."""

from oo_sim.page.page import report, report_html

__all__ = ["report", "report_html"]
