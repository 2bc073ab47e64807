"""A log on disk: a run directory, or any directory with Parquet files of decisions and learnings."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from oo_sim.audit.report import Report, UnusableLogError
from oo_sim.audit.run import audit
from oo_sim.audit.sources import ParquetSource, Source


class Log(NamedTuple):
    """The two tables of a log, and what its manifest says; empty where there is none."""

    decisions: Source
    learnings: Source
    manifest: Mapping[str, Any]


def open_log(directory: str | Path) -> Log:
    """Opens `decisions.parquet` and `learnings.parquet` of a directory, or parts of them by such names
    (`decisions-1.parquet`, `decisions/1.parquet`), with `manifest.json` where there is one.

    Raises UnusableLogError that names the file and what is wrong with it.
    """
    path = Path(directory)
    if not path.is_dir():
        raise UnusableLogError(f"{path}: is not a directory; expected a run directory or a directory of log files")
    decisions, learnings = (ParquetSource(_files(path, name), name) for name in ("decisions", "learnings"))
    return Log(decisions, learnings, _manifest(path / "manifest.json"))


def audit_directory(
    directory: str | Path,
    progress: Callable[[int], None] | None = None,
    *,
    full: bool = False,
    workers: int | None = None,
) -> Report:
    """Audits the log in a directory; see `audit` and `open_log`. Without `workers`, all cores that this process may use
    judge shards."""
    return audit(*open_log(directory), progress=progress, full=full, workers=workers or _cores())


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _files(path: Path, name: str) -> list[Path]:
    found = sorted([*path.glob(f"{name}*.parquet"), *path.glob(f"{name}/*.parquet")])
    if not found:
        run = (path / "curves.parquet").exists()
        hint = "the run was made without --events" if run else f"expected it, or parts of it: {name}-1.parquet, ..."
        raise UnusableLogError(f"{path}: holds no {name}.parquet; {hint}")
    return found


def _manifest(path: Path) -> Mapping[str, Any]:
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise UnusableLogError(
            f"{path}: cannot be read as JSON: {str(error)[:200]}; expected an object with a list of policies"
        ) from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("policies", []), list):
        raise UnusableLogError(f"{path}: is not a manifest; expected an object with a list of policies")
    return manifest
