"""What callers get: replies, and why a request is refused."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from oo_sim.generator.todoist import TokenStatus


class RefusalError(Exception):
    """A request that is refused: an HTTP status, what is wrong, the field that it is about, and after how many seconds
    it may be tried again."""

    def __init__(self, status: int, message: str, *field: str | int, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.field, self.retry_after = status, message, field, retry_after


class Reply(BaseModel):
    """The settings of all replies."""

    model_config = ConfigDict(frozen=True)


class Ok(Reply):
    """Done, and durable."""

    ok: Literal[True] = True


class Rewarded(Ok):
    """Learned; `duplicate` where the same reward had been learned before."""

    duplicate: bool = False


class ScoreReply(Reply):
    """The tip to serve. `propensity` is the probability that it was chosen with, null where that is not known."""

    tip_id: str
    score: float
    policy: str
    decision_id: str
    propensity: float | None


class Stats(Reply):
    """A user under a policy. `exploration_rate` is null where the policy has no such notion."""

    user_id: str
    pulls: int
    reward_count: int
    cumulative_reward: float
    estimated_mean_reward: float
    theta: list[float]
    last_updated: str | None
    policy: str
    exploration_rate: float | None
    feature_labels: list[str]


class ShownFeatures(Reply):
    """The raw features of the tip that was served. Which are shown depends on the policy."""

    hour_of_day: int
    is_overdue: bool
    task_age_days: float
    priority: int
    day_of_week: int | None = None
    exploring: bool | None = None


class Shown(Reply):
    """A decision in a user's history."""

    ts: str
    features: ShownFeatures
    score: float
    tip_id: str
    policy: str
    decision_id: str


class History(Reply):
    """A user's last 100 decisions, oldest first."""

    user_id: str
    history: list[Shown]


class LlmCandidate(Reply):
    """A tip that an LLM wrote. `given_id` is what it called it, where that was no id to use."""

    id: str
    given_id: str | None = None
    content: str
    source: Literal["llm"] = "llm"
    rationale: str | None = None


class Generated(Reply):
    """Tips and what they took."""

    candidates: list[LlmCandidate]
    model: str
    prompt_tokens: int
    completion_tokens: int
    prompt_version: str


class Tip(Reply):
    """The tip to show. `given_id` is what an LLM called it, where that was no id to use."""

    id: str
    given_id: str | None = None
    content: str
    kind: Literal["task", "advice"]
    source: Literal["todoist", "llm"]
    rationale: str | None


class Recommendation(Reply):
    """A tip and how it was chosen. `llm_error` says why no LLM tips took part."""

    tip: Tip
    decision_id: str
    score: float
    propensity: float | None
    policy: str
    prompt_version: str | None
    llm_model: str | None
    llm_error: str | None = None


class Integration(Reply):
    """What a token is worth, as it was found `age_seconds` ago (null: not yet): null where that is not known. `error`
    says why the last attempt to find out told nothing; the next one is made when `age_seconds` is over the maximum."""

    token_status: TokenStatus | None
    age_seconds: float | None
    max_age_seconds: float
    error: str | None


class Integrations(Reply):
    """The services that tasks come from."""

    todoist: Integration


class Problem(Reply):
    """One thing that is wrong with a request, and where."""

    loc: list[str | int]
    msg: str
    type: str


class Problems(Reply):
    """Why a request is refused."""

    detail: list[Problem] | str
    request_id: str | None = None
