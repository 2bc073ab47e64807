from oo_sim.errors import GateError as GateError
from oo_sim.gate.accepting import Acceptance as Acceptance
from oo_sim.gate.accepting import accept as accept
from oo_sim.gate.baseline import DIRECTORY as DIRECTORY
from oo_sim.gate.baseline import read as read
from oo_sim.gate.checking import check as check
from oo_sim.gate.drawing import picture as picture
from oo_sim.gate.judge import POWER as POWER
from oo_sim.gate.matrix import accept_matrix as accept_matrix
from oo_sim.gate.matrix import check_matrix as check_matrix
from oo_sim.gate.matrix import record_matrix as record_matrix
from oo_sim.gate.output import github_annotations as github_annotations
from oo_sim.gate.output import junit as junit
from oo_sim.gate.output import lines as lines
from oo_sim.gate.output import markdown as markdown
from oo_sim.gate.recording import record as record
from oo_sim.gate.results import Case as Case
from oo_sim.gate.results import MatrixReport as MatrixReport
from oo_sim.gate.results import Report as Report
from oo_sim.gate.results import ServedReport as ServedReport
from oo_sim.gate.results import Verdict as Verdict

__all__ = [
    "DIRECTORY",
    "POWER",
    "Acceptance",
    "Case",
    "GateError",
    "MatrixReport",
    "Report",
    "ServedReport",
    "Verdict",
    "accept",
    "accept_matrix",
    "check",
    "check_matrix",
    "github_annotations",
    "junit",
    "lines",
    "markdown",
    "picture",
    "read",
    "record",
    "record_matrix",
]
