"""Counters and latencies of one worker process, in the Prometheus text format (version 0.0.4)."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0)
"""Upper bounds of the latency buckets in seconds."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """What happened so far. All calls come from the event loop's thread."""

    def __init__(self, policies: Iterable[str]) -> None:
        self.decisions = Counter(dict.fromkeys(policies, 0))
        self.rewards = Counter(dict.fromkeys(policies, 0))
        self.resets = 0
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._latencies: dict[str, list[int]] = {}
        self._seconds: Counter[str] = Counter()

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request; `route` is the path's template, of which there are few."""
        self._requests[method, route, status] += 1
        counts = self._latencies.setdefault(route, [0] * (len(BUCKETS) + 1))
        counts[bisect_left(BUCKETS, seconds)] += 1
        self._seconds[route] += seconds  # type: ignore[assignment]

    def text(self) -> str:
        """All metrics as text."""
        lines = [
            *_counter("oo_sim_decisions_total", "Decisions made.", _by_policy(self.decisions)),
            *_counter("oo_sim_rewards_total", "Rewards learned.", _by_policy(self.rewards)),
            *_counter("oo_sim_resets_total", "Users reset.", {"": self.resets}),
            *_counter(
                "oo_sim_requests_total",
                "Requests answered.",
                {
                    f'{{method="{_escaped(method)}",route="{_escaped(route)}",status="{status}"}}': count
                    for (method, route, status), count in sorted(self._requests.items())
                },
            ),
            *self._histograms(),
        ]
        return "\n".join(lines) + "\n"

    def _histograms(self) -> Iterator[str]:
        name = "oo_sim_request_seconds"
        yield f"# HELP {name} Time from a request's first byte to its answer's last."
        yield f"# TYPE {name} histogram"
        for route, counts in sorted(self._latencies.items()):
            label, total = f'route="{_escaped(route)}"', 0
            for bound, count in zip((*map(str, BUCKETS), "+Inf"), counts, strict=True):
                total += count
                yield f'{name}_bucket{{{label},le="{bound}"}} {total}'
            yield f"{name}_sum{{{label}}} {self._seconds[route]:.6f}"
            yield f"{name}_count{{{label}}} {total}"


def _by_policy(counts: Mapping[str, int]) -> dict[str, int]:
    return {f'{{policy="{_escaped(policy)}"}}': count for policy, count in counts.items()}


def _counter(name: str, text: str, values: Mapping[str, int]) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} counter"
    for labels, value in values.items():
        yield f"{name}{labels} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
