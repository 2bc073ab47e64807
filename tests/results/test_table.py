"""Tables show every number, and text from files is never read as markup, HTML or terminal codes."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from rich.console import Console

from oo_sim.figures import png
from oo_sim.logs import RunLogError, RunWriter
from oo_sim.results import Run, load_run

from .made import BuildRun, manifest, tables

NASTY = "[red]<script>alert(1)</script>&\x1b[31m\u202e\x00"


def shown(run: Run, width: int = 100) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width).print(run.table())
    return stream.getvalue()


def test_the_table_shows_estimates_and_intervals(build: BuildRun) -> None:
    line = next(line for line in shown(build()).splitlines() if "linucb" in line)
    assert line.split() == [
        "linucb",
        "0.4500",
        "±",
        "0.2054",
        "0.2250",
        "2.00",
        "±",
        "0.00",
        "50.0%",
        "1,234,568",
    ]


def test_one_user_shows_a_dash(build: BuildRun) -> None:
    text = shown(build(users=1))
    assert "0.3000 ± -" in text
    assert "nan" not in text


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_number_is_cut_and_no_line_too_long(build: BuildRun, width: int) -> None:
    long = "linucb:alpha=0.5,features=oo7x,prior=0.001"
    run = build((long, "oracle"), rounds=100_000)
    lines = shown(run, width).splitlines()
    assert all(len(line.rstrip()) <= width for line in lines)
    for row in run.table().tables[0].rows:
        for number in row[1:]:
            assert any(number in line for line in lines), number


def test_failures_are_shown_by_name(build: BuildRun) -> None:
    run = build(("linucb", "mine"), missing=["mine"], failures={"mine": "probs sum to 0.9 in lane 3"})
    assert "mine failed: probs sum to 0.9 in lane 3" in shown(run)
    assert "<strong>mine failed: probs sum to 0.9 in lane 3</strong>" in run._repr_html_()


def test_text_from_files_does_nothing(build: BuildRun) -> None:
    run = build((NASTY,), name=NASTY, failures={NASTY: NASTY})
    text = shown(run, 200)
    assert "[red]<script>alert(1)</script>&" in text
    html = run._repr_html_()
    assert "<script" not in html
    assert "[red]&lt;script&gt;alert(1)&lt;/script&gt;&amp;" in html
    for shown_text in (text, html, repr(run)):
        assert not re.search("[\x00\x1b\u202e]", shown_text)


def test_a_notebook_cell_shows_table_and_picture(build: BuildRun) -> None:
    html = build()._repr_html_()
    assert html.count("<tr>") == 5
    image = re.search(r'src="data:image/png;base64,([^"]+)"', html)
    assert image is not None
    assert base64.b64decode(image[1]) == png(build().figure())


def test_repr_is_short(build: BuildRun) -> None:
    assert repr(build()) == "<Run toy: 4 policies, 4 users, 10 rounds, in memory>"


def write(out: Path, users: pa.Table | None = None) -> Path:
    curves, totals = tables(["linucb", "oracle"], 4, 10, 1)
    with RunWriter(out) as writer:
        writer.write_manifest(manifest(["linucb", "oracle"], 4, 10, 1))
        writer.write_table("curves", curves)
        writer.write_table("users", totals if users is None else users)
        return writer.commit()


def test_a_loaded_run_is_the_run_in_memory(tmp_path: Path, build: BuildRun) -> None:
    run, memory = load_run(str(write(tmp_path / "run"))), build(("linucb", "oracle"))
    assert run.rows == memory.rows
    assert run.curves.equals(memory.curves)
    assert run.users.equals(memory.users)
    assert run.path == tmp_path / "run"
    assert repr(run).endswith(f"{tmp_path / 'run'}>")


def test_events_of_a_run_in_memory_are_refused(build: BuildRun) -> None:
    with pytest.raises(RunLogError, match="is a run in memory, without events"):
        build().decisions()
    with pytest.raises(RunLogError, match="is a run in memory, without events"):
        build().learnings()


def test_tables_of_other_policies_are_refused(tmp_path: Path) -> None:
    _, users = tables(["linucb"], 4, 10, 1)
    with pytest.raises(RunLogError, match=r"users\.parquet: holds policies \['linucb'\], not \['linucb', 'oracle'\]"):
        load_run(write(tmp_path / "run", users))


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    _, users = tables(["linucb", "oracle"], 4, 10, 1)
    place = users.schema.get_field_index("regret")
    broken = users.set_column(place, users.schema.field(place), pa.array(np.full(users.num_rows, np.nan)))
    with pytest.raises(RunLogError, match=r"users\.parquet: column regret holds numbers that are not finite"):
        load_run(write(tmp_path / "run", broken))
