"""Files: what they are, their names and places, the trash, versions, history, digests."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest
from ninja import Router
from ninja.params.functions import Query

from files.access.permissions import Permission
from files.access.principals import Scope
from files.access.rule import folders_visible_to, visible_to
from files.errors import KeyNeeded
from files.folders import making, moving, trash
from files.models import FileRecord, Folder, Item
from files.sharing import denials, history
from files.sharing.read_by.counting import position_of
from files.sharing.read_by.of_file import of_file
from files.vault import opening, versions
from files.web.api.answers import IDEMPOTENT, answers, going_on, once_found
from files.web.api.entrance import Needs, program_of, require, user_of
from files.web.api.keys import key_of
from files.web.api.problems import Problem
from files.web.api.shapes.contents import DigestOut, DigestsIn, DigestsOut, VersionOut, VersionsOut
from files.web.api.shapes.events import HappenedOut, HistoryOut
from files.web.api.shapes.items import FileOut, MoveIn, NameIn, file_out
from files.web.api.shapes.read_by import FileReadByOut, former_out, outside_out, read_out
from files.web.requested import managed, removable, rereadable, trashed, visible
from files.web.transfers.structured import byte_sequence

router = Router(tags=["files"])

READ, MANAGE = Needs(Scope.READ), Needs(Scope.MANAGE)
EVENTS = 100


@router.get(
    "/{uuid:file_id}", operation_id="getFile", auth=READ, response=answers({200: FileOut}, 404)
)
def get_file(request: HttpRequest, file_id: UUID) -> Any:
    """What a file is."""
    return file_out(program_of(request), visible(request, file_id))


@router.patch(
    "/{uuid:file_id}",
    operation_id="renameFile",
    auth=MANAGE,
    response=answers({200: FileOut}, 404, 409, 422),
    openapi_extra=IDEMPOTENT,
)
def rename_file(request: HttpRequest, file_id: UUID, new: NameIn) -> Any:
    """Rename a file."""
    who = program_of(request)

    def change(record: FileRecord) -> FileOut:
        making.rename(record, new.name, by=who, actor=user_of(request))
        return file_out(who, visible(request, file_id))

    return once_found(request, 200, lambda: managed(request, file_id), change)


@router.delete(
    "/{uuid:file_id}",
    operation_id="trashFile",
    auth=MANAGE,
    response=answers({204: None}, 404, 409, 422),
    openapi_extra=IDEMPOTENT,
)
def put_file_away(request: HttpRequest, file_id: UUID) -> Any:
    """Put a file into the trash."""

    def change(record: FileRecord) -> None:
        trash.put_away(record, by=program_of(request), actor=user_of(request))

    return once_found(request, 204, lambda: removable(request, file_id), change)


@router.post(
    "/{uuid:file_id}/move",
    operation_id="moveFile",
    auth=MANAGE,
    response=answers({200: FileOut}, 404, 409, 422),
    openapi_extra=IDEMPOTENT,
)
def move_file(request: HttpRequest, file_id: UUID, where: MoveIn) -> Any:
    """Move a file within its owner's tree."""

    def find() -> tuple[FileRecord, Folder]:
        record = managed(request, file_id)
        return record, target_of_move(request, record, where)

    def change(found: tuple[FileRecord, Folder]) -> FileOut:
        move_item(request, *found, where)
        return file_out(program_of(request), visible(request, file_id))

    return once_found(request, 200, find, change)


def target_of_move(request: HttpRequest, item: Item, where: MoveIn) -> Folder:
    """The folder that it is to go to. Raises Problem where a person has to confirm it."""
    who = program_of(request)
    target = folders_visible_to(who).select_related("owner").filter(pk=where.to).first()
    if target is None:
        door = request.resolver_match.view_name if request.resolver_match else ""
        denials.note_folder(user_of(request), where.to, reason=denials.NOT_VISIBLE, door=door)
        raise Http404
    if moving.changes_hands(item, target):
        raise Problem(
            "person_needed",
            "That would give it to another owner: a person does that, in the browser.",
        )
    return target


def move_item(request: HttpRequest, item: Item, target: Folder, where: MoveIn) -> None:
    """Move a file or a folder that one manages."""
    rename = where.conflict == "rename"
    moving.move(item, target, by=program_of(request), actor=user_of(request), rename=rename)


@router.post(
    "/{uuid:file_id}/restore",
    operation_id="restoreFile",
    auth=MANAGE,
    response=answers({200: FileOut}, 404, 409, 422),
    openapi_extra=IDEMPOTENT,
)
def restore_file(request: HttpRequest, file_id: UUID) -> Any:
    """Bring a file back from the trash, to where it was or to its owner's own files."""
    who = program_of(request)

    def change(record: FileRecord) -> FileOut:
        trash.restore(record, by=who, actor=user_of(request))
        return file_out(who, _again(FileRecord, file_id))

    return once_found(request, 200, lambda: trashed(request, file_id), change)


def _again(kind: type[Any], pk: UUID) -> Any:
    return kind.objects.select_related("owner").get(pk=pk)


def restored_folder(folder_id: UUID) -> Folder:
    """The folder as it is now, wherever it came to."""
    found: Folder = _again(Folder, folder_id)
    return found


# --- Versions -----------------------------------------------------------------------------------


@router.get(
    "/{uuid:file_id}/versions",
    operation_id="listFileVersions",
    auth=READ,
    response=answers({200: VersionsOut}, 404),
)
def list_versions(request: HttpRequest, file_id: UUID) -> Any:
    """The former versions of a file, for who manages it."""
    record = rereadable(request, file_id)
    return {
        "versions": [
            VersionOut(
                version=kept.version,
                size=kept.size,
                content_type=kept.content_type,
                custody=kept.custody,  # type: ignore[arg-type]
                modified_at=kept.modified_at,
                uploaded_at=kept.uploaded_at,
                uploaded_by=kept.uploaded_by.username if kept.uploaded_by else None,
                superseded_at=kept.superseded_at,
            )
            for kept in versions.of(record)
        ]
    }


@router.post(
    "/{uuid:file_id}/versions/{uuid:version}/restore",
    operation_id="restoreFileVersion",
    auth=MANAGE,
    response=answers({200: FileOut}, 404, 422, 502),
    openapi_extra=IDEMPOTENT,
)
def restore_version(request: HttpRequest, file_id: UUID, version: UUID) -> Any:
    """Make a former version the current one again."""
    who = program_of(request)

    def change(record: FileRecord) -> FileOut:
        versions.restore(record, version, by=who, actor=user_of(request))
        return file_out(who, visible(request, file_id))

    return once_found(request, 200, lambda: managed(request, file_id), change)


# --- History ------------------------------------------------------------------------------------


@router.get(
    "/{uuid:file_id}/history",
    operation_id="listFileHistory",
    auth=READ,
    response=answers({200: HistoryOut}, 404),
)
def read_history(
    request: HttpRequest,
    file_id: UUID,
    before: int | None = Query(None, ge=1, le=2**62),
    limit: int = Query(50, ge=1, le=EVENTS),
) -> Any:
    """What happened to a file, for who manages it."""
    record = rereadable(request, file_id)
    user = user_of(request)
    reads_log = user.is_staff and user.has_perm(Permission.READ_LOG)
    page = history.page_of(record, before=before, length=limit, reads_log=reads_log)
    return {
        "events": [
            HappenedOut(
                number=one.number,
                at=one.at,
                event=one.event,
                by=one.who,
                words=f"{one.what}{': ' if one.details else ''}{one.details}",
                token=one.token or None,
            )
            for one in page.entries
        ],
        "next": page.before or None,
    }


AFTER: Any = Query("", max_length=200, description="`next` of the page before.")


@router.get(
    "/{uuid:file_id}/read-by",
    operation_id="listFileReadBy",
    auth=READ,
    response=answers({200: FileReadByOut}, 404),
)
def file_read_by(
    request: HttpRequest,
    file_id: UUID,
    after: str = AFTER,
    limit: int = Query(50, ge=1, le=EVENTS),
) -> Any:
    """Who has read a file, and who has not, for who manages it."""
    record = rereadable(request, file_id)
    begin = going_on(after, position_of(after))
    page = of_file(record, asker=user_of(request), after=begin, length=limit)
    return FileReadByOut(
        people=page.people,
        have_read=page.have_read,
        unnamed=page.unnamed,
        readers=[read_out(one) for one in page.lines],
        former=[former_out(one) for one in page.former],
        outside=[outside_out(one) for one in page.outside],
        next=page.next or None,
    )


# --- Digests ------------------------------------------------------------------------------------


@router.get(
    "/{uuid:file_id}/digest",
    operation_id="getFileDigest",
    auth=READ,
    response=answers({200: DigestOut}, 404, 409, 502),
)
def read_digest(request: HttpRequest, file_id: UUID) -> Any:
    """What the bytes of one file are; of a held one with its `Securestore-Key`."""
    record = visible(request, file_id)
    require(request, Permission.DOWNLOAD)
    key = key_of(request, record)
    if record.is_held and key is None:
        raise KeyNeeded
    found = _digest_out(record, key)
    if found is None:
        raise Problem("gone", "The digests of this file are not known (yet).")
    return found


def _digest_out(record: FileRecord, key: str | None = None) -> DigestOut | None:
    found = opening.digests_of(record.current, key)
    if found is None:
        return None
    known = found.sha256
    return DigestOut(
        id=record.pk,
        version=record.version,
        repr_digest=f"sha-256={byte_sequence(known)}" if known else None,
        sha256=known.hex() if known else None,
        content_chain=byte_sequence(found.chain),
    )


digests_router = Router(tags=["files"])


@digests_router.post("", operation_id="listDigests", auth=READ, response=answers({200: DigestsOut}))
def read_digests(request: HttpRequest, wanted: DigestsIn) -> Any:
    """What the bytes of up to 100 files are; locked ones are left out."""
    require(request, Permission.DOWNLOAD)
    files = visible_to(program_of(request)).select_related("current")
    found = files.filter(pk__in=wanted.files).order_by("pk")
    told = [_digest_out(one) for one in found if not one.is_held]
    return {"digests": [one for one in told if one is not None]}
