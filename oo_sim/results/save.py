"""Writes a file whole or not at all."""

from __future__ import annotations

from pathlib import Path

from oo_sim.logs import RunLogError


def write_whole(path: Path, content: bytes) -> None:
    """Write the content, replacing what is there. Raises `RunLogError` when it cannot be written."""
    partial = path.with_name(f".{path.name}.oo-sim-partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise RunLogError(path, f"cannot be written: {error.strerror}") from error
