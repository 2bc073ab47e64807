"""HTML by hand: every piece of text goes through `escaped`, so that what comes from files stays text."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence

from matplotlib.figure import Figure

from oo_sim.figures.curves import png
from oo_sim.show.text import plain

_LONG = 20_000
_LEGIBLE = 62  # CSS pixels per inch of a figure, below which its text can't be read
_DPI = 100  # sharp on a page, and half the bytes of a figure in a file of its own
_WIDE = '<div class="wide" tabindex="0">'  # scrolls sideways where it must, also by keyboard


def escaped(text: object) -> str:
    """Text as HTML shows it, on one line, without control or direction characters."""
    return html.escape(plain(text, _LONG))


def paragraphs(sentences: Iterable[str], css: str = "") -> str:
    """A paragraph for each."""
    style = f' class="{css}"' if css else ""
    return "".join(f"<p{style}>{escaped(sentence)}</p>\n" for sentence in sentences)


def bullets(items: Iterable[str]) -> str:
    """A list."""
    return "<ul>" + "".join(f"<li>{escaped(item)}</li>" for item in items) + "</ul>\n"


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "", *, names: int = 1) -> str:
    """A table of numbers behind columns of names; it scrolls sideways where it is wider than the page."""
    head = "".join(f'<th scope="col">{_lines(header)}</th>' for header in headers)
    body = "".join("<tr>" + "".join(f"<td>{_lines(cell)}</td>" for cell in row) + "</tr>\n" for row in rows)
    # Above the scrolling part, so that a narrow screen breaks its lines instead of cutting them.
    above = paragraphs([caption], "note above") if caption else ""
    inside = f"<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody>"
    return f'{above}{_WIDE}<table class="names{names}">{inside}</table></div>\n'


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """A table of names and words."""
    rows = "".join(f'<tr><th scope="row">{escaped(k)}</th><td>{escaped(v)}</td></tr>\n' for k, v in pairs)
    return f'{_WIDE}<table class="words"><tbody>{rows}</tbody></table></div>\n'


def picture(figure: Figure, alt: str, caption: str) -> str:
    """A figure inside the page."""
    image = base64.b64encode(png(figure, _DPI)).decode()
    source = f"data:image/png;base64,{image}"
    legible = f"--legible: {_LEGIBLE * figure.get_figwidth():.0f}px"
    return (
        f'<figure>{_WIDE}<img alt="{escaped(alt)}" style="{legible}" src="{source}"></div>'
        f"<figcaption>{escaped(caption)}</figcaption></figure>\n"
    )


def code(lines: str) -> str:
    """Text to be copied, line by line."""
    return "<pre><code>" + "\n".join(html.escape(plain(line, _LONG)) for line in lines.split("\n")) + "</code></pre>\n"


def _lines(cell: str) -> str:
    return "\n".join(escaped(line) for line in cell.split("\n"))
