from oo_sim.contract import Policy as Policy
from oo_sim.experiment import run as run
from oo_sim.fitting import fit as fit
from oo_sim.logs import RunLogError as RunLogError
from oo_sim.policies import POLICIES as POLICIES
from oo_sim.results import Run as Run
from oo_sim.results import load_run as load_run
from oo_sim.scenario import Scenario as Scenario
from oo_sim.scenario import ScenarioError as ScenarioError
from oo_sim.scenario import load_scenario as load_scenario
from oo_sim.studies import compare as compare
from oo_sim.studies import evaluate as evaluate
from oo_sim.studies import sweep as sweep

__version__: str
__all__ = [
    "POLICIES",
    "Policy",
    "Run",
    "RunLogError",
    "Scenario",
    "ScenarioError",
    "__version__",
    "compare",
    "evaluate",
    "fit",
    "load_run",
    "load_scenario",
    "run",
    "sweep",
]
