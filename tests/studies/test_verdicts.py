"""Tip banks against each other: worked by hand, and said in a sentence that does not promise more than was shown."""

from __future__ import annotations

import numpy as np
import pytest

from oo_sim.results import Run
from oo_sim.studies.verdicts import Verdict, tip_verdicts, verdict_table

from .runs import made

USERS = 40
NOISE = np.random.default_rng(1).normal(0, 0.01, USERS)
BANKS = (
    ("none", None),
    ("a@keywords", "keywords"),
    ("a@panel", "panel"),
    ("b@keywords", "keywords"),
    ("b@panel", "panel"),
)


def run(gains: dict[str, float]) -> Run:
    """Users under one policy and five banks, who gain so much in the mean with each."""
    labels = {f"greedy+{bank}": (bank, appeal) for bank, appeal in BANKS}
    earned = {
        label: 0.1 + gains.get(bank, 0.0) + (NOISE if gains.get(bank) else 0.0) for label, (bank, _) in labels.items()
    }
    policies = [
        {"label": label, "name": "greedy", "llm": {"bank": bank} | ({"appeal": appeal} if appeal else {})}
        for label, (bank, appeal) in labels.items()
    ]
    return made({label: np.broadcast_to(value, USERS).tolist() for label, value in earned.items()}, policies=policies)


def the(verdicts: list[Verdict], bank: str, against: str) -> Verdict:
    """The verdict on two banks."""
    [found] = [one for one in verdicts if (one.bank, one.against) == (bank, against)]
    return found


def test_every_two_banks_are_compared_under_every_model() -> None:
    verdicts = tip_verdicts(run({"b@keywords": 0.05, "b@panel": 0.03}))
    assert [(one.bank, one.against) for one in verdicts] == [("a", "none"), ("b", "none"), ("b", "a")]
    assert all(list(one.pairs) == ["keywords", "panel"] for one in verdicts)
    found = the(verdicts, "b", "a")
    assert found.pairs["panel"].difference.estimate == pytest.approx(0.03 + NOISE.mean())
    assert found.pairs["panel"].baseline == "greedy+a@panel"


@pytest.mark.parametrize(
    ("gains", "says"),
    [
        ({"b@keywords": 0.05, "b@panel": 0.03}, "better under every appeal model"),
        ({"b@keywords": -0.05, "b@panel": -0.03}, "worse under every appeal model"),
        ({}, "no difference shown under every appeal model"),
        ({"b@panel": 0.05}, "no difference shown under keywords; better under panel. The verdict depends on the"),
        (
            {"b@keywords": 0.05, "b@panel": -0.03},
            "better under keywords; worse under panel. The verdict depends on the",
        ),
    ],
)
def test_a_sentence_says_whether_the_verdict_survives(gains: dict[str, float], says: str) -> None:
    verdicts = tip_verdicts(run(gains))
    sentence = the(verdicts, "b", "a").sentence()
    assert sentence.startswith("b against a, chosen by greedy: ")
    assert says in sentence
    assert sentence in " ".join(str(verdict_table(verdicts)).split())


def test_one_bank_has_no_verdict_and_keywords_alone_are_called_a_toy() -> None:
    assert tip_verdicts(made({"greedy": [0.1, 0.2]})) == []
    verdict = the(tip_verdicts(run({"b@keywords": 0.05})), "b", "a")
    alone = verdict._replace(pairs={"keywords": verdict.pairs["keywords"]})
    assert "better under keywords (one appeal model only)" in alone.sentence()
    assert [*verdict_table([alone, alone]).notes] == ["Keywords are a toy: believe no verdict that they alone give."]
    assert "a toy" not in str(verdict_table([verdict]))
