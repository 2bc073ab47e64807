"""What refuses one request."""

from __future__ import annotations


class RefusalError(Exception):
    """A request that is refused: an HTTP status, what is wrong, and the field that it is about."""

    def __init__(self, status: int, message: str, *field: str | int) -> None:
        super().__init__(message)
        self.status, self.message, self.field = status, message, field
