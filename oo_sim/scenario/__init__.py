"""Scenario files: the strict YAML reader, frozen models, what is wrong and where, the schema and the lint."""

from oo_sim.errors import SpecError
from oo_sim.scenario.dynamics import Arrivals, Churn, Delay, Drift, Fatigue, Feedback, Missing
from oo_sim.scenario.fields import Normal, Span
from oo_sim.scenario.lint import lint
from oo_sim.scenario.loading import judged, load, loads, locate, opened, shipped
from oo_sim.scenario.models import LinearWorld, RandomClock, TipsWorld, WalkClock
from oo_sim.scenario.offers import Appeal, Due, NormalDays, Tasks, Tips
from oo_sim.scenario.pattern import expand_spec
from oo_sim.scenario.people import Reactions, Segment
from oo_sim.scenario.problems import Position, Problem, ScenarioError, Source
from oo_sim.scenario.reader import Reading
from oo_sim.scenario.scenario import Scenario, json_schema, validate
from oo_sim.scenario.spec import PolicyKey, PolicySpec, parse_spec, policy_key
from oo_sim.scenario.terms import CANDIDATE_TERMS, CONTEXT_TERMS, SHARED_TERMS, TERMS
from oo_sim.scenario.text import plain

load_scenario = load
"""What `load` is called where it is not known whose it is: `oo_sim.load_scenario`."""

__all__ = [
    "CANDIDATE_TERMS",
    "CONTEXT_TERMS",
    "SHARED_TERMS",
    "TERMS",
    "Appeal",
    "Arrivals",
    "Churn",
    "Delay",
    "Drift",
    "Due",
    "Fatigue",
    "Feedback",
    "LinearWorld",
    "Missing",
    "Normal",
    "NormalDays",
    "PolicyKey",
    "PolicySpec",
    "Position",
    "Problem",
    "RandomClock",
    "Reactions",
    "Reading",
    "Scenario",
    "ScenarioError",
    "Segment",
    "Source",
    "Span",
    "SpecError",
    "Tasks",
    "Tips",
    "TipsWorld",
    "WalkClock",
    "expand_spec",
    "json_schema",
    "judged",
    "lint",
    "load",
    "load_scenario",
    "loads",
    "locate",
    "opened",
    "parse_spec",
    "plain",
    "policy_key",
    "shipped",
    "validate",
]
