# ruff: noqa: E501
"""Faults as edits of the real source, over every room: each is a slip that a person could make.

`plant.py` makes a copy of the package with one of them and asks the tests, the audit and the gate's matrix.
"""

from __future__ import annotations

from typing import NamedTuple


class Edit(NamedTuple):
    """In `file`, below `oo_sim/`, the one place that reads `old` becomes `new`; `tests` are those of its room."""

    file: str
    old: str
    new: str
    tests: str

    @property
    def room(self) -> str:
        """The room of the package that it is in."""
        return self.file.partition("/")[0].removesuffix(".py")


def _in(file: str, tests: str, *pairs: tuple[str, str]) -> list[Edit]:
    return [Edit(file, old, new, tests) for old, new in pairs]


EDITS: list[Edit] = [
    *_in(
        "kernels/ridge.py",
        "tests/kernels",
        ("half, p = 0.0, 0\n", "half, p = 1e-7, 0\n"),
        ("    return 2.0 * half\n", "    return half\n"),
        ("gain, error = np.ones(n), reward.copy()", "gain, error = 2.0 * np.ones(n), reward.copy()"),
        ("error[i] -= x[a, i] * theta[a, i]", "error[i] += x[a, i] * theta[a, i]"),
        ("inverse[p, i] -= gain[i] * v[a, i] * v[c, i]", "inverse[p, i] -= gain[i] * v[a, i] * v[a, i]"),
        ("mean[k, i] += alpha * np.sqrt(variance[k, i])", "mean[k, i] += alpha * variance[k, i]"),
        ("gain[i] = 1.0 / gain[i] if learn[i] else 0.0", "gain[i] = 1.0 / gain[i]"),
        ("factor[start + b, i] /= factor[start, i]", "factor[start + b, i] *= factor[start, i]"),
        ("out[b, i] += factor[p, i] * z[a, i]", "out[b, i] += factor[p, i] * z[b, i]"),
    ),
    *_in(
        "kernels/choice.py",
        "tests/kernels",
        ("better = score > top[i]", "better = score >= top[i]"),
        ("score = scores[k, i] if mask[k, i] else -np.inf", "score = scores[k, i]"),
        ("share[i] = epsilon[i] / share[i]", "share[i] = epsilon[i] / K"),
        ("1.0 - epsilon[i] if best[i] == k else 0.0", "1.0 - share[i] if best[i] == k else 0.0"),
        ("weight = exp((scores[k, i] - top[i]) / temperature)", "weight = exp((scores[k, i] - top[i]) * temperature)"),
        ("index[i] += 1 if sums[i] <= uniform[0, i] else 0", "index[i] += 1 if sums[i] <= uniform[1, i] else 0"),
        ("flag[i] = uniform[1, i] * total[k, i] < explored[k, i]", "flag[i] = uniform[1, i] < explored[k, i]"),
        ("propensity[i] = total[k, i]", "propensity[i] = total[0, i]"),
        ("            total[k, i] /= M\n", "            total[k, i] /= M + 1\n"),
    ),
    *_in(
        "kernels/gaps.py",
        "tests/policies",
        ("share = 1.0 / (standing[i] + gamma[i] * gap)", "share = 1.0 / (K + gamma[i] * gap)"),
        ("rest[i] -= explored[k, i]", "rest[i] -= share"),
        ("out[i] = exp(exponent * log(base[i]))", "out[i] = exp(exponent + log(base[i]))"),
    ),
    *_in(
        "kernels/weighted.py",
        "tests/policies",
        ("gain[i] = weight[i] / (1.0 + weight[i] * spread[i])", "gain[i] = weight[i] / (1.0 + spread[i])"),
        ("curvature[i] = p * (1.0 - p) if learn[i] else 0.0", "curvature[i] = p if learn[i] else 0.0"),
        ("step[i] = target[i] - p if learn[i] else 0.0", "step[i] = p - target[i] if learn[i] else 0.0"),
        ("NEWTON_STEPS = 20", "NEWTON_STEPS = 2"),
    ),
    *_in(
        "kernels/window.py",
        "tests/policies",
        ("gone = number >= 0.0 and number <= limit[i]", "gone = number >= 0.0 and number < limit[i]"),
        ("entry[rows - 2, i] *= weight[i]", "entry[rows - 2, i] *= 1.0"),
    ),
    *_in(
        "kernels/gram.py",
        "tests/policies",
        ("variance[k, i] += 2.0 * squared[p, i] * z[a, i] * z[c, i]", "variance[k, i] += squared[p, i] * z[a, i] * z[c, i]"),
        ("gram[p, i] += weight[i] * (x[a, i] * x[c, i])", "gram[p, i] += x[a, i] * x[c, i]"),
        ("1.0 / np.sqrt(factor[start, i] + prior)", "1.0 / np.sqrt(factor[start, i] + 1.0)"),
    ),
    *_in(
        "kernels/philox.py",
        "tests/kernels",
        ("_32) ^ c3 ^ k1, p0 & LOW\n        k0 = (k0 + _W0)", "_32) ^ c3 ^ k1, p0 & LOW\n        k0 = (k0 + _W1)"),
        ("_real(low >> _6)) * _TO_UNIT", "_real(low >> _5)) * _TO_UNIT"),
    ),
    *_in(
        "kernels/encode.py",
        "tests/kernels",
        ("min(max(age[k, i], 0.0), AGE_LIMIT) / AGE_LIMIT", "min(age[k, i], AGE_LIMIT) / AGE_LIMIT"),
        ("x[k, 4, i] = (priority[k, i] - 1.0) / 3.0", "x[k, 4, i] = priority[k, i] / 3.0"),
        ("AGE_LIMIT = 30.0", "AGE_LIMIT = 31.0"),
        ("spread(DAY_SIN, day, 5, x)", "spread(DAY_COS, day, 5, x)"),
        ("x[k, 7, i] = is_llm[k, i]", "x[k, 7, i] = 1.0 - is_llm[k, i]"),
        ("x[k, p, i] = x[k, c, i] * x[k, a, i]", "x[k, p, i] = x[k, c, i] + x[k, a, i]"),
    ),
    *_in(
        "kernels/pending.py",
        "tests/engine",
        ("delay[i] = low + np.int64(uniform[i] * (high - low + 1))", "delay[i] = low + np.int64(uniform[i] * (high - low))"),
        ("log_stay = log(mean / (1.0 + mean))", "log_stay = log(1.0 / (1.0 + mean))"),
        ("for age in range(W - 1, -1, -1):", "for age in range(W):"),
        ("            due[w, i] = EMPTY\n", "            due[w, i] = NOT_DUE\n"),
    ),
    *_in(
        "kernels/tips.py",
        "tests/worlds",
        ("for j in range(len(cdf) - 1):", "for j in range(len(cdf) - 2):"),
        ("days = np.floor(days) if whole else days", "days = np.ceil(days) if whole else days"),
        ("age[k, i] = days if dated[k, i] > 0.0 else 0.0", "age[k, i] = days"),
        ("overdue[k, i] = 1.0 if age[k, i] > 0.0 else 0.0", "overdue[k, i] = 1.0 if age[k, i] >= 0.0 else 0.0"),
        ("mask[k, i] = k < tasks[i] + tips[i]", "mask[k, i] = k <= tasks[i] + tips[i]"),
        ("is_llm[k, i] = 1.0 if beyond and mask[k, i] else 0.0", "is_llm[k, i] = 1.0 if mask[k, i] else 0.0"),
        ("slope[2, i] /= 3.0", "slope[2, i] /= 4.0"),
        ("learn[i] = uniform[1, i] >= silence", "learn[i] = uniform[0, i] >= silence"),
        ("reward[i] = _REWARDS[reaction[i]]", "reward[i] = _REWARDS[code]"),
        ("best[i] = max(best[i], value if mask[i] else -np.inf)", "best[i] = max(best[i], value)"),
        ("values[k, i] = low + (high - low) * values[k, i]", "values[k, i] = low + high * values[k, i]"),
        ("return answers * (1.0 - _STEP * below)", "return 1.0 - _STEP * below"),
    ),
    *_in(
        "kernels/tally.py",
        "tests/engine",
        ("got[1, i] = value if active[i] else 0", "got[1, i] = value"),
        ("totals[3, i] += 1 if active[i] else 0", "totals[3, i] += 1"),
    ),
    *_in(
        "kernels/tipbank.py",
        "tests/worlds",
        ("serial[k, i] = serial[source, i]", "serial[k, i] = source"),
        ("for k in range(tasks[i], standing):", "for k in range(tasks[i], standing - 1):"),
    ),
    *_in(
        "kernels/vectors.py",
        "tests/worlds",
        ("for a in range(d + 2):", "for a in range(d):"),
        ("expected[k, i] += x[k, a, i] * theta[a, i]", "expected[k, i] += x[k, 0, i] * theta[a, i]"),
    ),
    *_in(
        "policies/swlinucb.py",
        "tests/policies",
        ("learning.learn & (learning.t_now - decided < window)", "learning.learn & (learning.t_now - decided <= window)"),
        ("ring.leave(state.kept, t % window, t - window,", "ring.leave(state.kept, t % window, t - window - 1,"),
    ),
    *_in(
        "policies/restart_linucb.py",
        "tests/policies",
        ("(learning.t_now + 1) // period)", "learning.t_now // period)"),
        ("learning.learn & (decided // period == state.epoch)", "learning.learn"),
    ),
    *_in(
        "policies/dlinucb.py",
        "tests/policies",
        ("(gamma, gamma * gamma, gamma)", "(gamma, gamma, gamma)"),
        ("log_gamma * (learning.t_now - learning.t_decided)", "log_gamma * (learning.t_now - learning.t_now)"),
        ("gram.add_outer(state.squared, learning.x, weight * weight)", "gram.add_outer(state.squared, learning.x, weight)"),
    ),
    *_in(
        "policies/bootstrap_ts.py",
        "tests/policies",
        ("np.where((noise < 0.5) & learning.learn, 2.0, 0.0)", "np.where((noise < 0.5) & learning.learn, 1.0, 0.0)"),
        ("* (spread / np.sqrt(prior))", "* spread * np.sqrt(2.0)"),
    ),
    *_in(
        "policies/linucb_hybrid.py",
        "tests/policies",
        ("state.inverse[mixed] = sharing / prior", "state.inverse[mixed] = 0.0"),
        ("prior / (1.0 + sharing))(n)", "prior)(n)"),
    ),
    *_in(
        "policies/linucb_disjoint.py",
        "tests/policies",
        ("enumerate((~tip, tip))", "enumerate((tip, ~tip))"),
        ("learn=learning.learn & of_kind", "learn=learning.learn"),
    ),
    *_in(
        "policies/thompson.py",
        "tests/policies",
        ("        z *= scale\n", "        z *= scale * scale\n"),
        ("z[m * d : (m + 1) * d]", "z[:d]"),
    ),
    *_in(
        "policies/logistic_ts.py",
        "tests/policies",
        ("(learning.reward + 1.0) / 2.0", "learning.reward / 2.0"),
    ),
    *_in(
        "policies/explore.py",
        "tests/policies",
        ("return np.sqrt(1.0 + u)", "return 1.0 + np.sqrt(u)"),
        ("return _power(1.0 + u, 1.0 / 3.0)", "return _power(1.0 + u, 0.5)"),
        ("np.asarray(batch.t + 1.0, np.float64), exponent)", "np.asarray(batch.t + 2.0, np.float64), exponent)"),
    ),
    *_in(
        "policies/ridge.py",
        "tests/policies",
        ("np.cumsum([0, *range(d, 1, -1)])[:d]] = 1.0 / prior", "np.cumsum([0, *range(d, 1, -1)])[:d]] = prior"),
    ),
    *_in(
        "decide.py",
        "tests/policies",
        ("uniform = draws.uniforms(philox.DECIDE, t, 2)", "uniform = draws.uniforms(philox.SCORE, t, 2)"),
    ),
    *_in(
        "worlds/clock.py",
        "tests/worlds",
        ("today + (now - spec.from_hour) / 24.0", "today + now / 24.0"),
        ("hour[:], day[:] = now, today % 7", "hour[:], day[:] = now, (today + 1) % 7"),
    ),
    *_in(
        "worlds/drift.py",
        "tests/worlds",
        ("float(t >= spec.abrupt.at)", "float(t > spec.abrupt.at)"),
        ("(spec.gradual.end - spec.gradual.start)", "spec.gradual.end"),
        ("members & (uniform < spec.share)", "members"),
        ("* change.concerned * change.named", "* change.concerned"),
        ("np.sqrt(world.clock.decisions_per_day)", "world.clock.decisions_per_day"),
    ),
    *_in(
        "worlds/fatigue.py",
        "tests/worlds",
        ("appetite.sources[source, lanes] += spec.source", "appetite.sources[source, lanes] = spec.source"),
        ("out[_IS_LLM] += tips - tasks", "out[_IS_LLM] += tips"),
        ("exp(-_LN2 / spec.half_life)", "exp(-1.0 / spec.half_life)"),
    ),
    *_in(
        "worlds/dynamics.py",
        "tests/worlds",
        ("(presence.comes <= t) & ~presence.gone", "(presence.comes < t) & ~presence.gone"),
        ("presence.bad >= spec.bad_reactions", "presence.bad > spec.bad_reactions"),
        ("(reaction >= 0) & (reaction < _BAD)", "reaction < _BAD + 1"),
    ),
    *_in(
        "worlds/tips.py",
        "tests/worlds",
        ("state.arrived[lanes] += 1", "state.arrived[lanes] += 2"),
        ("tasks.due[slots, lanes] = state.now[lanes] + due[0, lanes]", "tasks.due[slots, lanes] = due[0, lanes]"),
        ("uniform * (span.max - span.min + 1)", "uniform * (span.max - span.min)"),
        ("1.0 - plan.spec.reactions.no_reaction,", "1.0,"),
    ),
    *_in(
        "worlds/linear.py",
        "tests/worlds",
        ("(1.0 + mean) / 2.0, 1.0, -1.0)", "1.0 + mean, 1.0, -1.0)"),
        ("mean + spec.noise_sd *", "mean + spec.noise_sd * spec.noise_sd *"),
    ),
    *_in(
        "worlds/feedback.py",
        "tests/worlds",
        ('for source in ("task", "llm")', 'for source in ("llm", "task")'),
    ),
    *_in(
        "engine/feedback.py",
        "tests/engine",
        ("delay <= self._feedback.window", "delay < self._feedback.window"),
        ("(1.0 - f.missing) * (1.0 - by_reaction)", "(1.0 - f.missing)"),
        ("uniform[1] >= self._missing", "uniform[0] >= self._missing"),
        ("        learn = response.learn & active\n", "        learn = response.learn\n"),
    ),
    *_in(
        "engine/run.py",
        "tests/engine",
        ("now += 1 if active is everybody else active", "now += 1"),
        ("draws.uniforms(philox.UPDATE, learned.learning.t_decided,", "draws.uniforms(philox.UPDATE, now,"),
    ),
    *_in(
        "logs/recorder.py",
        "tests/logs",
        ("            self._seq += learn[:n]\n", "            self._seq += 1\n"),
        ("rows = np.flatnonzero(keep)", "rows = np.flatnonzero(keep)[:-1]"),
    ),
    *_in(
        "logs/events.py",
        "tests/logs",
        ('"expected_reward": pa.array(expected)', '"expected_reward": pa.array(best)'),
        ("_flat(c.is_overdue, c.mask) != 0", "_flat(c.is_overdue, c.mask) == 0"),
        ("_flat(decision.probs, mask)", "_flat(decision.probs, mask)[::-1]"),
    ),
    *_in(
        "stats/intervals.py",
        "tests/stats",
        ("0.5 + level / 2)) * math.sqrt(variance / n)", "level)) * math.sqrt(variance / n)"),
        ("tail = (1 - level) / 2", "tail = 1 - level"),
        ("share * (1 - share) / n + z2 / (4 * n * n)", "share * (1 - share) / n"),
    ),
    *_in(
        "stats/paired.py",
        "tests/stats",
        ("error = math.sqrt(float((above + below).var(ddof=1)) / n)", "error = math.sqrt(float(above.var(ddof=1)) / n)"),
        ("2.0 * float(special.stdtr(n - 1, -abs(mean / error)))", "float(special.stdtr(n - 1, -abs(mean / error)))"),
    ),
    *_in(
        "serving/ledger.py",
        "tests/serving",
        ("now = model.decisions - 1\n", "now = model.decisions\n"),
        ("now if reward.t is None else reward.t, now,", "now, now,"),
        ("    if taken.reward is not None:\n", "    if taken.reward:\n"),
        ("    if taken.t < model.since:\n", "    if taken.t < 0:\n"),
        ("                    since=model.decisions,\n", ""),
    ),
    *_in(
        "serving/export.py",
        "tests/serving",
        ("[row for _, row in group]", "[row for n, row in group if n % ROWS]"),
        ('"chosen", "propensity", "score", "explored")', '"chosen", "propensity", "score")'),
    ),
    *_in(
        "generator/bank/record.py",
        "tests/generator/test_bank_refused.py",
        ("return one.failure is None or not one.failure.startswith(unanswered)", "return one.failure is None"),
    ),
    *_in(
        "generator/bank/files.py",
        "tests/generator/test_bank.py",
        ('whole = found[: found.rfind(b"\\n") + 1]', "whole = found"),
        ("        if here != there:", "        if here == there:"),
    ),
    *_in(
        "generator/bank/batch.py",
        "tests/generator/test_bank_refused.py",
        ("self._tokens >= limit and more", "self._tokens > limit and more"),
    ),
    *_in(
        "generator/bank/batch.py",
        "tests/generator/test_bank.py",
        ("        self._lost.clear()\n", ""),
    ),
    *_in(
        "tipbanks.py",
        "tests/tipbanks",
        ("        t = at % scenario.rounds\n", "        t = at // scenario.users\n"),
    ),
    *_in(
        "serving/lanes.py",
        "tests/serving",
        ("np.uint64(0), hash_users", "np.uint64(1), hash_users"),
    ),
]  # fmt: skip
