"""Writes a run directory under a temporary name and renames it when whole, so none is ever half written."""

from __future__ import annotations

import errno
import json
import os
import platform
import re
import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa

from oo_sim.errors import RunLogError
from oo_sim.logs.joined import Joined, ParquetFile, PartKey
from oo_sim.logs.manifest import Manifest
from oo_sim.logs.parts import PartSink
from oo_sim.logs.schema import EVENTS, SCHEMAS, conform, with_features

ROW_GROUP = {"curves": 1 << 16, "users": 1 << 16, "decisions": 1 << 13, "learnings": 1 << 14}
"""Rows in a Parquet row group: fixed, so that bytes depend on rows alone; few where rows are wide."""
HELD_BYTES = {"users": 1 << 22, "decisions": 1 << 23, "learnings": 1 << 23}
"""What a part holds back; more goes to a file of its own."""
_PARTIAL = "oo-sim-partial"


def check_free(out: Path) -> None:
    """Raise `RunLogError` unless `out` is a new name or an empty directory: no run is ever overwritten."""
    try:
        if out.is_symlink() or (out.exists() and not out.is_dir()):
            raise RunLogError(out, "is in the way: a run directory must be a new name")
        if out.is_dir() and any(out.iterdir()):
            raise RunLogError(out, "is not empty, and a run is never overwritten; name a new directory")
    except OSError as error:
        raise RunLogError(out, f"cannot be used: {error.strerror}") from error


class RunWriter:
    """A context that writes the run directory `out`; leaving it without `commit` leaves nothing.

    The name is reserved at once, by an empty directory. Everything is written beside it in
    `.<name>.oo-sim-partial-<host>-<process>-<random>`; what a killed process left is removed by the next run there.
    `part` may be called, and its sinks written, from several threads, one thread a sink; they must have ended before
    the context does. Raises `RunLogError` when `out` is taken or cannot be written.
    """

    def __init__(self, out: Path) -> None:
        check_free(out)
        self.out = out
        self._target = Path(os.path.abspath(out))  # so that a change of the working directory changes nothing
        mark = f"{platform.node()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self.directory = self._target.parent / f".{self._target.name}.{_PARTIAL}-{mark}"
        self._joined = {
            name: Joined(self.directory / f"{name}.parquet", SCHEMAS[name], ROW_GROUP[name], coded=name == "decisions")
            for name in (*EVENTS, "users")
        }
        self._users: dict[int, PartSink] = {}
        self._reserved = False
        self.manifest: Manifest | None = None  # as it was given to `write_manifest`; with row counts once committed

    def __enter__(self) -> Self:
        try:
            self._target.parent.mkdir(parents=True, exist_ok=True)
            if writing := _forget_dead(self._target):
                raise RunLogError(self.out, f"is being written by process {writing}; name a new directory")
            (self.directory / "parts").mkdir(parents=True)
            with suppress(FileExistsError):
                self._target.mkdir()  # nobody else takes the name while this run computes
                self._reserved = True
        except OSError as error:
            self._abandon()
            raise RunLogError(self.out, f"cannot be written here: {error.strerror}") from error
        except BaseException:  # Ctrl-C, before there is a context that could end
            self._abandon()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for table in self._joined.values():
            with suppress(OSError):  # of a full disk: what is written is thrown away
                table.abandon()
        self._abandon()
        if full := _no_room(error):
            raise RunLogError(self.out, f"cannot be written: {full}") from error

    def _abandon(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
        if self._reserved:
            with suppress(OSError):
                self._target.rmdir()

    def write_manifest(self, manifest: Manifest) -> None:
        """Say what `manifest.json` will hold, besides the numbers of event rows; must come before `commit`. Raises
        `ValueError` for what JSON cannot hold."""
        _json(manifest)
        self.manifest = manifest

    def _write_manifest(self, manifest: Manifest) -> None:
        text = _json(manifest)
        with (self.directory / "manifest.json").open("w", encoding="utf-8") as file:
            file.write(text + "\n")
            _sync(file.fileno())

    def write_table(self, name: str, table: pa.Table) -> None:
        """Write a whole table of `SCHEMAS` as Parquet. Raises `ValueError` where its columns are others."""
        whole = conform(table, SCHEMAS[name])
        file = ParquetFile(self.directory / f"{name}.parquet", SCHEMAS[name])
        try:
            for start in range(0, whole.num_rows, ROW_GROUP[name]):
                file.write(whole.slice(start, ROW_GROUP[name]).combine_chunks())
        finally:
            file.close()

    def expect(self, parts: Iterable[tuple[int, int, int]], features: Mapping[str, Sequence[str]]) -> None:
        """Say which event parts will come (policy, replicate, group), in order, and the names of features (by policy
        hash): then they are written while others are still to come."""
        keys = [PartKey(*part) for part in parts]
        self._joined["decisions"].schema = with_features(SCHEMAS["decisions"], features)
        for name in EVENTS:
            self._joined[name].expect(keys)

    def part(self, table: str, policy: int, replicate: int, group: int) -> PartSink:
        """A sink for the event rows of one policy (by index), replicate and group of users.

        Parts are joined by (policy, replicate, group), so a group must be the same users in the same order
        however the work was split among blocks and threads; how its rows are batched makes no difference.
        """
        return self._joined[table].part(PartKey(policy, replicate, group), HELD_BYTES[table])

    def users_of(self, policy: int) -> PartSink:
        """The sink for a policy's rows of the users table (by index); the rows are joined in the policies' order."""
        if policy not in self._users:
            self._users[policy] = self.part("users", policy, 0, 0)
        return self._users[policy]

    def expect_users(self, policies: int) -> None:
        """Say of how many policies rows of the users table will come: then those of each are written when its sink is
        closed, if those of all before it are."""
        self._joined["users"].expect(PartKey(policy, 0, 0) for policy in range(policies))

    def join_users(self) -> Path:
        """Join the parts of the users table, which is then read from the file that is returned."""
        for sink in self._users.values():
            sink.close()
        self._joined["users"].close()
        return self.directory / "users.parquet"

    def drop(self, policy: int) -> None:
        """Forget all parts of a policy (by index) that failed, those to come as well."""
        for table in self._joined.values():
            table.drop(policy)

    def commit(self) -> Path:
        """Join the event parts, make everything durable, and rename to `out`, which is returned."""
        if self.manifest is None:
            raise ValueError("a run directory needs its manifest: call write_manifest before commit")
        features = {policy.hash: policy.feature_names for policy in self.manifest.policies}
        self._joined["decisions"].schema = with_features(SCHEMAS["decisions"], features)
        rows = {name: self._joined[name].close() for name in EVENTS if self._joined[name]}
        self.manifest = replace(self.manifest, rows=rows)
        self._write_manifest(self.manifest)
        shutil.rmtree(self.directory / "parts")
        _sync_directory(self.directory)
        try:
            self.directory.rename(self._target)
            self._reserved = False
        except OSError as error:
            raise RunLogError(self.out, f"appeared while the run was written: {error.strerror}") from error
        _sync_directory(self._target.parent)
        return self.out


def _no_room(error: BaseException | None) -> str:
    """Which limit of a disk an error is about, in words; empty where it is about something else. Arrow's errors have
    the number in their text alone."""
    if not isinstance(error, OSError) or isinstance(error, RunLogError):
        return ""
    said = re.search(r"\[errno (\d+)\]", str(error))
    number = int(said[1]) if said else error.errno
    return os.strerror(number) if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else ""


def _json(manifest: Manifest) -> str:
    return json.dumps(manifest.as_dict(), indent=1, ensure_ascii=False, allow_nan=False)


def _forget_dead(target: Path) -> str | None:
    """Remove what killed processes of this machine left beside a run directory; a live one that writes it is named."""
    for left in target.parent.glob(f".*.{_PARTIAL}-*"):
        made = re.fullmatch(r"(.+)-(\d+)-[0-9a-f]+", left.name.rpartition(f"{_PARTIAL}-")[2])
        if made is None or os.name != "posix":
            continue
        host, process = made.groups()
        if host != platform.node() or _alive(int(process)):
            if left.name.startswith(f".{target.name}.{_PARTIAL}-"):
                return process if host == platform.node() else f"{process} on {host}"
        else:
            shutil.rmtree(left, ignore_errors=True)
    return None


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _sync(descriptor: int) -> None:
    os.fsync(descriptor)


def _sync_directory(path: Path) -> None:
    if os.name == "posix":  # elsewhere a directory cannot be opened to be synced
        descriptor = os.open(path, os.O_RDONLY)
        try:
            _sync(descriptor)
        finally:
            os.close(descriptor)
