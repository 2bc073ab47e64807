"""How many of the planted faults are told in policies that the audit does not know; run with -s to see the figures."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from mutants.test_mutants import MUTANTS, unnamed

from oo_sim.gate import Case, Verdict, check, record

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_most_faults_are_told_without_knowing_the_policy(tmp_path: Path) -> None:
    """What shows in features, propensities, rewards or draws is a violation all the same; the rest is told where it
    costs something. The baselines are those that are recorded by default."""
    policies = [unnamed("linucb"), unnamed("egreedy")]
    record("quickstart", policies=policies, directory=tmp_path)
    cases: list[Case] = []
    for name, mutant in MUTANTS.items():
        with pytest.MonkeyPatch.context() as patch:
            (case,) = check("quickstart", policies=[unnamed(mutant.plant(patch))], directory=tmp_path).cases
        cases.append(case)
        finding = case.judgement.finding.value if case.judgement else "none"
        print(f"\n| {name} | {case.verdict.value} | statistics: {finding} |", end="")
    verdicts = Counter(case.verdict for case in cases)
    found = Counter(case.judgement.finding for case in cases if case.judgement)
    print(f"\n{dict(verdicts)}; statistics alone: {dict(found)}", end="")
    assert verdicts[Verdict.VIOLATION] + verdicts[Verdict.REGRESSED] >= 30
