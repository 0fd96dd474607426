"""Folders: what is in them, making, naming, moving, the trash."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.http import Http404, HttpRequest
from ninja import Router
from ninja.params.functions import Query

from files.access.principals import Scope
from files.access.rule import (
    addable_by,
    folders_accounted_to,
    folders_managed_by,
    folders_removable_by,
)
from files.access.statements import reaches
from files.errors import MayNotAdd
from files.folders import making, trash
from files.lists import contents
from files.models import Folder
from files.sharing import denials
from files.sharing.read_by.counting import position_of
from files.sharing.read_by.of_folder import of_folder
from files.tree import placing
from files.web.api import paths
from files.web.api.answers import IDEMPOTENT, answers, going_on, once, once_found
from files.web.api.entrance import Needs, program_of, user_of
from files.web.api.files import (
    AFTER,
    EVENTS,
    MANAGE,
    READ,
    move_item,
    restored_folder,
    target_of_move,
)
from files.web.api.problems import Problem
from files.web.api.shapes.items import (
    FolderOut,
    ItemOut,
    ItemPage,
    MoveIn,
    NameIn,
    PathIn,
    file_out,
    folder_out,
    page_out,
)
from files.web.api.shapes.read_by import FolderReadByOut, folder_outside_out, folder_read_out
from files.web.requested import denied_folder, trashed_folder, visible, visible_folder
from files.web.transfers.destinations import way_of

router = Router(tags=["folders"])

ADD = Needs(Scope.ADD)
MOST = 200


@router.get(
    "/root", operation_id="getRootFolder", auth=READ, response=answers({200: FolderOut}, 404)
)
def get_root(request: HttpRequest) -> Any:
    """The folder of one's own files, where the token reaches it."""
    root = placing.root_of(user_of(request))
    return folder_out(program_of(request), visible_folder(request, root.pk))


@router.get(
    "/{uuid:folder_id}",
    operation_id="getFolder",
    auth=READ,
    response=answers({200: FolderOut}, 404),
)
def get_folder(request: HttpRequest, folder_id: UUID) -> Any:
    """What a folder is."""
    return folder_out(program_of(request), visible_folder(request, folder_id))


PATH: Any = Query("", max_length=10_000, description="Names with “/” between them.")


@router.get(
    "/{uuid:folder_id}/item",
    operation_id="findItem",
    auth=READ,
    response=answers({200: ItemOut}, 404),
)
def find_item(request: HttpRequest, folder_id: UUID, path: str = PATH) -> Any:
    """What is at the end of a path below a folder, a file or a folder; without one, the folder."""
    folder, who = visible_folder(request, folder_id), program_of(request)
    if not path:
        return folder_out(who, folder)
    reached = paths.follow(request, folder, paths.segments_of(request, path))
    entry = reached.entry if len(reached.missing) == 1 else None
    if entry is None:
        raise Http404
    if entry.folder is not None:
        return folder_out(who, visible_folder(request, entry.folder.pk))
    return file_out(who, visible(request, cast("UUID", entry.file_id)))


@router.get(
    "/{uuid:folder_id}/items",
    operation_id="listFolder",
    auth=READ,
    response=answers({200: ItemPage}, 404),
)
def list_folder(
    request: HttpRequest,
    folder_id: UUID,
    sort: str = Query("name", pattern="^-?(name|size|time)$"),
    after: str = Query("", max_length=5000),
    limit: int = Query(100, ge=1, le=MOST),
) -> Any:
    """What is in a folder: folders first, by name; files by name, size or time."""
    folder = visible_folder(request, folder_id)
    who = program_of(request)
    order = contents.Order.of(sort) or contents.Order()
    begin = going_on(after, contents.position_of(after, order))
    page = contents.page_of(who, folder, order=order, cursor=begin, length=limit)
    return page_out(who, page)


@router.post(
    "/{uuid:folder_id}/folders",
    operation_id="makeFolder",
    auth=ADD,
    response=answers({201: FolderOut}, 404, 409, 422),
    openapi_extra=IDEMPOTENT,
)
def make_folder(request: HttpRequest, folder_id: UUID, new: NameIn) -> Any:
    """Make a folder in another one."""
    who, parent = program_of(request), addable_folder(request, folder_id)

    def make() -> FolderOut:
        made = making.create_folder(parent, new.name, by=who, actor=user_of(request))
        return folder_out(who, _seen(made))

    return once(request, 201, make)


@router.post(
    "/{uuid:folder_id}/paths",
    operation_id="makeFolderPath",
    auth=ADD,
    response=answers({201: FolderOut}, 404, 409, 422),
    openapi_extra=IDEMPOTENT,
)
def make_path(request: HttpRequest, folder_id: UUID, new: PathIn) -> Any:
    """The folder at the end of a path; those that are missing are made, all or none."""
    who, below = program_of(request), addable_folder(request, folder_id)
    way = way_of(new.path)
    if not way:
        raise Problem("path_not_usable", "The path is empty: send the names of folders.")

    def make() -> FolderOut:
        made = making.make_path(below, way, by=who, actor=user_of(request))
        return folder_out(who, _seen(made))

    return once(request, 201, make)


def _seen(folder: Folder) -> Folder:
    return Folder.objects.select_related("owner").get(pk=folder.pk)


def addable_folder(request: HttpRequest, folder_id: UUID) -> Folder:
    """The folder, for who may add to it; 404 for who does not see it. Raises MayNotAdd."""
    folder = visible_folder(request, folder_id)
    if not reaches(addable_by, program_of(request), folder.pk):
        denied_folder(request, folder.pk, denials.NO_PERMISSION)
        raise MayNotAdd
    return folder


def managed_folder(request: HttpRequest, folder_id: UUID) -> Folder:
    """The folder, for who manages it; 404 for who does not see it. Raises Problem."""
    folder = visible_folder(request, folder_id)
    if not reaches(folders_managed_by, program_of(request), folder.pk):
        denied_folder(request, folder.pk, denials.NO_PERMISSION)
        raise Problem("may_not", "This folder is not yours to change.")
    return folder


@router.get(
    "/{uuid:folder_id}/read-by",
    operation_id="listFolderReadBy",
    auth=READ,
    response=answers({200: FolderReadByOut}, 404),
)
def folder_read_by(
    request: HttpRequest,
    folder_id: UUID,
    after: str = AFTER,
    limit: int = Query(50, ge=1, le=EVENTS),
) -> Any:
    """Who has read how much of what is in a folder, for who manages it."""
    folder = visible_folder(request, folder_id)
    if not folders_accounted_to(program_of(request)).filter(pk=folder.pk).exists():
        denied_folder(request, folder.pk, denials.NO_PERMISSION)
        raise Problem("may_not", "Who has read what is in a folder is for who manages it.")
    begin = going_on(after, position_of(after))
    page = of_folder(folder, asker=user_of(request), after=begin, length=limit)
    return FolderReadByOut(
        people=page.people,
        have_read=page.have_read,
        unnamed=page.unnamed,
        files=page.files,
        readers=[folder_read_out(one) for one in page.lines],
        outside=[folder_outside_out(one) for one in page.outside],
        next=page.next or None,
    )


@router.patch(
    "/{uuid:folder_id}",
    operation_id="renameFolder",
    auth=MANAGE,
    response=answers({200: FolderOut}, 404, 409, 422),
    openapi_extra=IDEMPOTENT,
)
def rename_folder(request: HttpRequest, folder_id: UUID, new: NameIn) -> Any:
    """Rename a folder."""
    who = program_of(request)

    def change(folder: Folder) -> FolderOut:
        making.rename(folder, new.name, by=who, actor=user_of(request))
        return folder_out(who, visible_folder(request, folder_id))

    return once_found(request, 200, lambda: managed_folder(request, folder_id), change)


@router.delete(
    "/{uuid:folder_id}",
    operation_id="trashFolder",
    auth=MANAGE,
    response=answers({204: None}, 404, 409, 422),
    openapi_extra=IDEMPOTENT,
)
def put_folder_away(request: HttpRequest, folder_id: UUID) -> Any:
    """Put a folder into the trash, with all that is in it."""

    def change(folder: Folder) -> None:
        trash.put_away(folder, by=program_of(request), actor=user_of(request))

    return once_found(request, 204, lambda: _removable(request, folder_id), change)


def _removable(request: HttpRequest, folder_id: UUID) -> Folder:
    """The folder, for who may put it away; 404 for who does not see it. Raises Problem."""
    folder = visible_folder(request, folder_id)
    if not reaches(folders_removable_by, program_of(request), folder.pk):
        denied_folder(request, folder.pk, denials.NO_PERMISSION)
        raise Problem("may_not", "This folder is not yours to put away.")
    return folder


@router.post(
    "/{uuid:folder_id}/move",
    operation_id="moveFolder",
    auth=MANAGE,
    response=answers({200: FolderOut}, 404, 409, 422),
    openapi_extra=IDEMPOTENT,
)
def move_folder(request: HttpRequest, folder_id: UUID, where: MoveIn) -> Any:
    """Move a folder within its owner's tree."""

    def find() -> tuple[Folder, Folder]:
        folder = managed_folder(request, folder_id)
        return folder, target_of_move(request, folder, where)

    def change(found: tuple[Folder, Folder]) -> FolderOut:
        move_item(request, *found, where)
        return folder_out(program_of(request), visible_folder(request, folder_id))

    return once_found(request, 200, find, change)


@router.post(
    "/{uuid:folder_id}/restore",
    operation_id="restoreFolder",
    auth=MANAGE,
    response=answers({200: FolderOut}, 404, 409, 422),
    openapi_extra=IDEMPOTENT,
)
def restore_folder(request: HttpRequest, folder_id: UUID) -> Any:
    """Bring a folder back from the trash, to where it was or to its owner's own files."""
    who = program_of(request)

    def change(folder: Folder) -> FolderOut:
        trash.restore(folder, by=who, actor=user_of(request))
        return folder_out(who, restored_folder(folder_id))

    return once_found(request, 200, lambda: trashed_folder(request, folder_id), change)
