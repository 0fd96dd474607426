"""Who can read something: grants, sharing and stopping, and effective access."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router
from ninja.params.functions import Query

from files.access.permissions import may_share
from files.access.principals import Scope
from files.access.rule import folders_visible_to
from files.models import FileRecord, Folder, Grant, Item
from files.sharing import delegating, effective_access, granting
from files.sharing.inheritance import from_above, lasting_on
from files.sharing.links.listing import awake, links_reaching
from files.sharing.named import named_each
from files.web.api.answers import IDEMPOTENT, answers, once
from files.web.api.entrance import Needs, program_of, require, require_unbound, user_of
from files.web.api.folders import managed_folder
from files.web.api.problems import Problem
from files.web.api.shapes.grants import (
    GrantIn,
    GrantsOut,
    OutcomeOut,
    ReachingLinkOut,
    ReaderOut,
    ReadersOut,
    ReasonOut,
    SharedOut,
    grant_out,
)
from files.web.requested import managed

SHARE = Needs(Scope.SHARE)
REMAINING = "Securestore-Remaining"
GRANTS, READERS = 100, 50
AFTER: Any = Query(0, ge=0, le=2**62)
AFTER_NAME: Any = Query("", max_length=150)

of_files = Router(tags=["sharing"])
of_folders = Router(tags=["sharing"])


def _sharing(request: HttpRequest) -> None:
    if not may_share(user_of(request)):
        raise Problem("no_permission", "Your account may not share: an administrator decides.")


@of_files.get(
    "/{uuid:file_id}/grants",
    operation_id="listFileGrants",
    auth=SHARE,
    response=answers({200: GrantsOut}, 404),
)
def list_file_grants(request: HttpRequest, file_id: UUID, after: int = AFTER) -> Any:
    """Who can read a file, for who manages it."""
    record = managed(request, file_id)
    return _grants(request, record, after)


@of_folders.get(
    "/{uuid:folder_id}/grants",
    operation_id="listFolderGrants",
    auth=SHARE,
    response=answers({200: GrantsOut}, 404),
)
def list_folder_grants(request: HttpRequest, folder_id: UUID, after: int = AFTER) -> Any:
    """Who can read what is in a folder, for who manages it."""
    folder = managed_folder(request, folder_id)
    return _grants(request, folder, after)


def _grants(request: HttpRequest, item: Item, after: int) -> GrantsOut:
    _sharing(request)
    found = lasting_on(item, after=after, at_most=GRANTS + 1)
    above = from_above(item) if not after else []
    folders = {one.folder_id for one in above if one.folder_id}
    seen = set(
        folders_visible_to(program_of(request)).filter(pk__in=folders).values_list("pk", flat=True)
    )
    shown = found[:GRANTS]
    return GrantsOut(
        grants=[grant_out(one) for one in shown],
        inherited=[grant_out(one, seen, item) for one in above],
        next=shown[-1].pk if len(found) > GRANTS else None,
    )


@of_files.post(
    "/{uuid:file_id}/grants",
    operation_id="shareFile",
    auth=SHARE,
    response=answers({201: SharedOut}, 404, 422),
    openapi_extra=IDEMPOTENT,
)
def share_file(request: HttpRequest, file_id: UUID, new: GrantIn) -> Any:
    """Share a file with people and groups: with all of them, or with nobody."""
    return _share(request, managed(request, file_id), new)


@of_folders.post(
    "/{uuid:folder_id}/grants",
    operation_id="shareFolder",
    auth=SHARE,
    response=answers({201: SharedOut}, 404, 422),
    openapi_extra=IDEMPOTENT,
)
def share_folder(request: HttpRequest, folder_id: UUID, new: GrantIn) -> Any:
    """Share a folder and all below it."""
    return _share(request, managed_folder(request, folder_id), new)


def _share(request: HttpRequest, item: Item, new: GrantIn) -> Any:
    _sharing(request)
    named = named_each(new.to)
    if named.problems:
        raise Problem("invalid", " ".join(named.problems))
    if new.expires_at is not None and new.expires_at <= timezone.now():
        raise Problem("invalid", "That end is over already: choose a later one.")
    terms = granting.Terms(new.level, new.starts_at, new.expires_at, new.reason)

    def make() -> SharedOut:
        outcomes = delegating.share([item], named.recipients, terms, actor=user_of(request))
        return SharedOut(
            outcomes=[
                OutcomeOut(
                    grant=grant_out(one.grant),
                    outcome=one.how.name.lower(),  # type: ignore[arg-type]
                )
                for one in outcomes
            ]
        )

    return once(request, 201, make)


@of_files.delete(
    "/{uuid:file_id}/grants/{int:number}",
    operation_id="stopSharingFile",
    auth=SHARE,
    response=answers({204: None}, 404),
)
def stop_sharing_file(request: HttpRequest, file_id: UUID, number: int) -> Any:
    """Stop sharing a file with one of them.

    `Securestore-Remaining` says by how many other shares they, or members of it, can read it still.
    """
    return _stop(request, managed(request, file_id), number)


@of_folders.delete(
    "/{uuid:folder_id}/grants/{int:number}",
    operation_id="stopSharingFolder",
    auth=SHARE,
    response=answers({204: None}, 404),
)
def stop_sharing_folder(request: HttpRequest, folder_id: UUID, number: int) -> Any:
    """Stop sharing a folder with one of them. `Securestore-Remaining` as of a file."""
    return _stop(request, managed_folder(request, folder_id), number)


def _stop(request: HttpRequest, item: Item, number: int) -> Any:
    _sharing(request)
    target = (
        Grant.objects.select_related("user", "group").filter(**{item.kind: item}, pk=number).first()
        if number < 2**62
        else None
    )
    if target is None:
        raise Http404
    delegating.withdraw(target, actor=user_of(request))
    # To end a share ends that one, and no other way in: who asked must not take it for more.
    left = granting.remaining(item, target.user, target.group)
    answer = HttpResponse(status=204)
    answer[REMAINING] = str(len(left))
    return answer


# --- Effective access ---------------------------------------------------------------------------

_OVERSIGHT = ("files.view_filerecord", "files.view_grant")


@of_files.get(
    "/{uuid:file_id}/access",
    operation_id="explainFileAccess",
    auth=SHARE,
    response=answers({200: ReadersOut}, 404),
)
def read_file_access(request: HttpRequest, file_id: UUID, after: str = AFTER_NAME) -> Any:
    """Everybody who can read a file and why; for staff who may see all files and shares."""
    _oversight(request)
    return _readers(FileRecord.objects.select_related("owner").filter(pk=file_id).first(), after)


@of_folders.get(
    "/{uuid:folder_id}/access",
    operation_id="explainFolderAccess",
    auth=SHARE,
    response=answers({200: ReadersOut}, 404),
)
def read_folder_access(request: HttpRequest, folder_id: UUID, after: str = AFTER_NAME) -> Any:
    """The same of a folder."""
    _oversight(request, "files.view_folder")
    return _readers(Folder.objects.select_related("owner").filter(pk=folder_id).first(), after)


def _oversight(request: HttpRequest, *more: str) -> None:
    """As the administration's page of it: no content, and no rule of who may read it."""
    if not user_of(request).is_staff:
        raise Problem("no_permission", "Effective access is for administrators.")
    require(request, *_OVERSIGHT, *more)
    require_unbound(request)


def _readers(item: Item | None, after: str) -> ReadersOut:
    if item is None:
        raise Http404
    now = timezone.now()
    people = effective_access.readers(item, now).order_by("username")
    found = list(people.filter(username__gt=after.replace("\0", ""))[: READERS + 1])
    shown = effective_access.explain_readers(item, found[:READERS], now=now, live=True)
    return ReadersOut(
        readers=[
            ReaderOut(
                username=one.user.username,
                name=one.user.get_full_name(),
                may_download=one.may_download,
                reasons=[_reason(reason) for reason in one.reasons],
            )
            for one in shown
        ],
        links=[] if after else _links(item),
        next=found[READERS - 1].username if len(found) > READERS else None,
    )


def _links(item: Item) -> list[ReachingLinkOut]:
    found = links_reaching(item)
    works = awake(item, found)
    return [
        ReachingLinkOut(
            id=one.pk,
            made_by=one.maker.username,
            expires_at=one.expires_at,
            folder_id=one.folder_id,
            awake=one.pk in works,
        )
        for one in found
    ]


def _reason(reason: effective_access.Reason) -> ReasonOut:
    grant = reason.grant
    level: Any = grant.level if grant else "owner"
    return ReasonOut(
        grant_id=grant.pk if grant else None,
        via_group=grant.group.name if grant and grant.group else None,
        folder_id=reason.folder.pk if reason.folder else None,
        until=reason.until,
        level=level,
    )
