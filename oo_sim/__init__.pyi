from oo_sim import audit as audit
from oo_sim import entrants as entrants
from oo_sim import errors as errors
from oo_sim import experiment as experiment
from oo_sim import figures as figures
from oo_sim import fitting as fitting
from oo_sim import gate as gate
from oo_sim import logs as logs
from oo_sim import page as page
from oo_sim import results as results
from oo_sim import scenario as scenario
from oo_sim import settings as settings
from oo_sim import show as show
from oo_sim import tipbanks as tipbanks
from oo_sim import work as work
from oo_sim.contract import Policy as Policy
from oo_sim.experiment import merge as merge
from oo_sim.experiment import partial as partial
from oo_sim.experiment import run as run
from oo_sim.experiment import status as status
from oo_sim.fitting import fit as fit
from oo_sim.logs import RunLogError as RunLogError
from oo_sim.logs import open_log as open_log
from oo_sim.page import report as report
from oo_sim.policies import POLICIES as POLICIES
from oo_sim.results import Run as Run
from oo_sim.results import load_run as load_run
from oo_sim.scenario import Scenario as Scenario
from oo_sim.scenario import ScenarioError as ScenarioError
from oo_sim.scenario import load_scenario as load_scenario
from oo_sim.serving.export import export_log as export_log
from oo_sim.serving.migrate import migrate as migrate
from oo_sim.studies import compare as compare
from oo_sim.studies import evaluate as evaluate
from oo_sim.studies import sweep as sweep
from oo_sim.studies.auditing import audit_log as audit_log
from oo_sim.studies.banks import fit_appeal as fit_appeal
from oo_sim.studies.banks import generate as generate
from oo_sim.studies.banks import rescore as rescore

__version__: str
__all__ = [
    "POLICIES",
    "Policy",
    "Run",
    "RunLogError",
    "Scenario",
    "ScenarioError",
    "__version__",
    "audit_log",
    "compare",
    "evaluate",
    "export_log",
    "fit",
    "fit_appeal",
    "gate",
    "generate",
    "load_run",
    "load_scenario",
    "merge",
    "migrate",
    "open_log",
    "partial",
    "report",
    "rescore",
    "run",
    "status",
    "sweep",
]
