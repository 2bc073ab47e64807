"""Tables, made once and shown everywhere: a terminal of any width, a notebook, a page, LaTeX and Markdown.

In a terminal a label is never left out and a number never cut: where the columns do not fit side by side, the table
goes on below with its labels again.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table as RichTable
from rich.text import Text

from oo_sim.show.text import MINUS

_GAP = 2  # columns between two columns
_LABEL = 22  # a label is folded to no less than this, as long as the numbers leave so much
_LATEX = {
    **{c: "\\" + c for c in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    MINUS: "$-$",
}


class Table(NamedTuple):
    """Headers and rows of text; the first `names` columns name a row, the others hold numbers.

    `wordy` columns hold words instead and are folded between them, unless a word is wider than all that is left. A line
    is drawn above the rows in `breaks`. Columns of `machine` say how the work went and are left out of a paper's table.
    Headers and cells may have line breaks.
    """

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    names: int = 1
    wordy: frozenset[int] = frozenset()
    breaks: frozenset[int] = frozenset()
    machine: frozenset[int] = frozenset()

    def is_words(self, column: int) -> bool:
        """Whether a column is aligned to the left."""
        return column < self.names or column in self.wordy


class Tables(NamedTuple):
    """What a result has to say: tables, then failures, then what a reader must know.

    Printed by a rich console, shown by a notebook, and as LaTeX (booktabs) or Markdown.
    """

    tables: Sequence[Table]
    failures: Sequence[str] = ()
    notes: Sequence[str] = ()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """For a rich console; no text is read as markup."""
        for table in self.tables:
            yield from terminal(table, options.max_width)
        yield from (Text(line, style="bold red") for line in self.failures)
        yield from (Text(note, style="dim") for note in self.notes)

    def __str__(self) -> str:
        """As text, 100 columns wide."""
        console = Console(width=100, color_system=None)
        with console.capture() as text:
            console.print(self)
        return "\n".join(line.rstrip() for line in text.get().split("\n"))

    def _repr_html_(self) -> str:
        """An HTML fragment; all text is escaped."""
        failed = "".join(f"<p><strong>{html.escape(line)}</strong></p>" for line in self.failures)
        foot = "".join(f"<p><small>{html.escape(note)}</small></p>" for note in self.notes)
        return "".join(map(as_html, self.tables)) + failed + foot

    def latex(self) -> str:
        """Tabulars with the rules of the booktabs package, failures and notes as comments."""
        rest = "".join(f"% {' '.join(line.split())}\n" for line in (*self.failures, *self.notes))
        return "\n".join(map(as_latex, self.tables)) + rest

    def markdown(self) -> str:
        """Pipe tables, failures and notes."""
        parts = [*map(as_markdown, self.tables), *map(_escaped_markdown, (*self.failures, *self.notes))]
        return "\n\n".join(parts) + "\n"


def terminal(table: Table, width: int) -> Iterator[RenderableType]:
    """The table in parts that fit the width, each with the names of its rows."""
    if table.title:
        yield Text(table.title, style="bold")
    for columns, widths in _parts(table, width):
        part = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
        for i, most in zip(columns, widths, strict=True):
            justify = "left" if table.is_words(i) else "right"
            part.add_column(Text(table.headers[i]), justify=justify, overflow="fold", min_width=most, max_width=most)  # type: ignore[arg-type]
        for place, row in enumerate(table.rows):
            if place in table.breaks:
                part.add_section()
            part.add_row(*(Text(row[i]) for i in columns))
        yield part
        yield Text("")


def _parts(table: Table, width: int) -> Iterator[tuple[list[int], list[int]]]:
    """Which columns stand side by side, and how wide each of them is."""
    cells = [[header, *(row[i] for row in table.rows)] for i, header in enumerate(table.headers)]
    natural = [max(cell_len(line) for cell in column for line in cell.split("\n")) for column in cells]
    names, rest = [*range(table.names)], [*range(table.names, len(natural))]
    least = [min(n, _LABEL) if table.is_words(i) else n for i, n in enumerate(natural)]
    for i in table.wordy:
        least[i] = max(least[i], min(max(cell_len(word) for cell in cells[i] for word in cell.split()), width // 2))
    groups: list[list[int]] = [[]]
    for i in rest:
        if groups[-1] and _total([least[j] for j in (*names, *groups[-1], i)]) > width:
            groups.append([])
        groups[-1].append(i)
    for group in groups:
        columns = [*names, *group]
        yield columns, _widths(columns, natural, least, table, width)


def _widths(columns: Sequence[int], natural: list[int], least: list[int], table: Table, width: int) -> list[int]:
    """Numbers have what they need; words share what is left, the narrower ones first."""
    found = {i: natural[i] for i in columns if not table.is_words(i)}
    words = sorted((i for i in columns if table.is_words(i)), key=lambda i: natural[i])
    left = width - sum(found.values()) - _GAP * (len(columns) - 1)
    for place, i in enumerate(words):
        fair = max(left // (len(words) - place), 1)
        found[i] = min(natural[i], max(fair, min(least[i], left)) if i in table.wordy else fair)
        left -= found[i]
    return [found[i] for i in columns]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def as_html(table: Table) -> str:
    """An HTML table; all text is escaped."""
    caption = f"<caption>{html.escape(table.title)}</caption>" if table.title else ""
    head = "".join(f"<th>{html.escape(header)}</th>" for header in table.headers)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def as_latex(table: Table) -> str:
    """A tabular with booktabs rules, its title as a comment."""
    shown = [i for i in range(len(table.headers)) if i not in table.machine]
    align = "".join("l" if table.is_words(i) else "r" for i in shown)
    lines = [f"% {' '.join(table.title.split())}"] if table.title else []
    lines += [rf"\begin{{tabular}}{{{align}}}", r"\toprule", _latex_row(table.headers[i] for i in shown), r"\midrule"]
    for place, row in enumerate(table.rows):
        lines += [r"\midrule"] * (place in table.breaks) + [_latex_row(row[i] for i in shown)]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _latex_row(cells: Iterable[str]) -> str:
    escaped = ("".join(_LATEX.get(c, c) for c in " ".join(cell.split())) for cell in cells)
    return " & ".join(escaped) + r" \\"


def as_markdown(table: Table) -> str:
    """A pipe table below its title."""
    align = ["---" if table.is_words(i) else "---:" for i in range(len(table.headers))]
    rows = [_markdown_row(table.headers), f"| {' | '.join(align)} |", *map(_markdown_row, table.rows)]
    title = [f"**{_escaped_markdown(table.title)}**", ""] if table.title else []
    return "\n".join([*title, *rows])


def _markdown_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(_escaped_markdown(' '.join(cell.split())) for cell in cells)} |"


def _escaped_markdown(text: str) -> str:
    """Text that Markdown and HTML leave as it is."""
    return re.sub(r"([\\`*_{}\[\]#|~])", r"\\\1", text.replace("&", "&amp;").replace("<", "&lt;"))


def picture(png: bytes, alt: str) -> str:
    """An HTML image that holds its content, as wide as there is room."""
    return f'<img alt="{html.escape(alt)}" style="max-width:100%" src="{data_address(png)}">'


def data_address(png: bytes) -> str:
    """A PNG as an address."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
