"""The served baseline of `oo-sim gate`: hashes of a fixed trace through the server, a text file beside the others."""

from __future__ import annotations

from pathlib import Path

from oo_sim.errors import GateError

FILE = "served.txt"
_HEAD = "# What a fixed trace through the server gives, step by step: oo-sim gate record --served"


def record(directory: Path, force: bool = False, notes: tuple[str, ...] = ()) -> Path:
    """Play the trace and write its hashes. Raises GateError where there are some, without `force`."""
    from oo_sim.results.result import write_whole  # noqa: PLC0415 (heavy)
    from oo_sim.serving.trace import run_trace  # noqa: PLC0415

    path = directory / FILE
    if path.exists() and not force:
        raise GateError(f"{path} exists; accept what changed with a reason, or record with --force")
    write_whole(path, ("\n".join([_HEAD, *notes, *run_trace()]) + "\n").encode(), parents=True)
    return path


def check(directory: Path) -> str | None:
    """The first step of the trace that differs from the baseline, None where none does. Raises GateError."""
    from oo_sim.serving.trace import difference, run_trace  # noqa: PLC0415 (heavy)

    before = _read(directory / FILE)
    return difference([line for line in before if not line.startswith("#")], run_trace())


def accept(directory: Path, reason: str) -> Path:
    """Take what the trace gives now; the file keeps the reason. Raises GateError."""
    notes = [line for line in _read(directory / FILE) if line.startswith("#") and line != _HEAD]
    return record(directory, force=True, notes=(*notes, f"# accepted: {' '.join(reason.split())}"))


def _read(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise GateError(f"{path}: cannot be read ({error}); `oo-sim gate record --served` writes it") from error
