"""The tips world: users of weighted segments are offered tasks and LLM tips, and react on an ordered logit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64, I64, REACTIONS, Bool, Candidates, Decision, Lanes, Offer, Response, Tiles, World
from oo_sim.features import FEATURES
from oo_sim.kernels import philox, tips
from oo_sim.kernels.draws import LaneDraws
from oo_sim.kernels.elementary import exp
from oo_sim.scenario import TERMS, Due, Span, TipsWorld
from oo_sim.worlds import dynamics, tipbank
from oo_sim.worlds.clock import Clock, clock
from oo_sim.worlds.population import coefficients, cumulative, segment_of
from oo_sim.worlds.tiled import scene, tiled

_DONE = REACTIONS.index("done")


class Plan(NamedTuple):
    """What a scenario says, in the form in which each round needs it."""

    spec: TipsWorld
    tasks: int  # the most on offer
    tips: int
    backlog: bool  # tasks stay until they are done
    about_task: bool  # a tip has the features of a task
    varies: bool  # how many there are changes from round to round
    tick: Clock
    due: Callable[[F64], None]  # turns uniforms into days until due, in place
    priorities: F64  # (4,), cumulative
    used: Bool  # (25,), the terms that some segment prefers
    cuts: F64  # (4,), e^-c of the cut points c
    serials: I64  # (tasks, 1), the first tasks' serial numbers
    bank: tipbank.TipBank | None  # where tips have texts
    keywords: F64 | None  # (2, 2), what the texts multiply the odds by where a bank says nothing else
    dynamic: bool  # users change over time
    stride: int  # how far they move on in a round: even, because two share a block of draws


class TaskRows(NamedTuple):
    """The rows (tasks, n) of the candidates' columns in which tasks stand, and what only the world knows of them."""

    overdue: F64
    age: F64
    priority: F64
    serial: I64
    due: F64  # in days since the user's first round; since now where tasks are fresh every round
    dated: F64  # 1 where the task has a due date


class TipsState(NamedTuple):
    """The lanes' draws, rounds and preferences, the tasks at hand, and memory for what is offered in a round."""

    draws: LaneDraws
    rounds: I64  # (n,)
    began: F64  # (n,), when the user's own first round is, in days since the run's
    now: F64  # (n,), days since the user's own first round; stays 0 where tasks are fresh every round
    arrived: I64  # (n,), tasks that a backlog has seen so far
    coefficients: F64  # (25, n)
    candidates: Candidates
    tasks: TaskRows
    done: I64  # (n,), the slot of the task that was done in the last round, -1 where none was
    odds: F64  # (K, n), e^u
    expected: F64  # (K, n)
    best: F64  # (n,)
    unshifted: F64  # (0, n)
    dynamics: dynamics.Dynamics | None
    pool: tipbank.Pool | None


def build(spec: TipsWorld, bank: tipbank.TipBank | None = None) -> World:
    """The world that the scenario's `world` describes; tips are those of the bank, if there is one."""
    tasks, advice, dynamic = spec.tasks.count, spec.tips.count, dynamics.is_dynamic(spec)
    plan = Plan(
        spec,
        tasks=tasks.max,
        tips=advice.max,
        backlog=spec.tasks.mode == "backlog",
        about_task=spec.tips.features == "task",
        varies=tasks.min < tasks.max or advice.min < advice.max or bank is not None,
        tick=clock(spec.clock),
        due=_due(spec.tasks.due_in_days),
        priorities=cumulative(spec.tasks.priority),
        used=np.array([dynamic or any(term in segment.preferences for segment in spec.segments) for term in TERMS]),
        cuts=np.array([exp(-c) for c in spec.reactions.cut_points]),
        serials=np.arange(tasks.max)[:, None],
        dynamic=dynamic,
        stride=tasks.max + tasks.max % 2,
        bank=bank,
        keywords=tipbank.keywords(spec.tips.appeal),
    )
    observe, respond = partial(_observe, plan), partial(_respond, plan)
    return World(
        name="tips",
        arms=plan.tasks + plan.tips,
        features={name: FEATURES[name] for name in ("oo5", "oo7", "oo7x", "none", "truth")},
        default_features=None,
        own_trajectory=plan.backlog or spec.fatigue is not None or spec.churn is not None,
        has_reactions=True,
        init=partial(_init, plan),
        observe=observe,
        respond=respond,
        segments=tuple(segment.name for segment in spec.segments),
        segment_of=partial(segment_of, spec.segments),
        tile="tips come out of a bank" if bank else Tiles(scene(spec), partial(tiled, spec), (observe, respond)),
    )


def _init(plan: Plan, lanes: Lanes) -> TipsState:
    K, n, tasks = plan.tasks + plan.tips, lanes.n, plan.tasks
    expected, preferred = np.zeros((K, n)), coefficients(plan.spec.segments, lanes)
    c = Candidates(
        is_overdue=np.zeros((K, n)),
        task_age_days=np.zeros((K, n)),
        priority=np.zeros((K, n)),
        is_llm=np.zeros((K, n)),
        hour=np.zeros(n, np.int64),
        day=np.zeros(n, np.int64),
        mask=np.ones((K, n), np.bool_),
        serial=np.full((K, n), -1),
        truth=expected,
    )
    rows = TaskRows(
        c.is_overdue[:tasks],
        c.task_age_days[:tasks],
        c.priority[:tasks],
        c.serial[:tasks],
        np.zeros((tasks, n)),
        np.zeros((tasks, n)),
    )
    state = TipsState(
        LaneDraws.of(lanes),
        rounds=np.zeros(n, np.int64),
        began=np.zeros(n),
        now=np.zeros(n),
        arrived=np.full(n, tasks),
        coefficients=preferred,
        candidates=c,
        tasks=rows,
        done=np.full(n, -1),
        odds=np.empty((K, n)),
        expected=expected,
        best=np.empty(n),
        unshifted=np.empty((0, n)),
        dynamics=dynamics.start(plan.spec, lanes, preferred) if plan.dynamic else None,
        pool=tipbank.pool(plan.bank, lanes, plan.keywords) if plan.bank else None,
    )
    _draw_fresh_tasks(plan, state, 0)
    _place_tips(plan, state)
    return state


def _observe(plan: Plan, state: TipsState, t: int) -> Offer:
    c, tasks = state.candidates, state.tasks
    if plan.backlog:
        _replace_done(plan, state)
    state.rounds[:] = t
    time = plan.tick(state.draws, state.rounds, c.hour, c.day)
    if plan.backlog:
        _let_time_pass(state, t, time)
    else:
        _draw_fresh_tasks(plan, state, t * plan.stride)
    tips.age_tasks(state.now, tasks.due, tasks.dated, plan.spec.tasks.whole_days, tasks.overdue, tasks.age)
    if plan.varies or plan.about_task:
        _place_tips(plan, state)
    preferred, shift, active = state.coefficients, state.unshifted, None
    if state.dynamics is not None:
        preferred = dynamics.preferences(state.dynamics, preferred, t, c.day)
        shift, active = dynamics.shift(state.dynamics, len(c.day)), dynamics.there(state.dynamics, t)
    tips.expected_rewards(
        preferred,
        plan.used,
        c.hour,
        c.day,
        c.is_overdue,
        c.task_age_days,
        c.priority,
        c.is_llm,
        c.mask,
        shift,
        plan.cuts,
        1.0 - plan.spec.reactions.no_reaction,
        state.odds,
        state.expected,
        state.best,
    )
    if state.pool is None:
        return Offer(c, state.expected, state.best, active)
    answers = 1.0 - plan.spec.reactions.no_reaction
    tipbank.appeal(state.pool, state.rounds, plan.cuts, answers, state.odds, state.expected, state.best)
    return Offer(c, state.expected, state.best, active, state.pool.writer)


def _respond(plan: Plan, state: TipsState, t: int, decision: Decision) -> tuple[Response, TipsState]:
    n = len(decision.chosen)
    response = Response(np.empty(n, np.int64), np.empty(n), np.empty(n, np.bool_))
    silence = plan.spec.reactions.no_reaction
    tips.react(*state.draws, state.rounds, state.odds, decision.chosen, plan.cuts, silence, *response)
    present = None if state.dynamics is None else dynamics.there(state.dynamics, t)
    if plan.backlog:
        done = (response.reaction == _DONE) & (decision.chosen < plan.tasks)
        state.done[:] = np.where(done if present is None else done & present, decision.chosen, -1)
    if state.dynamics is not None:
        served = (decision.chosen, state.candidates.is_llm, response.reaction)
        everybody = np.ones(n, np.bool_)
        dynamics.advance(
            plan.spec, state.dynamics, state.draws, state.rounds, everybody if present is None else present, *served
        )
    return response, state


def _replace_done(plan: Plan, state: TipsState) -> None:
    """A task that was done leaves, and the user's next task takes its place, due so many days after it arrived.

    This happens before the next offer, not at the response: until then, what was offered stays as it was. It happens
    once, however often a round is observed.
    """
    lanes = np.flatnonzero(state.done >= 0)
    slots, tasks = state.done[lanes], state.tasks
    priority, due, dated = (np.empty((1, len(state.done))) for _ in range(3))
    undated = plan.spec.tasks.no_due_date
    tips.draw_tasks(*state.draws, state.arrived[None, :], plan.priorities, undated, priority, due, dated)
    plan.due(due)
    tasks.serial[slots, lanes] = state.arrived[lanes]
    tasks.priority[slots, lanes] = priority[0, lanes]
    tasks.due[slots, lanes] = state.now[lanes] + due[0, lanes]
    tasks.dated[slots, lanes] = dated[0, lanes]
    state.arrived[lanes] += 1
    state.done[:] = -1
    if state.dynamics is not None and state.dynamics.appetite is not None:
        state.dynamics.appetite.tasks[slots, lanes] = 0.0  # nobody is tired of what is new


def _let_time_pass(state: TipsState, t: int, time: float) -> None:
    """A backlog ages from its user's first round on: newcomers start with tasks as fresh as everybody's were."""
    awaited = None if state.dynamics is None else dynamics.awaited(state.dynamics, t)
    if awaited is not None:
        np.copyto(state.began, time, where=awaited)
    np.subtract(time, state.began, out=state.now)


def _draw_fresh_tasks(plan: Plan, state: TipsState, first: int) -> None:
    """The tasks with serial numbers from `first` on take all rows."""
    tasks, undated = state.tasks, plan.spec.tasks.no_due_date
    np.add(plan.serials, first, out=tasks.serial)
    tips.draw_fresh_tasks(*state.draws, first, plan.priorities, undated, tasks.priority, tasks.due, tasks.dated)
    plan.due(tasks.due)


def _place_tips(plan: Plan, state: TipsState) -> None:
    rounds, c = state.rounds, state.candidates
    uniform = state.draws.uniforms(philox.COUNT, rounds, 2)
    tasks, wanted = _counts(plan.spec.tasks.count, uniform[0]), _counts(plan.spec.tips.count, uniform[1])
    if state.pool is not None:
        tipbank.assemble(state.pool, rounds, tasks, wanted, plan.about_task, c)
        return
    tips.place_tips(
        tasks,
        wanted,
        state.draws.uniforms(philox.TIP, rounds, plan.tips if plan.about_task else 0),
        plan.about_task,
        c.is_overdue,
        c.task_age_days,
        c.priority,
        c.is_llm,
        c.serial,
        c.mask,
    )


def _counts(span: Span, uniform: F64) -> I64:
    counts: I64 = span.min + (uniform * (span.max - span.min + 1)).astype(np.int64)
    return counts


def _due(spec: Due) -> Callable[[F64], None]:
    """Turns uniforms (tasks, n) into days until due, in place."""
    if spec.normal is not None:
        return partial(tips.gaussian_quantile, spec.normal.mean, spec.normal.sd)
    if spec.weights is not None:
        days, weights = zip(*spec.weights, strict=True)
        return partial(tips.discrete_quantile, np.array(days, dtype=np.float64), cumulative(weights))
    assert spec.uniform is not None
    return partial(tips.uniform_quantile, *spec.uniform)
