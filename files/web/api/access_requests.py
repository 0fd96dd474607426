"""Requests for access: to ask, to see what is asked, and to answer."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest
from django.utils import timezone
from ninja import Router
from ninja.params.functions import Query
from ninja.responses import Status

from accounts import limits
from files.access.principals import Person, Scope
from files.access.rule import folders_visible_to, visible_to
from files.models import AccessRequest, FileRecord, Folder
from files.sharing import asking
from files.sharing.granting import Terms
from files.web.api.answers import IDEMPOTENT, answers, once, once_found
from files.web.api.entrance import Needs, program_of, require_unbound, user_of
from files.web.api.problems import Problem
from files.web.api.shapes.access_requests import (
    AccessAnswerIn,
    AccessAskIn,
    AccessDeclineIn,
    AccessRequestsOut,
    OwnAccessRequestOut,
    OwnAccessRequestsOut,
    access_request_out,
    own_access_request_out,
)
from files.web.api.shapes.grants import GrantOut, grant_out

router = Router(tags=["access requests"])

READ, SHARE = Needs(Scope.READ), Needs(Scope.SHARE)
MOST = 100


@router.post(
    "", operation_id="askForAccess", auth=READ, response=answers({202: OwnAccessRequestOut})
)
def ask_for_access(request: HttpRequest, new: AccessAskIn) -> Any:
    """Ask for access to an id; the answer is the same whether there is anything or not.

    Asked twice it is one request. Those who may share it are told, if it exists.
    """
    require_unbound(request)
    user = user_of(request)
    if (new.file is None) == (new.folder is None):
        raise Problem("invalid", "Name a file or a folder, and not both.")
    wanted = new.file or new.folder
    kind = AccessRequest.Kind.FILE if new.file else AccessRequest.Kind.FOLDER
    if wanted is None:  # An id of zeros is one: only nothing is nothing.
        raise Problem("invalid", "Name a file or a folder.")
    visible: Any = (visible_to if new.file else folders_visible_to)(Person(user))
    if visible.filter(pk=wanted).exists():
        raise Problem("invalid", "You can read that already.")
    limits.ACCESS_REQUESTS.take(request, user=user.pk)
    row = asking.ask(user, kind, wanted, new.reason)
    return Status(202, own_access_request_out(asking.Own(row, None)))


@router.get(
    "/mine",
    operation_id="listOwnAccessRequests",
    auth=READ,
    response=answers({200: OwnAccessRequestsOut}),
)
def list_asked(request: HttpRequest) -> Any:
    """What one has asked for within 30 days. Only what one can see now shows."""
    require_unbound(request)
    return {"requests": [own_access_request_out(one) for one in asking.own(user_of(request))]}


@router.get(
    "", operation_id="listAccessRequests", auth=SHARE, response=answers({200: AccessRequestsOut})
)
def list_asking(
    request: HttpRequest,
    before: int | None = Query(None, ge=1, le=2**62),
    limit: int = Query(50, ge=1, le=MOST),
) -> Any:
    """What others ask for that one may share and nobody has answered, the newest first."""
    rows = asking.waiting_for(program_of(request))
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows[: limit + 1])
    shown = found[:limit]
    wanted = [one.wanted for one in shown]
    names: dict[UUID, str] = {
        **dict(FileRecord.objects.filter(pk__in=wanted).values_list("pk", "name")),
        **dict(Folder.objects.filter(pk__in=wanted).values_list("pk", "name")),
    }
    return AccessRequestsOut(
        requests=[access_request_out(one, names.get(one.wanted, "")) for one in shown],
        next=shown[-1].pk if len(found) > limit else None,
    )


@router.post(
    "/{int:number}/grant",
    operation_id="grantAccessRequest",
    auth=SHARE,
    response=answers({201: GrantOut}, 404, 409, 422),
    openapi_extra=IDEMPOTENT,
)
def grant_request(request: HttpRequest, number: int, terms: AccessAnswerIn) -> Any:
    """Answer by sharing it with who asked, as far as one's own access reaches."""
    row = _request(request, number)
    if terms.expires_at is not None:
        if timezone.is_naive(terms.expires_at):
            raise Problem("invalid", "A moment needs its offset, as in 2026-01-31T12:00:00Z.")
        if terms.expires_at <= timezone.now():
            raise Problem("invalid", "That end is over already: choose a later one.")

    def make() -> GrantOut:
        asked = Terms(terms.level, None, terms.expires_at, terms.reason)
        return grant_out(asking.grant(row, asked, by=program_of(request), actor=user_of(request)))

    return once(request, 201, make)


@router.post(
    "/{int:number}/decline",
    operation_id="declineAccessRequest",
    auth=SHARE,
    response=answers({204: None}, 404, 409, 422),
    openapi_extra=IDEMPOTENT,
)
def decline_request(request: HttpRequest, number: int, said: AccessDeclineIn) -> Any:
    """Answer by nothing: who asked is not told."""

    def change(row: AccessRequest) -> None:
        asking.decline(row, said.word, by=program_of(request), actor=user_of(request))

    return once_found(request, 204, lambda: _request(request, number), change)


def _request(request: HttpRequest, number: int) -> AccessRequest:
    rows = asking.answerable_by(program_of(request))
    row = rows.filter(pk=number).first() if number < 2**62 else None
    if row is None:
        raise Http404
    return row
