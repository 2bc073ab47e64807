"""People hold judges to account: labels in files and on the page, agreement by hand, rubrics."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from calling import running

from oo_sim.errors import GeneratorInputError
from oo_sim.generator.bank import Bank
from oo_sim.generator.gateway.asking import Asker
from oo_sim.generator.gateway.client import TipGenerator
from oo_sim.generator.judging import (
    Label,
    Pair,
    agreement_section,
    grade_bank,
    judges_section,
    read_labels,
    read_rubric,
    rubric_section,
    write_labels,
)
from oo_sim.generator.judging.labelling import LabelServer, questions
from oo_sim.generator.judging.labels import cohen_kappa
from oo_sim.generator.metrics import Metric, Section
from oo_sim.generator.mock import mock_gateway

from .conftest import Script, completion
from .test_judging import GROUNDED, SILENT, VAGUE, bank

HTTP = httpx.Client(trust_env=False, verify=False)  # one for all: each makes a TLS context of its own


def numbers(section: Section) -> dict[str, Metric]:
    """Metrics by name."""
    return {metric.name: metric for metric in section.metrics}


# Files.


def test_labels_are_written_and_read_back(tmp_path: Path) -> None:
    labels = [Label(at, f"u,{at}", value, "ada") for at, value in enumerate((1.0, 0.75, 0.5, 0.25, 0.0))]
    write_labels(tmp_path / "l.csv", labels)
    assert read_labels(tmp_path / "l.csv") == labels
    assert (tmp_path / "l.csv").read_text().splitlines()[:2] == ["position,user_id,label,rater", '0,"u,0",ours,ada']


def test_labels_in_other_spellings(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    given = [("A", 1.0), ("second", 0.0), ("Tie", 0.5), (2, 1.0), (-1, 0.25), ("+1", 0.75)]
    path.write_text("".join(json.dumps({"position": at, "label": one}) + "\n" for at, (one, _) in enumerate(given)))
    assert [label.value for label in read_labels(path)] == [value for _, value in given]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no labels"),
        ("position,label\n", "holds no labels"),
        ("position,label\n1,ours\nx,ours\n", "line 3: expected a position"),
        ("position,label\n1,best\n", "line 2: .* received '1' and 'best'"),
        ("position,label\n1,3\n", "line 2"),
        ("label\nours\n", "line 2"),
        ('{"position": 1}\n', "line 1"),
        ("{broken\n", "line 1: is not JSON"),
        ('{"position": 1, "label": "ours"}\n5\n', "line 2"),
    ],
)
def test_what_is_not_a_label_is_refused_with_its_line(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "l").write_text(text)
    with pytest.raises(GeneratorInputError, match=says):
        read_labels(tmp_path / "l")


# Agreement.


def test_kappa_by_hand() -> None:
    """Cohen's own kind of table: 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: kappa 0.4."""
    rows = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    assert cohen_kappa(rows) == pytest.approx(0.4)
    assert cohen_kappa([("y", "y"), ("n", "n")]) == 1.0
    assert np.isnan(cohen_kappa([("y", "y")] * 3))
    assert np.isnan(cohen_kappa([]))


def judged(n: int = 400, right: float = 0.85, seed: int = 1) -> tuple[list[Pair], list[Label]]:
    """A judge's pairs, and labels of the first hundred: ours wins 60 of 100 times."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < 0.6).astype(float)
    said = np.where(rng.random(n) < right, truth, 1 - truth)
    words = {1.0: ("first", "second"), 0.0: ("second", "first")}
    pairs = [Pair(at, f"u{at % 50}", words[float(said[at])], float(said[at])) for at in range(n)]
    return pairs, [Label(at, f"u{at % 50}", float(truth[at])) for at in range(100)]


def test_a_good_judge_agrees_and_helps() -> None:
    pairs, labels = judged()
    found = numbers(agreement_section(pairs, labels, "judge"))
    alone, both = found["win rate, labels alone"], found["win rate, labels and judge"]
    for name in ("agreement", "Cohen's kappa", "Krippendorff's alpha, judge and people"):
        metric = found[name]
        assert metric.value is not None
        assert metric.lower is not None
        assert metric.upper is not None
        assert metric.lower < metric.value < metric.upper
    assert found["Cohen's kappa"].value == pytest.approx(0.7, abs=0.12)
    likes = [found[f"people for ours where the judge says {side}"].value or 0.0 for side in ("ours", "theirs")]
    assert likes[0] > 0.8
    assert likes[1] < 0.3
    assert alone.lower is not None
    assert alone.upper is not None
    assert both.lower is not None
    assert both.upper is not None
    assert both.upper - both.lower < 0.9 * (alone.upper - alone.lower)
    assert both.of == "100 labels and 300 further judgements"


def test_a_judge_that_always_says_a_does_not_move_the_estimate() -> None:
    """In both orders it ties with itself, and one that always names ours is no better."""
    _, labels = judged()
    for verdicts, score in ((("first", "first"), 0.5), (("first", "second"), 1.0)):
        pairs = [Pair(at, f"u{at % 50}", verdicts, score) for at in range(400)]
        found = numbers(agreement_section(pairs, labels, "judge"))
        alone, both = found["win rate, labels alone"], found["win rate, labels and judge"]
        assert (both.value, both.lower, both.upper) == (alone.value, alone.lower, alone.upper)
        assert "weighs 0.00" in both.note
        kappa = found["Cohen's kappa"].value
        assert kappa is None or kappa == pytest.approx(0.0)


def test_missing_verdicts_are_left_out_and_strange_labels_refused() -> None:
    pairs, labels = judged()
    lost = [pair._replace(score=None) if pair.position % 2 else pair for pair in pairs]
    found = numbers(agreement_section(lost, labels, "judge"))
    assert found["agreement"].of.endswith("of 50 labelled contexts with a verdict")
    assert found["win rate, labels alone"].of == "100 contexts"
    with pytest.raises(GeneratorInputError, match="one is of context 400"):
        agreement_section(pairs, [*labels, Label(400, "u", 1.0)], "judge")


def test_judges_among_themselves() -> None:
    first, _ = judged()
    alpha = numbers(judges_section({"a": first, "b": first}))["Krippendorff's alpha"]
    assert alpha.value == 1.0
    other, _ = judged(right=0.5, seed=2)
    alpha = numbers(judges_section({"a": first, "b": other}))["Krippendorff's alpha"]
    assert alpha.value is not None
    assert abs(alpha.value) < 0.15


# Rubrics.

RUBRIC = """
criteria:
  - {name: concrete, question: "Does it say what to do first?", anchors: {1: advice, 5: a step}}
  - {name: kind, question: "Is it kind?", scale: [0, 10]}
"""


def test_a_rubric_grades_each_set(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(RUBRIC)
    rubric = read_rubric(tmp_path / "r.yaml")
    good, bad = bank(tmp_path / "a", GROUNDED), bank(tmp_path / "b", VAGUE)
    means: list[list[float]] = []
    for one in (good, bad):
        with TipGenerator(mock_gateway("perfect")) as client:
            graded, _ = grade_bank(Asker(client), one, rubric)
        found = numbers(rubric_section(graded, rubric))
        assert found["grades that are missing"].value == 0
        means.append([found[name].value or 0.0 for name in ("concrete (1 to 5)", "kind (0 to 10)")])
    assert means[0] > means[1]


def test_the_rubric_is_told_and_grades_off_the_scale_are_missing(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(RUBRIC)
    rubric, one = read_rubric(tmp_path / "r.yaml"), bank(tmp_path / "a", GROUNDED)
    replies = ['{"concrete": 5, "kind": 10}', '{"concrete": 6, "kind": 1}', '{"concrete": 3}', "[1]", '{"kind": true}']
    script = Script(*[completion(replies[at % 5]) for at in range(12)])
    with TipGenerator(script.gateway) as client:
        graded, _ = grade_bank(Asker(client), one, rubric)
    assert [grades is not None for _, grades in graded] == [at % 5 == 0 for at in range(12)]
    text = script.body(0)["messages"][0]["content"]
    assert "concrete, a whole number from 1 to 5: Does it say what to do first?" in text
    assert "  5: a step" in text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("criteria: []", "criteria"),
        ("criteria: [{name: A B, question: x}]", "name"),
        ("criteria: [{name: a, question: x, scale: [5, 1]}]", "rise"),
        ("criteria: [{name: a, question: x, anchors: {9: y}}]", "outside the scale"),
        ("criteria: [", "not YAML"),
    ],
)
def test_broken_rubrics_are_refused(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "r").write_text(text)
    with pytest.raises(GeneratorInputError, match=says):
        read_rubric(tmp_path / "r")


# The page.


@contextmanager
def page(banks: tuple[Bank, Bank], out: Path, rater: str = "") -> Iterator[LabelServer]:
    """The server, running."""
    with running(LabelServer(questions(*banks), out, rater)) as server:
        yield server


def told(server: LabelServer) -> dict[str, object]:
    """The data that the page holds."""
    text = HTTP.get(server.url).text
    found: dict[str, object] = json.loads(text.split("const data = ")[1].split(";\n")[0])
    return found


def test_sides_are_blind_and_labels_come_out_as_of_the_banks(tmp_path: Path) -> None:
    """Whoever always prefers the first bank's texts, on whichever side they stand, labels it `ours` throughout."""
    ours, theirs = bank(tmp_path / "a", GROUNDED), bank(tmp_path / "b", VAGUE)
    texts = {tip.content for record in ours.records for tip in record.tips}
    out = tmp_path / "labels.csv"
    with page((ours, theirs), out, "ada") as server:
        data = told(server)
        pairs = data["pairs"]
        assert isinstance(pairs, list)
        assert [pair["at"] for pair in pairs] == list(range(12))
        on_the_left = [set(pair["left"]) <= texts for pair in pairs]
        assert 2 < sum(on_the_left) < 10
        assert "ours" not in json.dumps(data)
        for pair, left in zip(pairs, on_the_left, strict=True):
            got = HTTP.post(
                server.url,
                json={"at": pair["at"], "step": 0 if left else 4},
                headers={"x-token": str(data["token"])},
            )
            assert got.status_code == 200
    labels = read_labels(out)
    assert {label.value for label in labels} == {1.0}
    assert {label.position for label in labels} == set(range(12))
    with page((ours, theirs), out, "ada") as server:
        assert told(server)["pairs"] == []
        assert told(server)["done"] == 12
    with page((ours, theirs), out, "eve") as server:
        assert told(server)["done"] == 0


def test_an_answer_can_be_changed_and_each_is_saved_at_once(tmp_path: Path) -> None:
    banks, out = (bank(tmp_path / "a", GROUNDED), bank(tmp_path / "b", VAGUE)), tmp_path / "l.csv"
    with page(banks, out) as server:
        for step in (0, 2):
            assert server.keep(0, step)
            assert len(read_labels(out)) == 1
        assert read_labels(out)[0].value == 0.5
        for wrong in ((99, 0), (0, 5), (True, 0), ("0", 0), (0, None)):
            assert not server.keep(*wrong)


def test_other_pages_get_nothing(tmp_path: Path) -> None:
    banks = bank(tmp_path / "a", GROUNDED), bank(tmp_path / "b", VAGUE)
    with page(banks, tmp_path / "l.csv") as server:
        token = str(told(server)["token"])
        body = {"at": 0, "step": 0}
        for headers in ({}, {"x-token": "wrong"}, {"x-token": token, "host": "evil.example"}):
            assert HTTP.post(server.url, json=body, headers=headers).status_code == 403
        assert HTTP.get(server.url, headers={"host": "evil.example"}).status_code == 404
        big = HTTP.post(server.url, content=b"x" * 20_000, headers={"x-token": token})
        assert big.status_code == 413
        bad = HTTP.post(server.url, content=b"{", headers={"x-token": token})
        assert bad.status_code == 422
    assert not (tmp_path / "l.csv").exists()


def test_texts_cannot_leave_the_data(tmp_path: Path) -> None:
    ours, theirs = bank(tmp_path / "a", GROUNDED), bank(tmp_path / "b", VAGUE)
    evil = "</script><script>alert(1)</script>&amp;"
    records = [one._replace(tips=(one.tips[0]._replace(content=evil),)) for one in ours.records]
    with page((ours._replace(records=tuple(records)), theirs), tmp_path / "l.csv") as server:
        text = server.page().decode()
        assert evil not in text
        assert text.count("</script>") == 1
        assert any(evil in (*pair["left"], *pair["right"]) for pair in told(server)["pairs"])  # type: ignore[attr-defined]


def test_what_cannot_be_labelled_is_refused(tmp_path: Path) -> None:
    good, none = bank(tmp_path / "a", GROUNDED), bank(tmp_path / "n", SILENT)
    with pytest.raises(GeneratorInputError, match="nothing to label"):
        questions(good, none)
    with pytest.raises(GeneratorInputError, match="there is no directory"):
        LabelServer(questions(good, good), tmp_path / "none" / "l.csv")
