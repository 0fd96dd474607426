"""Links for people outside: one's own, those of a file or folder, making one, and ending one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from ninja import Router
from ninja.params.functions import Query
from ninja.responses import Status

from files.access.explaining import accesses_of
from files.access.principals import Person, Scope
from files.access.rule import folders_managed_by, managed_by
from files.models import Item, Link
from files.sharing.links import ending, listing, making
from files.web.api.answers import IDEMPOTENT, answers, once
from files.web.api.entrance import Needs, program_of, require_unbound, token_of, user_of
from files.web.api.folders import managed_folder
from files.web.api.problems import Problem
from files.web.api.shapes.links import LinkIn, LinkMadeOut, LinkOut, LinksOut
from files.web.requested import managed

SHARE = Needs(Scope.SHARE)
PAGE = 100
AFTER: Any = Query(0, ge=0, le=2**62)

of_files = Router(tags=["links"])
of_folders = Router(tags=["links"])
router = Router(tags=["links"])


@of_files.get(
    "/{uuid:file_id}/links",
    operation_id="listFileLinks",
    auth=SHARE,
    response=answers({200: LinksOut}, 404),
)
def list_file_links(request: HttpRequest, file_id: UUID, after: int = AFTER) -> Any:
    """The links to a file, the newest first, for who manages it."""
    return _links(managed(request, file_id), after)


@of_folders.get(
    "/{uuid:folder_id}/links",
    operation_id="listFolderLinks",
    auth=SHARE,
    response=answers({200: LinksOut}, 404),
)
def list_folder_links(request: HttpRequest, folder_id: UUID, after: int = AFTER) -> Any:
    """The links to a folder."""
    return _links(managed_folder(request, folder_id), after)


def _links(item: Item, after: int) -> LinksOut:
    shown, more = _page(listing.links_of(item).order_by("-pk"), after)
    awake = listing.awake(item, shown)
    return LinksOut(
        links=[_out(one, awake=one.pk in awake) for one in shown],
        next=shown[-1].pk if more else None,
    )


@of_files.post(
    "/{uuid:file_id}/links",
    operation_id="makeFileLink",
    auth=SHARE,
    response=answers({201: LinkMadeOut}, 404, 422),
    openapi_extra=IDEMPOTENT,
)
def make_file_link(request: HttpRequest, file_id: UUID, new: LinkIn) -> Any:
    """Make a link to a file. Its URL is told once; a replay has its id and status alone."""
    return _make(request, managed(request, file_id), new)


@of_folders.post(
    "/{uuid:folder_id}/links",
    operation_id="makeFolderLink",
    auth=SHARE,
    response=answers({201: LinkMadeOut}, 404, 422),
    openapi_extra=IDEMPOTENT,
)
def make_folder_link(request: HttpRequest, folder_id: UUID, new: LinkIn) -> Any:
    """Make a link to a folder and all below it."""
    return _make(request, managed_folder(request, folder_id), new)


@sensitive_variables()
def _make(request: HttpRequest, item: Item, new: LinkIn) -> Any:
    if not listing.may_make(user_of(request)):
        raise Problem("no_permission", "Your account may not make links: an administrator decides.")
    if new.expires_at is not None and timezone.is_naive(new.expires_at):
        raise Problem("invalid", "A moment needs its offset, as in 2026-01-31T12:00:00Z.")
    terms = making.hashed(
        making.Terms(new.expires_at, new.label, new.password, "\n".join(new.addresses), new.count)
    )

    def make() -> LinkMadeOut:
        made = making.make(item, terms, actor=user_of(request))
        url = request.build_absolute_uri(making.path_of(made.text))
        return LinkMadeOut(**_out(made.link, awake=True).model_dump(), url=url)

    return once(request, 201, make, keeping={"id", "status"})


@router.get("/links", operation_id="listOwnLinks", auth=SHARE, response=answers({200: LinksOut}))
def list_own_links(request: HttpRequest, after: int = AFTER) -> Any:
    """All links that one made, wherever they lead, the newest first."""
    require_unbound(request)
    user = user_of(request)
    made = listing.made_by(user).select_related("maker").order_by("-pk")
    shown, more = _page(made, after)
    items = {one.target.pk: one.target for one in shown if one.target is not None}
    seen = accesses_of(Person(user), list(items.values()))
    managed = {pk for pk, access in seen.items() if access.may_manage}
    awake = listing.awake_by(user, shown, managed)
    return LinksOut(
        links=[_out(one, awake=one.pk in awake) for one in shown],
        next=shown[-1].pk if more else None,
    )


def _page(rows: QuerySet[Link], after: int) -> tuple[list[Link], bool]:
    """The next of them, and whether there are more."""
    found = list((rows.filter(pk__lt=after) if after else rows)[: PAGE + 1])
    return found[:PAGE], len(found) > PAGE


@router.delete(
    "/links/{int:number}", operation_id="endLink", auth=SHARE, response=answers({204: None}, 404)
)
def end_link(request: HttpRequest, number: int) -> Any:
    """End a link that one made, or that is to what one manages."""
    link = Link.objects.select_related("file", "folder").filter(pk=min(number, 2**62)).first()
    if link is None or not _is_own(request, link):
        raise Http404
    ending.end(link, actor=user_of(request))
    return Status(204, None)


def _is_own(request: HttpRequest, link: Link) -> bool:
    """Whether it is theirs to end: whoever made it may, but by a token of one folder."""
    if link.maker_id == user_of(request).pk and token_of(request).folder_id is None:
        return True
    who = program_of(request)
    if link.file_id is not None:
        return managed_by(who).filter(links=link).exists()
    return folders_managed_by(who).filter(links=link).exists()


def _out(link: Link, *, awake: bool) -> LinkOut:
    state: Any = link.state
    return LinkOut(
        id=link.pk,
        file_id=link.file_id,
        folder_id=link.folder_id,
        label=link.label,
        made_by=link.maker.username,
        created_at=link.created_at,
        expires_at=link.expires_at,
        status=state if awake or state != "live" else "asleep",
        has_password=bool(link.password),
        addresses=link.named,
        count=link.most,
        used=link.used,
        left=link.left,
        opened=link.opened,
        attempts=link.attempts,
        last_opened_at=link.last_opened_at,
    )
