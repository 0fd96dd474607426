"""What a supervisor or a load balancer asks. Answers tell no internals: the log has them."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from files import vault

log = logging.getLogger(__name__)


@require_safe
def alive(request: HttpRequest) -> HttpResponse:
    """200 while the process answers at all. Reads nothing."""
    return HttpResponse("ok", content_type="text/plain")


@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """200 when files can be stored and read; else 503, and which part fails."""
    checks = {
        "database": check_database,
        "store": vault.check_store,
        "keyring": vault.check_keyring,
    }
    parts = {part: _outcome(part, check) for part, check in checks.items()}
    ok = all(outcome == "ok" for outcome in parts.values())
    return JsonResponse(parts, status=200 if ok else 503)


def check_database() -> None:
    """Raises `django.db.Error` when the database does not answer."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _outcome(part: str, check: Callable[[], object]) -> str:
    try:
        check()
    except Exception as error:
        # Whatever it is, the part cannot be used.
        log.error("not ready: %s: %s: %s", part, type(error).__name__, error)
        return "failed"
    return "ok"
