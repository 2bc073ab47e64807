"""What a report looks like to machines and to people, and that no name in it can do harm."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from oo_sim.gate import Case, Report, ServedReport, Verdict, github_annotations, junit, lines, markdown, picture
from oo_sim.gate.judge import judge
from oo_sim.gate.results import EXIT_CODES, Layer, Status

JUDGED = judge(np.random.default_rng(1).normal(-0.01, 0.1, (3, 80)), (10, 20, 40), 0.02)
HOSTILE = "a|b<script>`x`%0A::error::c\x1b[31m\n::warning title=t::"


def case(verdict: Verdict, policy: str = "linucb", text: str = "because") -> Case:
    """A case with some statistics."""
    bad = verdict in (Verdict.REGRESSED, Verdict.INCONCLUSIVE, Verdict.NOT_COMPARABLE, Verdict.VIOLATION)
    layers = (
        Layer("environment", Status.PASSED, "as recorded"),
        Layer("hashes", Status.SKIPPED, "changed", 0.25),
        Layer("statistics", Status.FAILED if bad else Status.PASSED, text, 0.5),
    )
    return Case("quickstart", policy, verdict, layers, JUDGED, 80, 0.75)


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([Verdict.IDENTICAL, Verdict.EQUIVALENT, Verdict.IMPROVED], 0),
        ([Verdict.IDENTICAL, Verdict.INCONCLUSIVE], 3),
        ([Verdict.NOT_COMPARABLE, Verdict.INCONCLUSIVE], 4),
        ([Verdict.REGRESSED, Verdict.NOT_COMPARABLE], 1),
        ([Verdict.FAILED, Verdict.EQUIVALENT], 1),
        ([Verdict.VIOLATION, Verdict.REGRESSED], 5),
        ([], 0),
    ],
)
def test_the_gravest_verdict_gives_the_exit_code(verdicts: list[Verdict], code: int) -> None:
    assert Report(tuple(map(case, verdicts))).exit_code == code
    assert set(EXIT_CODES) == set(Verdict)


def test_junit_has_a_case_for_each_layer_and_counts_them() -> None:
    report = Report((case(Verdict.REGRESSED, HOSTILE, HOSTILE), case(Verdict.INCONCLUSIVE), case(Verdict.IDENTICAL)))
    suite = ET.fromstring(junit(report))[0]
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "9",
        "failures": "1",
        "errors": "1",
        "skipped": "3",
    }
    assert [each.get("time") for each in suite][:3] == ["0.000", "0.250", "0.500"]
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.get("type") == "regressed"
    assert "<script>" in str(failure.get("message"))  # escaped in the file, whole again when read
    assert "\x1b" not in junit(report)


@pytest.mark.parametrize("differs", [None, "step 3 of 9, POST /react: its result differs"])
def test_the_served_verdict_is_in_every_form(differs: str | None) -> None:
    report = Report((case(Verdict.IDENTICAL),), served=ServedReport(differs))
    assert report.exit_code == (differs is not None)
    assert report.as_dict()["served"] == (differs or "identical")
    suite = ET.fromstring(junit(report))[0]
    assert suite.get("failures") == str(report.exit_code)
    assert "oo_gate.served" in [each.get("classname") for each in suite]
    said = "identical" if differs is None else "changed"
    assert f"Served: {said}" in markdown(report)
    assert any(line.startswith(f"Served: {said}") for line in lines(report))
    assert len(github_annotations(report)) == report.exit_code


def test_json_is_plain() -> None:
    report = Report((case(Verdict.REGRESSED), case(Verdict.FAILED)))
    again = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert again["exit_code"] == 1
    assert again["cases"][0]["statistics"]["rounds"] == [10, 20, 40]
    assert again["cases"][0]["drift"] is None
    assert [layer["name"] for layer in again["cases"][0]["layers"]] == ["environment", "hashes", "statistics"]


def test_markdown_leaves_no_table_and_starts_no_tag() -> None:
    text = markdown(Report((case(Verdict.REGRESSED, HOSTILE, HOSTILE), case(Verdict.IDENTICAL))))
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 3
    assert all(row.replace("\\|", "").count("|") == 6 for row in rows)
    assert "<script" not in text
    assert "`x`" not in text.replace("\\`", "")
    assert text.count("**quickstart") == 1


def test_annotations_are_few_escaped_and_gravest_first() -> None:
    found = github_annotations(Report((case(Verdict.IMPROVED), case(Verdict.REGRESSED, HOSTILE, HOSTILE))))
    assert len(found) == 2
    assert found[0].startswith("::error title=oo-sim gate%3A quickstart")
    assert found[1].startswith("::warning title=")
    for line in found:
        _, _, rest = line.partition(" title=")
        title, _, message = rest.partition("::")
        assert "\n" not in line
        assert ":" not in title
        assert "," not in title
        assert "%" not in message.replace("%25", "")
    many = github_annotations(Report(tuple(case(Verdict.REGRESSED, f"p{i}") for i in range(30))))
    assert len(many) == 10
    assert many[-1].endswith("and 21 more; see the summary")
    assert not github_annotations(Report((case(Verdict.IDENTICAL), case(Verdict.EQUIVALENT))))


def test_lines_are_loud_about_improvements() -> None:
    said = list(lines(Report((case(Verdict.IMPROVED), case(Verdict.IDENTICAL)))))
    assert said[0].startswith("LOOK  quickstart linucb: improved")
    assert any("a fault can look like a gain" in line for line in said)
    assert said[-1] == "Gate: 1 identical, 1 improved. Exit code 0."
    assert not any("\x1b" in line for line in lines(Report((case(Verdict.REGRESSED, HOSTILE, HOSTILE),))))


def test_the_picture_has_a_panel_for_each_case_with_statistics() -> None:
    cases = [case(Verdict.REGRESSED, "$x$ & a long name " * 9), case(Verdict.IMPROVED), case(Verdict.EQUIVALENT)]
    figure = picture(Report((*cases, Case("a", "b", Verdict.IDENTICAL, (), None, 64, 0.1))))
    assert all("logarithmic" in axes.get_xlabel() for axes in figure.axes)
    assert len(figure.axes) == 3
    assert figure.axes[0].get_title(loc="left").startswith("quickstart $x$")
    for axes in figure.axes:
        low, high = axes.get_ylim()
        assert low < -0.02 < high
    figure.canvas.draw()
    assert not picture(Report(())).axes
