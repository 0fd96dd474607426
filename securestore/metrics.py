"""Metrics for Prometheus: what the web processes have counted, and what the database knows.

Counters are fed by the audit log, event by event as they commit, and by the log of requests: no
door can skip them. Every process of one server writes its counts into files that all of them read,
so any process may be asked. No label names a file, a person or an address. Without METRICS_TOKEN
nothing is counted, and the page does not exist.
"""

from __future__ import annotations

import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.cache import cache
from django.db.models import Count, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe

from audit import chain
from audit.announcements import recorded
from audit.events import Event
from audit.models import AuditEvent, LastRun
from files.models import DownloadSession, StoredObject, Usage
from files.vault import downloading
from notices import state as queue_state
from runtime.leases import is_running, parent

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

    from runtime.counters import Counters

log = logging.getLogger(__name__)

COUNTED_FOR = 60
"""Seconds for which the totals of objects are good: to count them is to read them all."""

SETTLED_AT_ONCE = 100
"""Idle downloads that one reading of the metrics closes, at most."""

IN, OUT = "in", "out"
TRANSFERS: dict[str, tuple[str, str, str]] = {
    Event.FILE_UPLOADED: (IN, "complete", "size"),
    Event.UPLOAD_ABORTED: (IN, "aborted", "size"),
    Event.FILE_DOWNLOADED: (OUT, "", "bytes"),
    Event.DOWNLOAD_FAILED: (OUT, "failed", "bytes"),
}
"""Of events: direction, outcome where the name says it, and the detail that has the bytes."""

FAILURES: dict[str, str] = {
    Event.SIGN_IN_FAILED: "sign_in",
    Event.LOCKED_OUT: "locked_out",
    Event.DOWNLOAD_DENIED: "denied",
    Event.ACCESS_DENIED: "denied",
    Event.WRONG_KEY: "wrong_key",
    Event.DAMAGE_FOUND: "damage",
    Event.DOWNLOAD_FAILED: "download",
    Event.UPLOAD_ABORTED: "upload",
}
"""Of events: which kind of failure each is."""

_counters: Counters | None = None


def new_counters() -> Counters:
    """Counters of what this site tells. For when PROMETHEUS_MULTIPROC_DIR is as it is to be."""
    from runtime.counters import Counters

    return Counters(TRANSFERS, FAILURES)


def start() -> None:
    """Begin to count, where a token is configured: for a process that serves, once."""
    global _counters  # noqa: PLW0603 - a process counts once, whoever asks.
    if not settings.METRICS_TOKEN or _counters is not None:
        return
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        try:
            # The library reads it when it is first imported, and at no other time.
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_folder())
        except OSError as error:
            log.error("metrics are of one process only: %s", error)
    _counters = new_counters()
    recorded.connect(_note_event, dispatch_uid="securestore.metrics")


def _folder() -> Path:
    """A folder that the processes of this server share, and no other server; those of dead ones go.

    Raises OSError, also where somebody else made it.
    """
    above = Path(tempfile.gettempdir()) / f"securestore-metrics-{os.geteuid()}"
    above.mkdir(mode=0o700, exist_ok=True)
    found = above.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise PermissionError(f"{above} is not a folder of this account alone")
    # A restarted worker has the same parent, so its server's counts go on.
    own = above / parent()
    for other in above.iterdir():
        if other != own and not is_running(other.name):
            shutil.rmtree(other, ignore_errors=True)
    own.mkdir(mode=0o700, exist_ok=True)
    return own


def _note_event(event: AuditEvent, **_kwargs: Any) -> None:
    if _counters is not None:
        _counters.note_event(event.event, event.data)


def note_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request that has ended."""
    if _counters is not None:
        _counters.note_request(method, route, status, seconds)


def note_failure(kind: str) -> None:
    """Count a part that could not be used."""
    if _counters is not None:
        _counters.failures.labels(kind).inc()


def is_authorised(request: HttpRequest) -> bool:
    """Whether the request carries the token, as a bearer (RFC 6750, 2.1)."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    right = constant_time_compare(given.strip(), settings.METRICS_TOKEN or "")
    return bool(settings.METRICS_TOKEN) and scheme.lower() == "bearer" and right


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The metrics, for who has the token; without one configured there is no such page."""
    if not settings.METRICS_TOKEN:
        raise Http404
    if not is_authorised(request):
        refusal = HttpResponse("A bearer token is needed.\n", content_type="text/plain", status=401)
        refusal["WWW-Authenticate"] = 'Bearer realm="metrics"'
        return refusal
    # Here they are counted; in the sweep's process they would not be.
    downloading.settle_idle(at_most=SETTLED_AT_ONCE)
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

    registry = CollectorRegistry()
    if _counters is not None:
        _counters.add_to(registry)
    _add_database(registry)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _add_database(registry: CollectorRegistry) -> None:
    # Asked before the registry is: what it raises is an outage, not a broken metric.
    found = list(_known_to_the_database())

    class Known:
        def collect(self) -> list[Metric]:
            return found

    registry.register(Known())


def _known_to_the_database() -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily as Gauge

    objects = Gauge("securestore_objects", "Encryptions on record", labels=["state"])
    size = Gauge("securestore_object_bytes", "Their bytes in the store", labels=["state"])
    counted = cache.get_or_set("securestore-metrics-objects", _count_objects, COUNTED_FOR) or {}
    for state in StoredObject.State.values:
        number, total = counted.get(state, (0, 0))
        objects.add_metric([state], number)
        size.add_metric([state], total)
    yield objects
    yield size
    files = Usage.objects.aggregate(n=Sum("files"))["n"] or 0
    yield Gauge("securestore_files", "Files", value=files)
    yield Gauge(
        "securestore_downloads_open",
        "Downloads that are not an event yet",
        value=DownloadSession.objects.filter(settled=False).count(),
    )
    yield Gauge("securestore_audit_head", "Number of the last event", value=chain.head().number)
    yield from _mails(Gauge)
    yield from _last_runs(Gauge)


def _count_objects() -> dict[str, tuple[int, int]]:
    rows = StoredObject.objects.values("state").annotate(n=Count("pk"), size=Sum("object_size"))
    return {row["state"]: (row["n"], row["size"] or 0) for row in rows.order_by()}


def _mails(gauge: Any) -> Iterator[Metric]:
    found = queue_state.read(timezone.now())
    mails = gauge("securestore_mails", "Mails in the queue", labels=["state"])
    mails.add_metric(["waiting"], found.waiting - found.failing)
    mails.add_metric(["failing"], found.failing)
    mails.add_metric(["given_up"], found.given_up)
    yield mails
    yield gauge(
        "securestore_mail_oldest_seconds",
        "How long the oldest mail has waited",
        value=found.oldest.total_seconds(),
    )


def _last_runs(gauge: Any) -> Iterator[Metric]:
    started = gauge("securestore_command_started_seconds", "Last start", labels=["command"])
    good = gauge("securestore_command_succeeded_seconds", "Last success", labels=["command"])
    failed = gauge(
        "securestore_command_failed", "Whether the last run did not succeed", labels=["command"]
    )
    figure = gauge(
        "securestore_command_figure", "What the last run came to", labels=["command", "figure"]
    )
    for run in LastRun.objects.order_by("name"):
        started.add_metric([run.name], run.started_at.timestamp())
        if run.succeeded_at is not None:
            good.add_metric([run.name], run.succeeded_at.timestamp())
        failed.add_metric([run.name], run.outcome not in {"complete", "running"})
        for name, value in sorted(run.figures.items()):
            if isinstance(value, int):
                figure.add_metric([run.name, name], value)
    yield from (started, good, failed, figure)
