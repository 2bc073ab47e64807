"""Who works in a directory, and on which unit: record locks on bytes of one file.

The kernel holds them: forks do not inherit them, and they go with their process however it ends, so that none is ever
stale. Where a file system has none, nobody is kept out, and at worst work is done twice.
"""

from __future__ import annotations

import errno
import hashlib
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # pragma: no cover (elsewhere than on POSIX nothing is locked)
    fcntl = None  # type: ignore[assignment]

_SEATS, _SEAT = 64, 128
"""So many processes can say who they are, in so many bytes each, at the start of the file. Names are locked beyond."""
_HELD = {errno.EACCES, errno.EAGAIN}


class Locks:
    """The locks that this process holds on a file."""

    def __init__(self, file: int) -> None:
        self._file, self.key, self.users = file, _key(os.fstat(file)), 0
        self._seat = -1

    def sit(self) -> None:
        """Say who works here, unless all seats are taken."""
        if self._seat >= 0 or fcntl is None:
            return
        for seat in range(_SEATS):
            if self._lock(seat * _SEAT):
                self._seat = seat
                with suppress(OSError):  # of a full disk: then nobody knows its name
                    who = f"process {os.getpid()} on {platform.node()}".encode()[:_SEAT]
                    os.pwrite(self._file, who.ljust(_SEAT), seat * _SEAT)
                return

    def holders(self) -> list[str]:
        """Who works here at the moment."""
        return [name for seat in range(_SEATS) if (name := self._name(seat))]

    def _name(self, seat: int) -> str:
        if seat != self._seat and self._lock(seat * _SEAT):
            self._unlock(seat * _SEAT)
            return ""
        return os.pread(self._file, _SEAT, seat * _SEAT).decode(errors="replace").strip() or "another process"

    def take(self, name: str, *, wait: bool = False) -> bool:
        """Whether the name is this process's now: no other has it. With `wait`, as soon as no other has it."""
        return self._lock(_place(name), wait=wait)

    def give(self, name: str) -> None:
        """Let others have it."""
        self._unlock(_place(name))

    def _lock(self, at: int, *, wait: bool = False) -> bool:
        if fcntl is None:  # pragma: no cover
            return True
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), 1, at)
        except OSError as error:
            return error.errno not in _HELD
        return True

    def _unlock(self, at: int) -> None:
        if fcntl is not None:
            with suppress(OSError):
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, at)

    def close(self) -> None:
        """Give up all."""
        os.close(self._file)


_OPEN: dict[tuple[int, int, int], Locks] = {}
"""By process, device and inode: closing any descriptor of a file gives up all of the process's locks on it."""


@contextmanager
def locks(path: Path, *, create: bool) -> Iterator[Locks]:
    """The locks on a file, which other threads of this process share. Raises OSError."""
    try:
        found = _OPEN[_key(path.stat())]
    except (FileNotFoundError, KeyError):
        file = os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o644)
        found = Locks(file)
        _OPEN[found.key] = found
    found.users += 1
    try:
        yield found
    finally:
        found.users -= 1
        if not found.users:
            _OPEN.pop(found.key).close()


def _key(about: os.stat_result) -> tuple[int, int, int]:
    return os.getpid(), about.st_dev, about.st_ino


def _place(name: str) -> int:
    digest = hashlib.blake2b(name.encode(), digest_size=7).digest()
    return _SEATS * _SEAT + int.from_bytes(digest, "big")
