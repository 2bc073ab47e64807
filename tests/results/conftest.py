"""The fixture that makes runs up."""

from .made import build

__all__ = ["build"]
