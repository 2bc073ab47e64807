"""A report for CI: JUnit XML, markdown, annotations of GitHub's workflows, and lines for a terminal."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

from oo_sim.gate.results import Case, Layer, Report, Status, Verdict
from oo_sim.show.text import plain

MOST_ANNOTATIONS = 10
_MARKS = {Verdict.IDENTICAL: "pass", Verdict.EQUIVALENT: "CHANGED", Verdict.IMPROVED: "LOOK"}


def lines(report: Report, *, verdict: bool = True) -> Iterator[str]:
    """Every case and its layers, then the verdict on all, where it is asked for."""
    for case in report.cases:
        yield f"{_MARKS.get(case.verdict, 'FAIL')}  {case.name}: {case.verdict.value} ({case.seconds:.1f} s)"
        for layer in case.layers:
            yield f"      {layer.name}: {plain(layer.text, 600)}"
    if report.matrix is not None:
        yield from report.matrix.lines()
    if report.served is not None:
        yield f"Served: {plain(report.served.text, 600)}"
    if not verdict:
        return
    if any(case.verdict is Verdict.IMPROVED for case in report.cases):
        yield "An improvement passes, but look at it: a fault can look like a gain. `oo-sim gate accept` takes it."
    yield f"{report.summary} Exit code {report.exit_code}."


def junit(report: Report) -> str:
    """JUnit XML with a test case for each scenario, policy and layer. Inconclusive and not comparable are errors."""
    suite = ET.Element("testsuite", name="oo-sim gate")
    for case in report.cases:
        for layer in case.layers:
            _entry(suite, case, layer)
    for each in () if report.matrix is None else report.matrix.differences:
        _hashed(suite, f"matrix.{plain(each.cell, 120)}", each.text)
    if report.served is not None:
        _hashed(suite, "served", report.served.difference)
    counts = {"tests": "testcase", "failures": "*/failure", "errors": "*/error", "skipped": "*/skipped"}
    for key, path in counts.items():
        suite.set(key, str(len(suite.findall(path))))
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _hashed(suite: ET.Element, name: str, changed: str | None) -> None:
    entry = ET.SubElement(suite, "testcase", classname=f"oo_gate.{name}", name="hashes", time="0.000")
    if changed is not None:
        ET.SubElement(entry, "failure", message=plain(changed, 1000), type="changed")


def _entry(suite: ET.Element, case: Case, layer: Layer) -> None:
    name = f"oo_gate.{plain(case.scenario)}.{plain(case.policy, 80)}"
    entry = ET.SubElement(suite, "testcase", classname=name, name=layer.name, time=f"{layer.seconds:.3f}")
    text = plain(layer.text, 1000)
    if layer.status is Status.FAILED:
        soft = case.verdict in (Verdict.INCONCLUSIVE, Verdict.NOT_COMPARABLE)
        ET.SubElement(entry, "error" if soft else "failure", message=text, type=case.verdict.value)
    elif layer.status is Status.SKIPPED:
        ET.SubElement(entry, "skipped", message=text)
    else:
        ET.SubElement(entry, "system-out").text = text


def markdown(report: Report) -> str:
    """A table of all cases, and the layers of those that need a look."""
    rows = [
        "## oo-sim gate",
        "",
        report.summary,
        "",
        "| scenario | policy | verdict | difference per decision | users |",
    ]
    rows.append("|---|---|---|---|---|")
    for case in report.cases:
        j = case.judgement
        difference = "" if j is None else f"{j.difference.estimate:+.5f} (margin {j.margin:.5f})"
        cells = (case.scenario, plain(case.policy, 80), case.verdict.value, difference, f"{case.users:,}")
        rows.append(f"| {' | '.join(map(_escaped, cells))} |")
    for case in report.alarming:
        rows += ["", f"**{_escaped(case.name)}: {case.verdict.value}**", ""]
        rows += [f"* {layer.name}: {_escaped(plain(layer.text, 1000))}" for layer in case.layers]
    if report.matrix is not None:
        rows += ["", *(_escaped(plain(line, 400)) for line in report.matrix.lines())]
    if report.served is not None:
        rows += ["", f"Served: {_escaped(plain(report.served.text, 400))}"]
    return "\n".join(rows) + "\n"


def github_annotations(report: Report) -> list[str]:
    """Workflow commands for what requires a look, gravest first, at most `MOST_ANNOTATIONS`."""
    found = [_annotation(case) for case in report.alarming]
    cells = () if report.matrix is None else report.matrix.differences
    changed = [(each.cell, each.text) for each in cells]
    if report.served is not None and report.served.difference is not None:
        changed.append(("served", report.served.difference))
    found += [f"::error title={_property(f'oo-sim gate: {name}')}::{_message(text)}" for name, text in changed]
    if len(found) <= MOST_ANNOTATIONS:
        return found
    rest = len(found) - MOST_ANNOTATIONS + 1
    return [*found[: MOST_ANNOTATIONS - 1], f"::error title=oo-sim gate::and {rest} more; see the summary"]


def _annotation(case: Case) -> str:
    level = "error" if case.exit_code else "warning"
    title = _property(f"oo-sim gate: {case.name}: {case.verdict.value}")
    return f"::{level} title={title}::{_message(case.text)}"


def _message(text: str) -> str:
    """As the runner's toolkit escapes a command's message."""
    return plain(text, 1000).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """As the runner's toolkit escapes a command's property."""
    return _message(text).replace(":", "%3A").replace(",", "%2C")


def _escaped(text: str) -> str:
    """Text that markdown and HTML leave as it is."""
    return re.sub(r"([\\`*_{}\[\]()#|~!@:])", r"\\\1", text.replace("&", "&amp;").replace("<", "&lt;"))
