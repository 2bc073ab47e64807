"""Tables: a label is never left out and a number never cut, at any width; text does nothing in any form."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable

from oo_sim.show import Table, Tables, count, number, plain, signed
from oo_sim.show.tables import terminal

LABELS = st.text("abcdefgh=:,.0123456789", min_size=1, max_size=50)
NUMBERS = st.from_regex(r"[+]?[0-9]{1,7}\.[0-9]{1,4} ± [0-9]\.[0-9]{1,3}", fullmatch=True)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    columns = draw(st.integers(1, 8))
    rows = draw(st.lists(st.tuples(LABELS, *[NUMBERS] * columns), min_size=1, max_size=5))
    return Table(["policy", *(f"number\n{i}" for i in range(columns))], rows)


def lines_of(part: object, width: int) -> list[str]:
    console = Console(width=width, color_system=None)
    with console.capture() as text:
        console.print(part)
    return text.get().splitlines()


@given(tables(), st.integers(40, 140))
def test_at_any_width_every_part_has_every_label_and_numbers_are_whole(table: Table, width: int) -> None:
    parts = [part for part in terminal(table, width) if isinstance(part, RichTable)]
    shown = [str(column.header) for part in parts for column in part.columns[1:]]
    assert shown == table.headers[1:]  # each column stands once, in order
    for part in parts:
        lines = lines_of(part, width)
        assert max(map(cell_len, lines)) <= width
        first = part.columns[0].max_width
        assert first is not None
        column = "".join(line[:first].rstrip() for line in lines[3:])
        assert column == "".join(row[0] for row in table.rows)
    text = "\n".join(line for part in parts for line in lines_of(part, width))
    for cell in {cell for row in table.rows for cell in row[1:]}:
        assert text.count(cell) >= sum(row[1:].count(cell) for row in table.rows)


def test_what_fits_stands_in_one_part_and_words_are_folded_before_that() -> None:
    long = Table(("name", "description", "users"), [("quickstart", "word " * 40, "400")], wordy=frozenset({1}))
    [part] = [part for part in terminal(long, 60) if isinstance(part, RichTable)]
    lines = lines_of(part, 60)
    assert "400" in lines[2]
    assert sum(line.count("word") for line in lines) == 40


@pytest.mark.parametrize("width", [60, 80, 100])
def test_words_are_folded_between_them(width: int) -> None:
    specs = "linucb restart_linucb:period=80 egreedy"
    table = Table(("name", "description", "policies"), [("drift_abrupt", "word " * 20, specs)], wordy=frozenset({1, 2}))
    text = "\n".join(line for part in terminal(table, width) for line in lines_of(part, width))
    assert "restart_linucb:period=80" in text.split()
    assert text.split().count("word") == 20


NASTY = "[red]<b>&\\_{$}|x`*"


def test_text_stays_text_in_every_form() -> None:
    found = Tables([Table((NASTY, "n"), [(NASTY, "1")], NASTY)], [NASTY], [NASTY])
    assert str(found).count("[red]<b>") == 5

    class Reader(HTMLParser):
        data = ""

        def handle_data(self, data: str) -> None:
            self.data += data

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert tag in {"table", "caption", "thead", "tbody", "tr", "th", "td", "p", "strong", "small"}

    reader = Reader()
    reader.feed(found._repr_html_())
    assert reader.data.count(NASTY) == 5
    body = found.latex().split("\\begin{tabular}")[1]
    assert body.count(r"[red]\textless{}b\textgreater{}\&\textbackslash{}\_\{\$\}|x`*") == 2
    assert found.markdown().count(r"\[red\]&lt;b>&amp;\\\_\{$\}\|x\`\*") == 5


def test_latex_is_a_booktabs_tabular_with_all_cells() -> None:
    table = Table(
        ("policy", "reward\nper decision"), [("a", "0.1 ± 0.2"), ("b", "\N{MINUS SIGN}1")], "t", breaks=frozenset({1})
    )
    assert Tables([table], notes=["100 % sure"]).latex().splitlines() == [
        "% t",
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"policy & reward per decision \\",
        r"\midrule",
        r"a & 0.1 $\pm$ 0.2 \\",
        r"\midrule",
        r"b & $-$1 \\",
        r"\bottomrule",
        r"\end{tabular}",
        "% 100 % sure",
    ]


def cells(line: str) -> Sequence[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


@given(tables())
def test_markdown_has_a_row_for_each_row(table: Table) -> None:
    head, align, *rows = Tables([table]).markdown().strip().splitlines()
    assert len(cells(head)) == len(cells(align)) == len(table.headers)
    assert [list(cells(row)) for row in rows] == [list(row) for row in table.rows]


def test_words_and_numbers() -> None:
    assert [count(1, "user"), count(2000, "user"), count(0, "violation")] == ["1 user", "2,000 users", "0 violations"]
    assert [number(None), number(float("nan")), number(-1234.5, 1)] == ["-", "-", "\N{MINUS SIGN}1,234.5"]
    assert [signed(0.0), signed(-0.00001), signed(2.0, 1), signed(float("inf"))] == ["0.0000", "0.0000", "+2.0", "-"]


@pytest.mark.parametrize(("text", "shown"), [("a\n\tb", "a  b"), ("häßlich 多", "häßlich 多"), ("x\x1b\u202e", "x��")])
def test_plain_text_is_one_harmless_line(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_plain_text_is_cut_with_a_mark() -> None:
    assert plain("x" * 50, 10) == "x" * 9 + "…"


def test_latex_leaves_out_what_says_how_fast_a_machine_was() -> None:
    table = Table(("policy", "reward", "decisions per second"), [("a", "0.1", "777")], machine=frozenset({2}))
    text = Tables([table]).latex()
    assert r"\begin{tabular}{lr}" in text
    assert r"a & 0.1 \\" in text
    assert "777" not in text
    assert "777" in Tables([table]).markdown()
