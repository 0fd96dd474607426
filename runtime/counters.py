"""What a web process counts. Import it only when PROMETHEUS_MULTIPROC_DIR is as it is to be.

Labels come from our own code alone: names of routes, events and outcomes. None may come from a
client, which could make any number of them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.multiprocess import MultiProcessCollector

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
REQUEST_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600)
TRANSFER_SECONDS = (0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 6 * 3600, 24 * 3600)


class Counters:
    """The counters of this process.

    Of events by their names: `transfers` says of some their direction, their outcome where the name
    says it, and the detail that has the bytes; `failures`, which kind of failure one is.
    """

    def __init__(
        self, transfers: Mapping[str, tuple[str, str, str]], failures: Mapping[str, str]
    ) -> None:
        self._transfers, self._failures = transfers, failures
        self._registry = CollectorRegistry()
        self.requests = self._counter("requests", "Requests", "method", "route", "status")
        self.request_seconds = self._histogram(
            "request_duration_seconds", "How long requests took", REQUEST_SECONDS, "route"
        )
        self.transfers = self._counter("transfers", "Transfers", "direction", "outcome")
        self.bytes = self._counter("transfer_bytes", "Bytes transferred", "direction")
        self.transfer_seconds = self._histogram(
            "transfer_duration_seconds", "How long transfers took", TRANSFER_SECONDS, "direction"
        )
        self.failures = self._counter("failures", "What went wrong or was refused", "kind")
        self.events = self._counter("audit_events", "Events of the audit log", "event")

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"securestore_{name}", text, labels, registry=self._registry)

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(
            f"securestore_{name}", text, labels, buckets=buckets, registry=self._registry
        )

    def add_to(self, registry: CollectorRegistry) -> None:
        """Let a registry tell them: those of every process of the server where they are shared."""
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        else:
            registry.register(self._registry)

    def note_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; a method that nobody knows is one of many."""
        known = method if method in METHODS else "other"
        self.requests.labels(known, route, str(status)).inc()
        self.request_seconds.labels(route).observe(seconds)

    def note_event(self, name: str, details: Mapping[str, Any]) -> None:
        """Count an event, and the transfer or failure that it tells of."""
        self.events.labels(name).inc()
        if (kind := self._failures.get(name)) is not None:
            self.failures.labels(kind).inc()
        if (transfer := self._transfers.get(name)) is None:
            return
        direction, outcome, size = transfer
        self.transfers.labels(direction, outcome or str(details.get("outcome"))).inc()
        self.bytes.labels(direction).inc(int(details.get(size) or 0))
        if (taken := details.get("ms")) is not None:
            self.transfer_seconds.labels(direction).observe(int(taken) / 1000)
