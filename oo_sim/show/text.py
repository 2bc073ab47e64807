"""Words and numbers as they are shown; text from files is made harmless first, for a run may come from anywhere."""

from __future__ import annotations

import math
import unicodedata

from oo_sim.stats import Interval

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
MINUS = "\N{MINUS SIGN}"


def plain(text: object, width: int = 400) -> str:
    """The text on one line, without control or direction characters, cut to `width` with an ellipsis."""
    clean = "".join(" " if c in "\t\r\n" else c for c in str(text)[: 4 * width])
    clean = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in _HIDDEN else c for c in clean)
    return clean if len(clean) <= width else clean[: width - 1] + "\N{HORIZONTAL ELLIPSIS}"


def count(number: int, noun: str) -> str:
    """`1 user`, `2,000 users`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def number(value: float | None, digits: int = 4) -> str:
    """A number with so many decimals; `-` where there is none."""
    return "-" if value is None or not math.isfinite(value) else f"{value:,.{digits}f}".replace("-", MINUS)


def signed(value: float, digits: int = 4) -> str:
    """A number with its sign, 0 without one; `-` where there is none."""
    if not math.isfinite(value):
        return "-"
    text = f"{value:+,.{digits}f}"
    return text.replace("-", MINUS) if float(text.replace(",", "")) else f"{0:.{digits}f}"


def percent(share: float | None, digits: int = 1) -> str:
    """A share in percent; `-` where there is none."""
    return "-" if share is None or not math.isfinite(share) else f"{100 * share:.{digits}f}%"


def p_value(p: float) -> str:
    """A p-value as it is printed."""
    return "-" if math.isnan(p) else "<0.0001" if p < 1e-4 else f"{p:.4f}"


def plus_minus(interval: Interval, digits: int = 4, *, sign: bool = False) -> str:
    """A symmetric interval: its half-width says it all. With `sign`, of a difference."""
    estimate = signed(interval.estimate, digits) if sign else number(interval.estimate, digits)
    return f"{estimate} ± {number(interval.width / 2, digits)}"


def interval_text(interval: Interval, digits: int = 4, *, sign: bool = False) -> str:
    """`plus_minus` where the bounds are as far from the estimate, `bracketed` where they are not."""
    above, below = interval.upper - interval.estimate, interval.estimate - interval.lower
    even = not abs(above - below) > 1e-9 * max(abs(above), abs(below))  # so with nan
    return plus_minus(interval, digits, sign=sign) if even else bracketed(interval, digits, sign=sign)


def bracketed(interval: Interval, digits: int = 3, *, sign: bool = False) -> str:
    """An interval that need not be symmetric: the estimate and both bounds."""
    said = signed if sign else number
    return f"{said(interval.estimate, digits)} [{said(interval.lower, digits)}, {said(interval.upper, digits)}]"


def minus(candidate: str, baseline: str, width: int = 60) -> str:
    """`candidate - baseline`, each cut to `width` characters."""
    return f"{plain(candidate, width)} {MINUS} {plain(baseline, width)}"
