"""The endpoints. They turn bodies into work for the writer, and what came of it into replies."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress

from fastapi import Request, Response
from fastapi.routing import APIRouter

from oo_sim.contract import REACTIONS, REWARDS
from oo_sim.generator import GenerationError
from oo_sim.serving import bodies, recommend, replies, views
from oo_sim.serving.bodies import Id
from oo_sim.serving.desk import Desk
from oo_sim.serving.edge import Metrics
from oo_sim.serving.integrations import Tokens
from oo_sim.serving.jsonroute import JsonRoute
from oo_sim.serving.ledger import Ledger, Reward, Scored, Served
from oo_sim.serving.mounts import Mount, Mounts
from oo_sim.serving.replies import RefusalError
from oo_sim.serving.store import DecisionId, Offered
from oo_sim.serving.writer import Work, Writer

_WORTH = dict(zip(REACTIONS, REWARDS, strict=True))


class Backend:
    """What the endpoints work with, from the start of the app to its end."""

    def __init__(self, writer: Writer, ledger: Ledger, desk: Desk, tokens: Tokens) -> None:
        self.writer, self.ledger, self.desk, self.tokens = writer, ledger, desk, tokens


class Api:
    """The endpoints of one app."""

    backend: Backend

    def __init__(self, mounts: Mounts, metrics: Metrics, admin_token: str | None, deadline: float) -> None:
        self._mounts, self._metrics, self._token, self._deadline = mounts, metrics, admin_token, deadline
        self._wires = {mount.label: mount.wire for mount in mounts.all.values()}

    async def score(self, body: bodies.ScoreBody) -> replies.ScoreReply:
        """Choose a candidate by `linucb-v1`."""
        return await self.score_policy("linucb", body)

    async def score_egreedy(self, body: bodies.ScoreBody) -> replies.ScoreReply:
        """Choose a candidate by `egreedy-v1`."""
        return await self.score_policy("egreedy", body)

    async def score_policy(self, policy: str, body: bodies.ScoreBody) -> replies.ScoreReply:
        """Choose a candidate by any policy that is mounted."""
        mount, context = self._mounts.find(policy), body.context
        offered = [_offered(candidate) for candidate in body.candidates]
        recommend.refuse_twice([one.id for one in offered], "candidates")
        ledger = self.backend.ledger
        scored = await self._decided(
            mount, ledger.score(mount, body.user_id, offered, context.hour_of_day, context.day_of_week)
        )
        return replies.ScoreReply(
            tip_id=offered[scored.chosen].id,
            score=scored.score,
            policy=mount.wire,
            decision_id=scored.decision_id,
            propensity=scored.propensity,
        )

    async def reward(self, body: bodies.RewardBody) -> replies.Rewarded:
        """Learn a reward under `linucb-v1`."""
        return await self.reward_policy("linucb", body)

    async def reward_egreedy(self, body: bodies.RewardBody) -> replies.Rewarded:
        """Learn a reward under `egreedy-v1`."""
        return await self.reward_policy("egreedy", body)

    async def reward_policy(self, policy: str, body: bodies.RewardBody) -> replies.Rewarded:
        """Learn a reward under any policy that is mounted."""
        mount = self._mounts.find(policy)
        if body.decision_id is not None:
            decision = DecisionId.parse(body.decision_id)
            if (decision.policy, decision.user) != (mount.label, body.user_id):
                raise RefusalError(404, f"this user has no such decision under {mount.wire}", "decision_id")
            reward = Reward(body.reward, t=decision.t, tip_id=body.tip_id)
        else:
            reward = _without_decision(mount, body)
        return await self._learn(mount, body.user_id, reward)

    async def react(self, body: bodies.ReactBody) -> replies.Rewarded:
        """Learn what a reaction to a decision's tip is worth."""
        decision = DecisionId.parse(body.decision_id)
        reward = Reward(_WORTH[body.reaction], body.reaction, decision.t)
        return await self._learn(self._mounts.find(decision.policy), decision.user, reward)

    async def recommend(self, body: bodies.RecommendBody) -> replies.Recommendation:
        """Join a user's tasks with LLM tips, and choose one of them."""
        mount, backend = self._mounts.find(body.policy), self.backend
        pool = await recommend.gather(body, backend.desk, self._deadline)
        scored = await self._decided(
            mount, backend.ledger.score(mount, body.user_id, pool.offered, pool.hour, pool.day, pool.origin)
        )
        return replies.Recommendation(
            tip=pool.tips[scored.chosen],
            decision_id=scored.decision_id,
            score=scored.score,
            propensity=scored.propensity,
            policy=mount.wire,
            prompt_version=pool.origin.prompt_version,
            llm_model=pool.origin.llm_model,
            llm_error=pool.llm_error,
        )

    async def generate(self, body: bodies.GenerateBody) -> replies.Generated:
        """Let the LLM write tips."""
        context = recommend.generation_context(body.context)
        try:
            made = await self.backend.desk.generate(context, body.n, body.user_id)
        except GenerationError as error:
            raise RefusalError(error.status, error.message) from error
        return replies.Generated(
            candidates=[
                replies.LlmCandidate(
                    id=tip.id, given_id=tip.given_id, content=tip.content, rationale=tip.rationale or None
                )
                for tip in made.candidates
            ],
            model=made.model,
            prompt_tokens=made.prompt_tokens,
            completion_tokens=made.completion_tokens,
            prompt_version=made.prompt_version,
        )

    async def health(self) -> replies.Ok:
        """Whether the server answers."""
        return replies.Ok()

    async def integrations(self) -> replies.Integrations:
        """What the tokens of other services are worth, as last found out: no call goes out for this one."""
        return self.backend.tokens.look()

    async def stats(self, user_id: Id) -> replies.Stats:
        """A user under `linucb-v1`."""
        return await self.stats_policy("linucb", user_id)

    async def stats_egreedy(self, user_id: Id) -> replies.Stats:
        """A user under `egreedy-v1`."""
        return await self.stats_policy("egreedy", user_id)

    async def stats_policy(self, policy: str, user_id: Id) -> replies.Stats:
        """A user under any policy that is mounted."""
        backend = self.backend
        return await backend.writer.submit(views.stats(self._mounts.find(policy), user_id))

    async def stats_query(self, user_id: Id, policy: str = "linucb") -> replies.Stats:
        """The same for ids that hold a slash."""
        return await self.stats_policy(policy, user_id)

    async def features(self, user_id: Id) -> replies.History:
        """A user's last 100 decisions, oldest first."""
        backend = self.backend
        return await backend.writer.submit(views.history(self._wires, user_id))

    async def reset(self, user_id: Id, request: Request) -> replies.Ok:
        """Forget a user: every policy's state, and the history."""
        self._authorise(request)
        backend = self.backend
        await backend.writer.submit(backend.ledger.reset(user_id))
        self._metrics.resets.inc()
        return replies.Ok()

    async def metrics(self) -> Response:
        """Counters and latencies of this worker process, as Prometheus reads them."""
        return self._metrics.reply()

    async def _decided(self, mount: Mount, work: Work[Scored]) -> Scored:
        scored = await self.backend.writer.submit(work)
        self._metrics.decisions[mount.label].inc()
        return scored

    async def _learn(self, mount: Mount, user: str, reward: Reward) -> replies.Rewarded:
        new = await self.backend.writer.submit(self.backend.ledger.reward(mount, user, reward))
        self._metrics.rewards[mount.label].inc(new)
        return replies.Rewarded(duplicate=not new)

    def _authorise(self, request: Request) -> None:
        """Refuse (401, 403) whoever may not reset users: with a token all who do not bring it, without one all who
        are not on this machine, and web pages that are open on it."""
        if self._token is not None:
            given = request.headers.get("authorization", "")
            if not hmac.compare_digest(_digest(given), _digest(f"Bearer {self._token}")):
                raise RefusalError(401, "a reset needs `Authorization: Bearer` with the admin token")
        elif not _is_loopback(request) or "origin" in request.headers:
            raise RefusalError(403, "resets are for this machine alone; set OO_ADMIN_TOKEN to allow them from others")


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _is_loopback(request: Request) -> bool:
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _offered(candidate: bodies.Candidate) -> Offered:
    f = candidate.features
    return Offered(candidate.id, candidate.source, candidate.source_id, f.is_overdue, f.task_age_days, f.priority)


def _without_decision(mount: Mount, body: bodies.RewardBody) -> Reward:
    """The contract's reward: its vector is made from its own features."""
    if not mount.reward_suffices:
        raise RefusalError(
            422, f"the features of {mount.wire} need more than a reward carries: name the decision_id", "decision_id"
        )
    if body.features is None:
        raise RefusalError(422, "required where there is no decision_id", "features")
    f = body.features
    tip = Offered(body.tip_id, None, None, f.is_overdue, f.task_age_days, f.priority)
    return Reward(body.reward, said=Served(tip, f.hour_of_day, body.day_of_week))


def add_routes(routes: APIRouter, api: Api) -> None:
    """Add all routes, the busiest first. They go on the app's own router: one inside another costs another match."""
    routes.route_class = JsonRoute
    post, get = routes.post, routes.get
    post("/score")(api.score)
    post("/reward")(api.reward)
    post("/score/egreedy")(api.score_egreedy)
    post("/reward/egreedy")(api.reward_egreedy)
    post("/score/{policy}")(api.score_policy)
    post("/reward/{policy}")(api.reward_policy)
    post("/recommend")(api.recommend)
    post("/react")(api.react)
    post("/generate")(api.generate)
    get("/health")(api.health)
    get("/integrations")(api.integrations)
    get("/stats")(api.stats_query)
    get("/stats/{user_id}")(api.stats)
    get("/stats/egreedy/{user_id}")(api.stats_egreedy)
    get("/stats/{policy}/{user_id}")(api.stats_policy)
    get("/features", response_model_exclude_unset=True)(api.features)
    get("/features/{user_id}", response_model_exclude_unset=True)(api.features)
    post("/reset")(api.reset)
    post("/reset/{user_id}")(api.reset)
    get("/metrics", response_class=Response)(api.metrics)
