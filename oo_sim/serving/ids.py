"""Decision ids: `{policy}/{replicate}/{t}/{user_id}`, the same in a served log as in a simulated one."""

from __future__ import annotations

import re
from typing import NamedTuple

from oo_sim.serving.errors import RefusalError

_ID = re.compile(r"([^/]+)/0/(0|[1-9][0-9]{0,9})/(.+)", re.DOTALL)


class DecisionId(NamedTuple):
    """A served decision: the policy's label, the user's decision number under it, the user."""

    policy: str
    t: int
    user: str

    def __str__(self) -> str:
        return f"{self.policy}/0/{self.t}/{self.user}"


def parse_decision_id(text: str) -> DecisionId:
    """The parts of a decision id. Raises RefusalError (404): what was never handed out is not known."""
    if not (match := _ID.fullmatch(text)):
        raise RefusalError(404, "no such decision", "decision_id")
    return DecisionId(match[1], int(match[2]), match[3])
