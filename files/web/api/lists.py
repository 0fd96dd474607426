"""Lists across folders: what was shared, recent, in the trash, searched; and who asks."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Router
from ninja.params.functions import Query
from ninja.responses import Status

from accounts import tokens
from files.access.rule import folders_visible_to
from files.access.statements import reaches
from files.lists import paging, recent, shared, trash
from files.models import Folder
from files.tree import placing
from files.vault.quota import taken_by
from files.web.api.answers import answers, going_on
from files.web.api.entrance import Needs, program_of, token_of, user_of
from files.web.api.files import READ
from files.web.api.folders import MOST
from files.web.api.shapes.items import ItemPage, page_out
from files.web.api.shapes.me import MeOut, TokenOut
from files.web.requested import visible_folder

router = Router(tags=["lists"])

AFTER: Any = Query("", max_length=5000)
LIMIT: Any = Query(100, ge=1, le=MOST)
SORT: Any = Query("-time", pattern="^-?time$")


@router.get("/me", operation_id="getMe", auth=Needs(None), response=answers({200: MeOut}))
def get_me(request: HttpRequest) -> Any:
    """Who asks, with which token, and how much is stored."""
    user, token = user_of(request), token_of(request)
    root = placing.root_of(user)
    reached = reaches(folders_visible_to, program_of(request), root.pk)
    taken = taken_by(user)
    return MeOut(
        username=user.username,
        name=user.get_full_name(),
        root_id=root.pk if reached else None,
        token=TokenOut(
            id=token.pk,
            name=token.name,
            scopes=sorted(token.scope_set),
            folder_id=token.folder_id,
            networks=token.networks.split(),
            expires_at=token.expires_at,
        ),
        used_bytes=taken.bytes,
        quota_bytes=taken.quota,
    )


@router.delete(
    "/me/token", operation_id="endToken", auth=Needs(None), response=answers({204: None})
)
def end_token(request: HttpRequest) -> Any:
    """End the token that the request came with: it opens nothing any more."""
    tokens.revoke(token_of(request), actor=user_of(request))
    return Status(204, None)


@router.get("/shared", operation_id="listShared", auth=READ, response=answers({200: ItemPage}))
def list_shared(
    request: HttpRequest, sort: str = SORT, after: str = AFTER, limit: int = LIMIT
) -> Any:
    """What was shared with one, by the time of the share."""
    who = program_of(request)
    down = sort.startswith("-")
    begin = going_on(after, shared.position_of(after, down=down))
    return page_out(who, shared.page_of(who, down=down, cursor=begin, length=limit))


@router.get("/recent", operation_id="listRecent", auth=READ, response=answers({200: ItemPage}))
def list_recent(
    request: HttpRequest, sort: str = SORT, after: str = AFTER, limit: int = LIMIT
) -> Any:
    """What one added, opened or was given lately."""
    who = program_of(request)
    down = sort.startswith("-")
    begin = going_on(after, recent.position_of(after, down=down))
    return page_out(who, recent.page_of(who, down=down, cursor=begin, length=limit))


@router.get("/trash", operation_id="listTrash", auth=READ, response=answers({200: ItemPage}))
def list_trash(
    request: HttpRequest, sort: str = SORT, after: str = AFTER, limit: int = LIMIT
) -> Any:
    """What was put away and one may bring back."""
    who = program_of(request)
    down = sort.startswith("-")
    begin = going_on(after, trash.position_of(after, down=down))
    return page_out(who, trash.page_of(who, down=down, cursor=begin, length=limit))


@router.get(
    "/search", operation_id="searchItems", auth=READ, response=answers({200: ItemPage}, 404)
)
def search(
    request: HttpRequest,
    q: str = Query(..., min_length=1, max_length=300),
    within: UUID | None = None,
    after: str = AFTER,
    limit: int = LIMIT,
) -> Any:
    """Files and folders of which every word is in the name; `within` a folder and all below."""
    who = program_of(request)
    folder: Folder | None = None
    if (wanted := within or who.folder) is not None:
        folder = visible_folder(request, wanted)
    begin = going_on(after, paging.position_of(after))
    page = paging.page_of(user_of(request), query=q, cursor=begin, length=limit, within=folder)
    return page_out(who, page)
