"""The audit log and the report of master keys, for those who may read them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Router
from ninja.params.functions import Query

import audit
from accounts import limits
from audit import Event, chain
from audit.models import AuditEvent
from files.access.permissions import Permission
from files.access.principals import Scope
from files.rotation import key_report
from files.web.api.answers import answers
from files.web.api.entrance import Needs, require, require_unbound, token_of, user_of
from files.web.api.problems import Problem
from files.web.api.shapes.common import Moment
from files.web.api.shapes.contents import KeyOut, KeysOut
from files.web.api.shapes.events import EventOut, EventsOut

router = Router(tags=["reports"])

AUDIT = Needs(Scope.AUDIT)
MOST = 1000
TOLD_EVERY = 3600
"""Seconds for which one event tells that a program fetches the log, however often it asks."""


@router.get(
    "/audit", operation_id="listAuditEvents", auth=AUDIT, response=answers({200: EventsOut})
)
def read_audit(
    request: HttpRequest,
    after: int = Query(0, ge=0, le=2**62),
    limit: int = Query(200, ge=1, le=MOST),
    event: str | None = Query(None, max_length=40),
    file: UUID | None = None,
    actor: str | None = Query(None, max_length=150),
    since: Moment | None = None,
    until: Moment | None = None,
) -> Any:
    """Events by their number, from after one; ask again later for what has happened since."""
    _require_staff(request, Permission.READ_LOG)
    events = AuditEvent.objects.filter(id__gt=after).order_by("id")
    if event is not None:
        events = events.filter(event=event.replace("\0", ""))
    if file is not None:
        events = events.filter(file_id=file)
    if actor is not None:
        events = events.filter(actor_name=actor.replace("\0", ""))
    if since is not None:
        events = events.filter(at__gte=since)
    if until is not None:
        events = events.filter(at__lt=until)
    found = list(events.values(*chain.FIELDS, "mac")[: limit + 1])
    shown, more = found[:limit], len(found) > limit
    _note_export(request)
    return {
        "events": [EventOut(**one) for one in shown],
        "next": shown[-1]["id"] if shown else after,
        "more": more,
    }


def _note_export(request: HttpRequest) -> None:
    if limits.is_news(f"audit:{token_of(request).pk}", TOLD_EVERY):
        told = request.GET.urlencode()
        audit.record(Event.AUDIT_EXPORTED, actor=user_of(request), format="api", chosen_by=told)


@router.get("/keys", operation_id="listMasterKeys", auth=AUDIT, response=answers({200: KeysOut}))
def read_keys(request: HttpRequest) -> Any:
    """What each master key protects. Nothing is unwrapped for it."""
    _require_staff(request, "files.view_masterkey")
    return {
        "keys": [
            KeyOut(**{name: getattr(line, name) for name in KeyOut.model_fields})
            for line in key_report.report()
        ]
    }


def _require_staff(request: HttpRequest, permission: str) -> None:
    if not user_of(request).is_staff:
        raise Problem("no_permission", "That is for administrators.")
    require(request, permission)
    require_unbound(request)
