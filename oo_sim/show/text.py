"""Makes text from files harmless to show: a run directory may come from anywhere."""

from __future__ import annotations

import unicodedata

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def plain(text: object, width: int = 400) -> str:
    """The text on one line, without control or direction characters, cut to `width` with an ellipsis."""
    clean = "".join(" " if c in "\t\r\n" else c for c in str(text)[: 4 * width])
    clean = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in _HIDDEN else c for c in clean)
    return clean if len(clean) <= width else clean[: width - 1] + "\N{HORIZONTAL ELLIPSIS}"
