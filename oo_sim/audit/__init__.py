"""An independent, slow reference that derives a log's decisions again and finds the first that is wrong.

It shares no code with the rest of the package: its own random numbers, its own features, its own regression.
"""

from oo_sim.audit.log import Log, audit_directory, open_log
from oo_sim.audit.report import CHECKS, Count, PolicyReport, Refused, Report, UnusableLogError, Wrong
from oo_sim.audit.run import audit, audit_tables
from oo_sim.audit.sources import ParquetSource, Source, TableSource
from oo_sim.audit.text import lines

__all__ = [
    "CHECKS",
    "Count",
    "Log",
    "ParquetSource",
    "PolicyReport",
    "Refused",
    "Report",
    "Source",
    "TableSource",
    "UnusableLogError",
    "Wrong",
    "audit",
    "audit_directory",
    "audit_tables",
    "lines",
    "open_log",
]
