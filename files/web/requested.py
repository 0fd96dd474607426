"""What a request asks for: who asks, and the file that they may have; a refusal is noted.

A file or a folder is only ever fetched through the functions here, so that a stranger gets the same
404 as for one that does not exist.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Collection, Iterable
from typing import Any, TypeVar, cast

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.models import Token, User
from files.access.principals import Person, Principal, Program
from files.access.rule import (
    folders_visible_to,
    former_visible_to,
    managed_by,
    removable_by,
    trashed_files_of,
    trashed_folders_of,
    visible_to,
)
from files.access.statements import asked
from files.models import FileRecord, Folder
from files.sharing import denials
from runtime.statements import ID

Row = TypeVar("Row", FileRecord, Folder)

ROW_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
"""A number of a row, as a form or an address has it."""


def user_of(request: HttpRequest) -> User:
    """The signed-in user; for views behind `login_required`."""
    return cast("User", request.user)


def principal_of(request: HttpRequest) -> Principal:
    """Who asks: the signed-in person, or the program whose token the request came with."""
    token: Token | None = getattr(request, "token", None)
    return Person(user_of(request)) if token is None else Program.of(token)


def visible(request: HttpRequest, file_id: uuid.UUID) -> FileRecord:
    """The file, if the user may see it; 404 otherwise."""
    return _first(request, FileRecord, _visible(principal_of(request), file=file_id), file_id)


@asked(file=ID)
def _visible(who: Principal, file: Any) -> QuerySet[FileRecord]:
    files = visible_to(who).filter(pk=file)
    return files.select_related("owner", "current__held_key", "received__sender__request")


def is_still_open_to(who: Principal, record: FileRecord) -> bool:
    """Whether they may have these bytes now; asked again and again while they are on their way."""
    # What a file was is for those who manage it.
    rule = _reachable if record.former_id is None else _rereadable
    return bool(rule(who, file=record.pk))


@asked(file=ID)
def _reachable(who: Principal, file: Any) -> QuerySet[Any, uuid.UUID]:
    return visible_to(who).filter(pk=file).order_by().values_list("pk", flat=True)


@asked(file=ID)
def _rereadable(who: Principal, file: Any) -> QuerySet[Any, uuid.UUID]:
    return former_visible_to(who).filter(pk=file).order_by().values_list("pk", flat=True)


def managed(request: HttpRequest, file_id: uuid.UUID) -> FileRecord:
    """The file, if the user may share and delete it; 404 otherwise."""
    return _first(request, FileRecord, _managed(principal_of(request), file=file_id), file_id)


@asked(file=ID)
def _managed(who: Principal, file: Any) -> QuerySet[FileRecord]:
    files = managed_by(who).filter(pk=file)
    return files.select_related("owner", "current", "received__sender__request")


def rereadable(request: HttpRequest, file_id: uuid.UUID) -> FileRecord:
    """The file, if the user may read its former versions and history; 404 otherwise."""
    return _in_part(request, former_visible_to, file_id)


def removable(request: HttpRequest, file_id: uuid.UUID) -> FileRecord:
    """The file, if the user may put it away; 404 otherwise."""
    return _in_part(request, removable_by, file_id)


def trashed(request: HttpRequest, file_id: uuid.UUID) -> FileRecord:
    """The file, if it was put away and the user may bring it back; 404 otherwise."""
    return _first(request, FileRecord, _trashed(principal_of(request), file=file_id), file_id)


@asked(file=ID)
def _trashed(who: Principal, file: Any) -> QuerySet[FileRecord]:
    return trashed_files_of(who).select_related("owner", "folder").filter(pk=file)


def visible_folder(request: HttpRequest, folder_id: uuid.UUID) -> Folder:
    """The folder, if the user may see it; 404 otherwise."""
    seen = _visible_folder(principal_of(request), folder=folder_id)
    return _first(request, Folder, seen, folder_id)


@asked(folder=ID)
def _visible_folder(who: Principal, folder: Any) -> QuerySet[Folder]:
    return folders_visible_to(who).select_related("owner", "parent").filter(pk=folder)


def trashed_folder(request: HttpRequest, folder_id: uuid.UUID) -> Folder:
    """The folder, if it was put away and the user may bring it back; 404 otherwise."""
    seen = _trashed_folder(principal_of(request), folder=folder_id)
    return _first(request, Folder, seen, folder_id)


@asked(folder=ID)
def _trashed_folder(who: Principal, folder: Any) -> QuerySet[Folder]:
    return trashed_folders_of(who).select_related("owner", "parent").filter(pk=folder)


def denied_folder(request: HttpRequest, folder_id: uuid.UUID, reason: str) -> None:
    """Record that the user was refused that folder."""
    denials.note_folder(user_of(request), folder_id, reason=reason, door=_door(request))


def may_not(request: HttpRequest, folder: Folder, told: str) -> HttpResponse:
    """The page for who sees a folder, and may not do with it what was asked for.

    `told` says so in a sentence of its own: other languages put words elsewhere.
    """
    denied_folder(request, folder.pk, denials.NO_PERMISSION)
    context = {"folder": folder, "told": told}
    return render(request, "folders/may_not.html", context, status=403)


def _in_part(
    request: HttpRequest, part: Callable[[Principal], QuerySet[FileRecord]], file_id: uuid.UUID
) -> FileRecord:
    found = _file_in_part(principal_of(request), part=part, file=file_id)
    return _first(request, FileRecord, found, file_id)


@asked(file=ID)
def _file_in_part(
    who: Principal, part: Callable[[Principal], QuerySet[FileRecord]], file: Any
) -> QuerySet[FileRecord]:
    return part(who).select_related("owner", "current").filter(pk=file)


def _first(request: HttpRequest, kind: type[Row], rows: Iterable[Row], wanted: uuid.UUID) -> Row:
    """The one row; where there is none, it is noted that the user was refused it, and 404."""
    for row in rows:
        return row
    if issubclass(kind, Folder):
        denied_folder(request, wanted, denials.NOT_VISIBLE)
    else:
        denied(request, [wanted], denials.NOT_VISIBLE)
    raise Http404


def _door(request: HttpRequest) -> str:
    return request.resolver_match.view_name if request.resolver_match else ""


def denied(request: HttpRequest, wanted: Collection[uuid.UUID], reason: str) -> None:
    """Record that the user was refused these files."""
    denials.note(user_of(request), wanted, reason=reason, door=_door(request))


def may_not_download(request: HttpRequest, record: FileRecord) -> HttpResponse:
    """The page for who sees a file and lacks the permission to download any."""
    denied(request, [record.pk], denials.NO_PERMISSION)
    return render(request, "files/may_not_download.html", {"record": record}, status=403)


def ids_of(texts: list[str]) -> set[uuid.UUID]:
    """The ids that a form names; 404 where one is none."""
    try:
        return {uuid.UUID(text) for text in texts}
    except ValueError:
        raise Http404 from None
