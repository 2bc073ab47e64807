"""Every fault is named by the audit or by the statistics; harmless rewrites raise no alarm."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mutants.faults import POLICY_FAULTS, Mutant
from mutants.harmless import HARMLESS, Rewrite
from mutants.patches import PATCHES
from oo_sim import load_scenario
from oo_sim.contract import Policy
from oo_sim.gate import Case, Verdict, check, record
from oo_sim.gate.judge import Finding
from oo_sim.gate.results import Status

pytestmark = pytest.mark.e2e

MUTANTS = POLICY_FAULTS | PATCHES
USERS, ROUNDS = 192, 50
QUICKSTART = load_scenario("quickstart")


@pytest.fixture(scope="module")
def baselines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the sound policies do; two more stand under a name that the audit does not know."""
    directory = tmp_path_factory.mktemp("baselines")
    unknown: list[str | Policy] = [unnamed(policy) for policy in ("linucb", "egreedy")]
    for policies in (["linucb", "egreedy"], unknown):
        record(
            QUICKSTART,
            policies=policies,
            users=USERS,
            rounds=ROUNDS,
            directory=directory,
            weak=True,
            margin=0.004,
            unchecked=True,
        )
    return directory


def unnamed(policy: str | Policy) -> Policy:
    """The same policy under a name of its own."""
    from oo_sim.policies import make  # noqa: PLC0415

    made = make(policy) if isinstance(policy, str) else policy
    return made._replace(name=f"private_{made.name}")


def the_case(policy: str | Policy, baselines: Path, threads: int = 2) -> Case:
    """The one case of a check."""
    (case,) = check(QUICKSTART, policies=[policy], directory=baselines, workers=threads, unchecked=True).cases
    return case


def failed(case: Case, layer: str) -> str:
    """What a failed layer says; empty where it did not fail."""
    return next((each.text for each in case.layers if each.name == layer and each.status is Status.FAILED), "")


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_the_audit_names_every_fault(mutant: Mutant, baselines: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = the_case(mutant.plant(monkeypatch), baselines)
    assert case.verdict is Verdict.VIOLATION
    assert case.exit_code == 5
    named = failed(case, "audit")
    assert re.search(rf"wrong in all: .*\b{mutant.check} \d", named), named
    assert "user user-" in named
    assert "should be" in named


COSTLY = (
    "b has the wrong sign",
    "the wrong user's row",
    "the wrong user's reward",
    "alpha doubled",
    "reward one round late",
    "rewards clipped at 0",
)


@pytest.mark.parametrize("name", COSTLY)
def test_statistics_alone_tell_what_a_fault_costs(name: str, baselines: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The audit does not know how a private policy should score. A sound policy fails so in 1 of 1,000 cases."""
    planted = POLICY_FAULTS[name].plant(monkeypatch)
    case = the_case(unnamed(planted), baselines)
    assert case.verdict is Verdict.REGRESSED
    assert failed(case, "statistics")


def test_a_fault_can_look_like_a_gain(baselines: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Overdue turned round happens to explore better here: statistics alone would let it pass, as an improvement."""
    case = the_case(POLICY_FAULTS["overdue turned round"].plant(monkeypatch), baselines)
    assert case.judgement is not None
    assert case.judgement.finding is not Finding.REGRESSED
    assert case.verdict is Verdict.VIOLATION


@pytest.mark.parametrize("rewrite", HARMLESS.values(), ids=HARMLESS)
def test_harmless_rewrites_raise_no_alarm(rewrite: Rewrite, baselines: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if rewrite.plant is not None:
        rewrite.plant(monkeypatch)
    case = the_case(rewrite.policy or "linucb", baselines, rewrite.threads)
    if case.verdict is Verdict.INCONCLUSIVE and not rewrite.identical:
        # A near tie went the other way for one user or two, and so few users allow more than the margin.
        assert case.judgement is not None
        assert abs(case.judgement.difference.estimate) < case.judgement.margin / 2
        return
    assert case.verdict in ({Verdict.IDENTICAL} if rewrite.identical else {Verdict.IDENTICAL, Verdict.EQUIVALENT}), case


def test_there_are_enough_of_both() -> None:
    assert len(MUTANTS) >= 25
    assert len(HARMLESS) >= 30
