"""The run directory: manifest and Parquet tables, written whole or not at all, and read back with checks."""

from pathlib import Path

from oo_sim.errors import RunLogError
from oo_sim.logs.events import EventSource, decision_batch, learning_batch, probs_kind
from oo_sim.logs.feedback import bandit_feedback
from oo_sim.logs.files import EventTable, RunFiles
from oo_sim.logs.hashing import content_hash
from oo_sim.logs.lanes import Lane
from oo_sim.logs.manifest import LoggedPolicy, Manifest, seconds
from oo_sim.logs.parts import PartSink
from oo_sim.logs.plain import PlainLog
from oo_sim.logs.reader import FATES, Learned, Log, Part, RunLog
from oo_sim.logs.recorder import Recorder
from oo_sim.logs.schema import CURVES, DECISIONS, LEARNINGS, SCHEMAS, USERS, coded
from oo_sim.logs.served import served_tables
from oo_sim.logs.tables import curves_table, users_table
from oo_sim.logs.writer import RunWriter, check_free

__all__ = [
    "CURVES",
    "DECISIONS",
    "FATES",
    "LEARNINGS",
    "SCHEMAS",
    "USERS",
    "EventSource",
    "EventTable",
    "Lane",
    "Learned",
    "Log",
    "LoggedPolicy",
    "Manifest",
    "Part",
    "PartSink",
    "Recorder",
    "RunFiles",
    "RunLog",
    "RunLogError",
    "RunWriter",
    "bandit_feedback",
    "check_free",
    "coded",
    "content_hash",
    "curves_table",
    "decision_batch",
    "learning_batch",
    "open_log",
    "probs_kind",
    "seconds",
    "served_tables",
    "users_table",
]


def open_log(path: str | Path) -> Log:
    """Open a run directory, a served export, or a plain table (one file).

    Raises `RunLogError`, naming the file and what is wrong with it.
    """
    place = Path(path)
    return PlainLog(place) if place.is_file() else RunLog(place)
