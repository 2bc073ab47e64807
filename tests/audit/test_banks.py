"""Worlds whose tips come out of a bank: right logs are clean, whatever values a text; what does not follow is named."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from oo_sim.audit import Report, audit_tables, lines
from oo_sim.engine import Block, simulate
from oo_sim.entrants import entrants
from oo_sim.gate import mechanisms
from oo_sim.gate.sample import Sampler, Setting
from oo_sim.logs import DECISIONS, LEARNINGS
from oo_sim.scenario import validate
from oo_sim.worlds import TipBank, build

USERS, ROUNDS = 5, 30
Row = dict[str, Any]


class Log:
    """A simulated log in memory, and its audit after changes to rows or the manifest."""

    def __init__(self, policy: str, appeal: str = "keywords", world: Row | None = None) -> None:
        base = mechanisms.WORLDS["bank"] | ({"world": mechanisms.WORLDS["bank"]["world"] | (world or {})})
        sizes = {"users": USERS, "rounds": ROUNDS, "seed": 11}
        scenario = validate({"version": 1, "name": "bank", "policies": ["random"]} | sizes | base)
        bank = self._bank(appeal)
        made = build(scenario, bank)
        (entrant,) = entrants(made, [policy])
        block, rounds = Block(0, 0, USERS), ROUNDS
        setting = Setting(entrant._replace(bank=bank), scenario.seed, rounds, made.has_reactions, scenario.canonical())
        sampler = Sampler(setting, block.user_ids)
        simulate(made, entrant.policy, block.lanes(scenario.seed), USERS, rounds, [rounds], observer=sampler)
        self.decisions, self.learnings = (table.to_pylist() for table in sampler._tables())
        self.manifest = sampler._manifest()

    @staticmethod
    def _bank(appeal: str) -> TipBank:
        bank = mechanisms.bank("bank")
        assert bank is not None
        if appeal == "keywords":
            return bank
        offsets = np.random.default_rng(5).normal(0.0, 1.5, bank.about.shape)
        return bank._replace(offsets=offsets, facts={"appeal": appeal})

    def audit(self) -> Report:
        decided, learned = (
            pa.Table.from_pylist(self.decisions, DECISIONS),
            pa.Table.from_pylist(self.learnings, LEARNINGS),
        )
        return audit_tables(decided, learned, self.manifest)

    def chosen_tips(self) -> list[Row]:
        return [row for row in self.decisions if row["candidates"][row["chosen"]]["source"] == "llm"]


@pytest.mark.parametrize("appeal", ["keywords", "panel", "fitted"])
@pytest.mark.parametrize("policy", ["egreedy:epsilon=0.5", "oracle"])
def test_a_right_log_is_clean_and_its_world_was_looked_at(policy: str, appeal: str) -> None:
    report = Log(policy, appeal).audit()
    assert report.clean, report
    (found,) = report.policies
    assert found.unchecked == ("texts of tips",)
    assert next(lines(report)).startswith("Not derived again: texts of tips of")
    for check in ("clock", "offer", "truth", "presence", "reaction", "feedback"):
        assert found.checks[check].judged > 0
    assert f"{USERS} of {USERS} users" in "\n".join(lines(report))


@pytest.mark.parametrize(
    "world",
    [
        {"tips": {"count": {"min": 1, "max": 2}}},
        {"tips": {"count": 2, "appeal": {"about_task": -0.5}}},
        {"arrivals": {"over": 15}, "churn": {"hazard": 0.03}},
        {"fatigue": {"source": 0.1, "half_life": 5, "novelty": 0.6, "novelty_showings": 6}},
        {"reactions": {"no_reaction": 0.3}},
    ],
)
def test_other_worlds_with_a_bank_are_clean(world: Row) -> None:
    report = Log("random", world=world).audit()
    assert report.clean, report


@pytest.fixture(scope="module")
def right() -> Log:
    """A log of which each change is made in a copy."""
    return Log("egreedy:epsilon=0.5")


def _about_another(log: Log) -> None:
    tip = next(c for row in log.decisions[60:] for c in row["candidates"] if c["source"] == "llm" and c["task_id"])
    tip["task_id"] = "task-2"  # of the first round


def _about_none(log: Log) -> None:
    tip = next(
        c
        for row in log.decisions
        for c in row["candidates"]
        if c["task_id"] and c["source"] == "llm" and c["priority"] > 1
    )
    tip["task_id"] = None


def _worth_more(log: Log) -> None:
    log.chosen_tips()[7]["expected_reward"] += 0.01


def _better_elsewhere(log: Log) -> None:
    log.decisions[9]["best_expected_reward"] += 0.001


def _more_tips(log: Log) -> None:
    row = next(row for row in log.decisions if sum(c["source"] == "llm" for c in row["candidates"]) == 2)
    for column in ("candidates", "x", "probs"):
        row[column] = [*row[column], row[column][-1]]


def _another_taste(log: Log) -> None:
    log.manifest["scenario"]["world"]["tips"]["appeal"]["names_no_task"] += 0.1


CHANGES: list[tuple[str, Callable[[Log], None]]] = [
    ("offer", _about_another),
    ("offer", _about_none),
    ("truth", _worth_more),
    ("truth", _better_elsewhere),
    ("offer", _more_tips),
    ("truth", _another_taste),
]


@pytest.mark.parametrize(("check", "change"), CHANGES, ids=[change.__name__ for _, change in CHANGES])
def test_what_does_not_follow_is_named(check: str, change: Callable[[Log], None], right: Log) -> None:
    log = deepcopy(right)
    change(log)
    (found,) = log.audit().policies
    assert check in found.firsts, found


def test_where_any_text_may_be_worth_anything_the_rest_still_follows() -> None:
    """What was chosen says what its text is worth; the reaction to it, and what no text touches, must follow."""
    right = Log("egreedy:epsilon=0.5", "panel")
    log = deepcopy(right)
    for row in log.chosen_tips()[::2]:
        row["expected_reward"] = -row["expected_reward"]
        row["best_expected_reward"] = max(row["best_expected_reward"], row["expected_reward"])
    (found,) = log.audit().policies
    assert "reaction" in found.firsts
    log = deepcopy(right)
    row = next(row for row in log.decisions if row["candidates"][row["chosen"]]["source"] == "todoist")
    row["expected_reward"] += 0.01
    (found,) = log.audit().policies
    assert "truth" in found.firsts
