"""Ctrl-C and SIGTERM end a command, also where a library throws the exception away.

A signal raises where the program happens to be. That may be within an import that Arrow does for itself, or a callback
that may not fail: there the exception is lost, or becomes another one. So it is remembered that the signal came.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TerminatedError(KeyboardInterrupt):
    """SIGTERM: everything ends as on Ctrl-C, so that nothing half-written is left."""


_SIGNALS = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: TerminatedError}
_LEFT_ALONE = (signal.default_int_handler, signal.SIG_DFL)  # by everybody else
_came: list[signal.Signals] = []


@contextmanager
def stoppable() -> Iterator[None]:
    """Within, a signal that nobody else handles raises, and any error after it is the end that was asked for.

    Raises:
        KeyboardInterrupt: Ctrl-C.
        TerminatedError: SIGTERM.
    """
    here = threading.current_thread() is threading.main_thread()
    before = {each: signal.getsignal(each) for each in _SIGNALS if here and signal.getsignal(each) in _LEFT_ALONE}
    for each in before:
        signal.signal(each, _raise)
    try:
        yield
    except Exception:
        stop_if_asked()
        raise
    finally:
        _came.clear()
        for each, handler in before.items():
            signal.signal(each, handler)


def _raise(number: int, frame: FrameType | None) -> None:
    _came.append(signal.Signals(number))
    stop_if_asked()


def is_stopping() -> bool:
    """Whether a signal came."""
    return bool(_came)


def stop_if_asked() -> None:
    """Raise what a signal raises, if one came: long work calls it now and then, from any thread."""
    if _came:
        raise _SIGNALS[_came[-1]] from None
