"""`oo-sim report` and `oo-sim plot --kind`: files written, and what is refused."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from calling import Call
from figures.painted import assert_painted

import oo_sim
from oo_sim.cli.show import Kind
from oo_sim.figures import png
from oo_sim.studies import Comparison


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run with events."""
    out = tmp_path_factory.mktemp("runs") / "small"
    policies = ["linucb", "egreedy", "random"]
    oo_sim.run("quickstart", policies=policies, users=6, rounds=12, events=True, out=out, plot=False)
    return out


def test_the_report_is_written_and_named(call: Call, kept: Path, tmp_path: Path) -> None:
    assert call("report", kept, "-o", "report.html", "--reference", "random") == (0, "report.html\n", "")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "together for all 2 comparisons" in page
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_reference_where_nothing_is_compared_is_refused(call: Call, tmp_path: Path) -> None:
    for name, options in (("one", {"policies": ["random"]}), ("bare", {"checkpoints": "off"})):
        oo_sim.run("tiny_sets", users=4, rounds=3, out=name, plot=False, **options)
        refused = call("report", name, "-o", "report.html", "--reference", "random")
        assert (refused.code, refused.out) == (2, "")
        assert "reference says what policies are compared with, and nothing is compared here" in refused.err
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize("kind", [each.value for each in Kind if each is not Kind.theta])
def test_a_kind_is_drawn_into_the_run_as_python_draws_it(call: Call, kept: Path, kind: str) -> None:
    assert call("plot", kept, "--kind", kind) == (0, f"{kept}/{kind}.png\n", "")
    run = oo_sim.load_run(kept)
    figure = oo_sim.compare(run).figure(kind) if kind in Comparison.kinds else run.figure(kind)
    drawn = png(figure)
    assert (kept / f"{kind}.png").read_bytes() == drawn
    assert_painted(drawn, figure)


@pytest.mark.parametrize("ending", ["pdf", "svg"])
def test_figures_are_vectors_too_and_the_same_bytes_again(call: Call, kept: Path, tmp_path: Path, ending: str) -> None:
    for name in ("one", "two"):
        assert call("plot", kept, "--out", f"{name}.{ending}") == (0, f"{name}.{ending}\n", "")
    one, two = ((tmp_path / f"{name}.{ending}").read_bytes() for name in ("one", "two"))
    assert one == two
    if ending == "svg":
        paths = ET.fromstring(one).iter("{http://www.w3.org/2000/svg}path")
        assert sum(1 for _ in paths) > 50
    else:
        assert one.startswith(b"%PDF-")
        assert one.rstrip().endswith(b"%%EOF")
        assert b"/Type3" not in one  # fonts that journals refuse


@pytest.mark.parametrize("form", ["csv", "latex", "markdown"])
def test_the_table_in_other_forms_is_that_of_python(call: Call, kept: Path, form: str) -> None:
    code, out, err = call("show", kept, f"--{form}")
    run = oo_sim.load_run(kept)
    assert (code, err) == (0, "")
    assert out == (run.frame().to_csv(index=False) if form == "csv" else getattr(run.table(), form)())
    assert call("show", kept, f"--{form}", "--json")[0] == 2


def test_refusals_are_one_line_and_exit_code_2(call: Call, kept: Path) -> None:
    for arguments, words in (
        (("report", kept, "-o", "report.pdf"), "report.pdf must end in .html"),
        (("report", kept, "-o", "nowhere/report.html"), "there is no directory nowhere"),
        (("report", "nowhere", "-o", "report.html"), "nowhere: does not exist"),
        (("report", kept, "-o", "report.html", "--reference", "nobody"), "no policy nobody"),
        (("report", kept), "Missing option"),
        (("plot", kept, kept, "--kind", "users", "--out", "a.png"), "users shows one run"),
        (("plot", kept, "--kind", "pie"), "'pie' is not one of"),
    ):
        code, out, err = call(*arguments)
        assert (code, out) == (2, "")
        assert words in err
        assert "Traceback" not in err


def test_a_run_without_what_is_drawn_says_what_would_help(call: Call, tmp_path: Path) -> None:
    oo_sim.run("linear", policies=["linucb"], users=2, rounds=3, out=tmp_path / "r", plot=False)
    for kind, words in (
        ("theta", "run again with --events"),
        ("segments", "has no results by segment"),
        ("reactions", "no reactions"),
    ):
        code, _, err = call("plot", "r", "--kind", kind)
        assert code == 2
        assert words in err


def test_a_chapter_says_what_other_policies_would_have_earned(call: Call, tmp_path: Path) -> None:
    """Of a run, whose own chapter stands before it, and of a table, which has none."""
    out = tmp_path / "log"
    oo_sim.run("quickstart", policies=["random"], users=40, rounds=6, events=True, out=out, plot=False)
    rows = "".join(f"u{i % 40},{i // 40},{'ab'[i % 2]},0.5,{i % 3}\n" for i in range(120))
    (tmp_path / "t.csv").write_text(f"user,order,action,probability,reward\n{rows}")
    asked = ("--policy", "softmax", "--policy", "linucb", "-o", "r.html")
    assert call("report", out, "t.csv", *asked)[0] == 0
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert page.count("what other policies would have earned</h2>") == 2
    assert page.count("beside what was logged") >= 2
    assert "What was logged, by random, earned" in page
    assert "Question (frozen)" in page
    assert "unsupported mass is not known" in page
    code, _, said = call("report", out, "t.csv", "-o", "s.html")
    assert code == 2
    assert "t.csv" in said
