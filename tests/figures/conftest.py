"""The fixture that makes runs up."""

from results.made import build

__all__ = ["build"]
