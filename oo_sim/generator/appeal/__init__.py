"""What a tip's text adds to its utility for a simulated user: an appeal model, of three makes.

`keywords` is a toy: two switches, for a task that is named and an hour that is not. `panel` asks a language model, as
the user, how it reacts. `fitted` has learned from logged or labelled reactions. Every worth of a tip is said with the
make that it comes from.
"""

from typing import Literal

KINDS = ("keywords", "panel", "fitted")
AppealKind = Literal["keywords", "panel", "fitted"]

__all__ = ["KINDS", "AppealKind"]
