"""Requests: asking people outside for files, for a folder that one manages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from ninja import Router
from ninja.params.functions import Query
from ninja.responses import Status

from files.access.principals import Scope
from files.models import FileRequest
from files.sharing import requests
from files.web.api.answers import IDEMPOTENT, answers, once
from files.web.api.entrance import Needs, program_of, require_unbound, token_of, user_of
from files.web.api.folders import managed_folder
from files.web.api.problems import Problem
from files.web.api.shapes.requests import (
    RequestIn,
    RequestMade,
    RequestOut,
    RequestsOut,
    request_out,
)

SHARE = Needs(Scope.SHARE)
AT_ONCE = 100
AFTER: Any = Query(0, ge=0, le=2**62)

of_folders = Router(tags=["sharing"])
router = Router(tags=["sharing"])


@of_folders.get(
    "/{uuid:folder_id}/requests",
    operation_id="listFolderFileRequests",
    auth=SHARE,
    response=answers({200: RequestsOut}, 404),
)
def list_requests(request: HttpRequest, folder_id: UUID, after: int = AFTER) -> Any:
    """The requests for a folder, by number, for who manages it."""
    folder = managed_folder(request, folder_id)
    return _page(requests.requests_managed_by(program_of(request)).filter(folder=folder.pk), after)


def _page(found: QuerySet[FileRequest], after: int) -> RequestsOut:
    rows = requests.with_numbers(found).filter(pk__gt=after).order_by("pk")[: AT_ONCE + 1]
    shown = list(rows)
    more = len(shown) > AT_ONCE
    return RequestsOut(
        requests=[request_out(one) for one in shown[:AT_ONCE]],
        next=shown[AT_ONCE - 1].pk if more else None,
    )


@of_folders.post(
    "/{uuid:folder_id}/requests",
    operation_id="makeFileRequest",
    auth=SHARE,
    response=answers({201: RequestMade}, 404, 409),
    openapi_extra=IDEMPOTENT,
)
def make_request(request: HttpRequest, folder_id: UUID, new: RequestIn) -> Any:
    """Ask people outside for files. The address is in this answer alone."""
    folder = managed_folder(request, folder_id)
    if not requests.may_ask(user_of(request)):
        raise Problem("no_permission", "Your account may not ask people outside for files.")
    if new.expires_at is not None and timezone.is_naive(new.expires_at):
        raise Problem("invalid", "A moment needs its offset, as in 2026-01-31T12:00:00Z.")
    terms = requests.Terms(**new.model_dump())

    @sensitive_variables()
    def make() -> RequestMade:
        made, token = requests.make(folder, terms, by=program_of(request), actor=user_of(request))
        one = requests.with_numbers(FileRequest.objects.select_related("maker")).get(pk=made.pk)
        address = request.build_absolute_uri(reverse("asked", args=[token]))
        return RequestMade(**request_out(one).model_dump(), address=address)

    return once(request, 201, make, keeping={"id"})


@router.get(
    "", operation_id="listOwnFileRequests", auth=SHARE, response=answers({200: RequestsOut})
)
def list_own_requests(request: HttpRequest, after: int = AFTER) -> Any:
    """All requests that one made, for whichever folders, by number."""
    require_unbound(request)
    return _page(requests.made_by(user_of(request)).select_related("maker"), after)


@router.get(
    "/{int:number}",
    operation_id="getFileRequest",
    auth=SHARE,
    response=answers({200: RequestOut}, 404),
)
def read_request(request: HttpRequest, number: int) -> Any:
    """One request, with how much came through it."""
    return request_out(_own(request, number))


@router.delete(
    "/{int:number}", operation_id="endFileRequest", auth=SHARE, response=answers({204: None}, 404)
)
def end_request(request: HttpRequest, number: int) -> Any:
    """End a request: nothing comes through it any more. What came stays."""
    requests.end(_own(request, number), actor=user_of(request))
    return Status(204, None)


def _own(request: HttpRequest, number: int) -> FileRequest:
    """The request, for who made it or manages its folder. Raises Http404."""
    if number >= 2**62:
        raise Http404
    own = [requests.requests_managed_by(program_of(request))]
    if token_of(request).folder_id is None:
        own.append(requests.made_by(user_of(request)))
    for rows in own:
        if (found := requests.with_numbers(rows).filter(pk=number).first()) is not None:
            return found
    raise Http404
