"""What the gate refuses."""

from __future__ import annotations


class GateError(ValueError):
    """A baseline can't be recorded, read or compared with; the message says what would be right."""


class RunFailedError(GateError):
    """A policy failed while it was run."""
