"""Metrics: what an operator may count. One object per server, never data about a user in a label.

Rates (connections a second and the like) are left to Prometheus: `rate(connections_total[1m])`.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_COMMITS_MOST = 1000
_LATENCY_MS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000)


class Metrics:
    """The counters of one server. `registry` may be given to collect more beside them."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry = registry or CollectorRegistry()
        # gateway
        self.active_connections = Gauge(
            "active_connections_total", "Sockets open now", registry=registry
        )
        self.connections = Counter("connections", "Sockets opened", registry=registry)
        self.connection_errors = Counter(
            "connection_errors", "Sockets closed by this side", ["reason"], registry=registry
        )
        # delivery
        self.messages_sent = Counter(
            "messages_sent", "Messages durably accepted", registry=registry
        )
        self.message_delivery_latency_ms = Histogram(
            "message_delivery_latency_ms",
            "From a message accepted to a device's ack of it, in milliseconds; one ack in 64",
            buckets=_LATENCY_MS,
            registry=registry,
        )
        self.delivery_failures = Counter(
            "delivery_failures", "Messages refused", ["reason"], registry=registry
        )
        self.write_latency_ms = Histogram(
            "write_latency_ms",
            "A group commit, in milliseconds",
            buckets=_LATENCY_MS,
            registry=registry,
        )
        # HTTP
        self.http_requests = Counter(
            "http_requests", "HTTP answers", ["method", "resource", "status"], registry=registry
        )

        self._commits: list[tuple[int, float]] = []

    def committed(self, accepted: int, seconds: float) -> None:
        """A group commit. Counted a thousand at a time or when asked for: a quiet server would
        spend more on counting a message than on deciding it."""
        self._commits.append((accepted, seconds))
        if len(self._commits) >= _COMMITS_MOST:
            self._count_commits()

    def _count_commits(self) -> None:
        commits, self._commits = self._commits, []
        self.messages_sent.inc(sum(accepted for accepted, _ in commits))
        for _, seconds in commits:
            self.write_latency_ms.observe(seconds * 1000)

    def text(self) -> bytes:
        """Everything in Prometheus's text format, of type CONTENT_TYPE."""
        self._count_commits()
        return generate_latest(self.registry)
