"""A file in one request, by its path: `PUT`, `GET`, `HEAD`; and by its id: `GET`, `HEAD`.

Half a body stores nothing: neither a file nor a folder. What may make a version and what is
refused is decided as for every upload (`files.vault.destinations`).
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, cast

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    JsonResponse,
    UnreadablePostError,
)
from django.utils.http import parse_etags
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables

from accounts import tokens
from accounts.models import User
from files.access.permissions import Permission
from files.access.principals import Program, Scope
from files.access.rule import addable_by, replaceable_by
from files.errors import MayNotAdd, NoSuchVersion, VaultError
from files.folders import making
from files.keys.custody import UserKey
from files.models import Conflict, Custody, FileRecord, Folder
from files.sharing import denials
from files.tree import placing
from files.vault import opening, storing, versions
from files.vault.destinations import Destination
from files.web.api import paths
from files.web.api.answers import Asked, id_alone, is_answered, keep, replay
from files.web.api.entrance import answering, enter, program_of, require, token_of, user_of
from files.web.api.keys import key_of as file_key_of
from files.web.api.problems import Problem
from files.web.api.shapes.contents import StoredOut
from files.web.api.shapes.items import file_out
from files.web.requested import (
    denied,
    denied_folder,
    is_still_open_to,
    rereadable,
    visible,
    visible_folder,
)
from files.web.transfers import downloads
from files.web.transfers.bodies import declared_length
from files.web.transfers.moments import parse_moment
from files.web.transfers.structured import byte_sequence, parse_byte_sequence
from runtime import slowness

CHUNK: Final = 256 * 1024
MODIFIED: Final = "Securestore-Modified"
_DIGEST = re.compile(r"(?:^|,)\s*sha-256\s*(?:=\s*([^,;]*))?", re.IGNORECASE)
_TAKES = frozenset({"parents", "custody"})
"""What may be asked for in the address of a PUT."""


@csrf_exempt
@answering
def by_path(request: HttpRequest, path: str) -> HttpResponseBase:
    """`/content/<path>`: from the root of one's own files."""
    scope = _scope_of(request)
    if scope is None:
        return _not_allowed()
    enter(request, scope)
    names = paths.segments_of(request, path)
    root = placing.root_of(user_of(request))
    root.owner = user_of(request)
    return _content(request, root, names)


@csrf_exempt
@answering
def by_folder_and_path(request: HttpRequest, folder_id: uuid.UUID, path: str) -> HttpResponseBase:
    """`/folders/<uuid>/content/<path>`: from a folder that one may reach."""
    scope = _scope_of(request)
    if scope is None:
        return _not_allowed()
    enter(request, scope)
    names = paths.segments_of(request, path)
    return _content(request, visible_folder(request, folder_id), names)


@csrf_exempt
@answering
def by_id(request: HttpRequest, file_id: uuid.UUID) -> HttpResponseBase:
    """`/files/<uuid>/content`: the bytes of a file."""
    if request.method not in {"GET", "HEAD"}:
        return HttpResponseNotAllowed(["GET", "HEAD"])
    enter(request, Scope.READ)
    return _send(request, visible(request, file_id))


@csrf_exempt
@answering
def by_version(request: HttpRequest, file_id: uuid.UUID, version: uuid.UUID) -> HttpResponseBase:
    """`/files/<uuid>/versions/<uuid>/content`: the bytes of a former version."""
    if request.method not in {"GET", "HEAD"}:
        return HttpResponseNotAllowed(["GET", "HEAD"])
    enter(request, Scope.READ)
    try:
        record = versions.find(rereadable(request, file_id), version)
    except NoSuchVersion:
        raise Http404 from None
    return _send(request, record)


def _scope_of(request: HttpRequest) -> Scope | None:
    scopes = {"GET": Scope.READ, "HEAD": Scope.READ, "PUT": Scope.ADD}
    return scopes.get(request.method or "")


def _not_allowed() -> HttpResponseBase:
    return HttpResponseNotAllowed(["GET", "HEAD", "PUT"])


def _content(request: HttpRequest, base: Folder, names: list[str]) -> HttpResponseBase:
    if request.method == "PUT":
        return _put(request, base, names)
    reached = paths.follow(request, base, names)
    entry = reached.entry if len(reached.missing) == 1 else None
    if entry is None:
        raise Http404
    if entry.folder is not None:
        raise Problem("is_a_folder", "There is a folder of that name, and no file.")
    return _send(request, visible(request, cast("uuid.UUID", entry.file_id)))


# --- Out ----------------------------------------------------------------------------------------


@sensitive_variables()
def _send(request: HttpRequest, record: FileRecord) -> HttpResponseBase:
    if not user_of(request).has_perm(Permission.DOWNLOAD):
        denied(request, [record.pk], denials.NO_PERMISSION)
        raise Problem("no_permission", "Your account may not download files.")
    if downloads.is_part_of_a_page(request, record):
        raise PermissionDenied
    key = file_key_of(request, record)
    still_allowed = partial(_still_allowed, token_of(request).pk, program_of(request), record)
    response = downloads.answer(request, record, still_allowed, key)
    if response.status_code in {412, 416}:
        code = "precondition_failed" if response.status_code == 412 else "range_not_satisfiable"
        problem = Problem(code).response()
        for name in ("ETag", "Content-Range"):
            if name in response.headers:
                problem[name] = response.headers[name]
        return problem
    response["Securestore-File"] = str(record.pk)
    return response


def _still_allowed(token_id: int, who: Program, record: FileRecord) -> bool:
    """Asked again in the middle of a download: the token, its person, and the rule."""
    fresh = User.objects.filter(pk=who.user.pk).first()
    if fresh is None or not fresh.has_perm(Permission.DOWNLOAD) or not tokens.is_live(token_id):
        return False
    return is_still_open_to(Program(fresh, who.scopes, who.folder), record)


# --- In -----------------------------------------------------------------------------------------


@dataclass
class _Target:
    """Where a file goes, as it is found before its first byte."""

    who: Program
    folder: Folder
    """The last one of the path that is there."""
    missing: list[str]
    """The names of folders that are to be made."""
    name: str
    there: FileRecord | None = None
    must_be: str | None = None
    """The version that has to be there at the end as well, in hex."""
    must_be_new: bool = False
    must_not_be: frozenset[str] = frozenset()
    """The ETags that what was there must not have at the end either."""
    keys: list[UserKey] = field(default_factory=list)

    def status_of(self, record: FileRecord) -> int:
        """200 for a new version of what was there, else 201."""
        return 200 if self.there is not None and record.pk == self.there.pk else 201

    @property
    def conflict(self) -> Conflict:
        """What a name means that is taken."""
        return Conflict.REFUSE if self.must_be_new else Conflict.VERSION


def _target(request: HttpRequest, who: Program, base: Folder, names: list[str]) -> _Target:
    """What is there, and whether it may be replaced. Raises Problem, Http404."""
    require(request, Permission.UPLOAD)
    reached = paths.follow(request, base, names)
    entry = reached.entry
    *missing, name = reached.missing
    target = _Target(who, reached.folder, missing, name)
    if not addable_by(who).filter(pk=reached.folder.pk).exists():
        denied_folder(request, reached.folder.pk, denials.NO_PERMISSION)
        raise MayNotAdd
    if missing and entry is not None:
        raise Problem("not_a_folder", f"“{missing[0]}” is a file there.", name=missing[0])
    if missing and request.GET.get("parents") != "1":
        raise Problem(
            "folder_missing",
            f"There is no folder “{missing[0]}”: make it first, or send ?parents=1.",
            name=missing[0],
        )
    if entry is not None and entry.folder is not None:
        raise Problem("is_a_folder", "There is a folder of that name.", name=entry.folder.name)
    target.there = entry.file if entry is not None and not missing else None
    _conditions(request, target)
    if target.there is not None and not _may_replace(who, target.there):
        raise Problem(
            "name_taken",
            f"“{target.there.name}” exists there, and is not yours to replace: take another name.",
            name=target.there.name,
        )
    return target


def _may_replace(who: Program, record: FileRecord) -> bool:
    return replaceable_by(who).filter(pk=record.pk).exists()


def _conditions(request: HttpRequest, target: _Target) -> None:
    """RFC 9110, 13.2.2, of what is there now. Raises Problem."""
    there = target.there
    wanted = request.headers.get("If-Match")
    if wanted is not None:
        tags = set(parse_etags(wanted))
        if there is None or not {"*", downloads.etag_of(there)} & tags:
            raise _failed()
        target.must_be = there.version.hex
    unwanted = request.headers.get("If-None-Match")
    if unwanted is None:
        return
    target.must_not_be = frozenset(parse_etags(unwanted))
    if not target.must_not_be:
        # To ignore it would be to replace what was not to be replaced.
        raise Problem("invalid", "If-None-Match has no ETag: it is in quotation marks, or *.")
    target.must_be_new = "*" in target.must_not_be
    if there is not None and {"*", downloads.etag_of(there)} & target.must_not_be:
        raise _failed()


def _failed() -> Problem:
    return Problem("precondition_failed", "What is there is not what the condition says.")


@sensitive_variables()
def _put(request: HttpRequest, base: Folder, names: list[str]) -> HttpResponseBase:
    asked = Asked.of(request)
    if asked is None:
        return _put_once(request, base, names, None)
    try:
        # Before any condition: of what this very request has made, none would hold any more.
        if not is_answered(request, asked):
            return _put_once(request, base, names, asked)
    except (IntegrityError, Problem, VaultError):
        # Another one with the same key may have been faster.
        if not is_answered(request, asked):
            raise
    length = declared_length(request)
    if asked.seen < length:
        for data in _received(request, length):
            asked.update(data)
    kept = replay(request, asked)
    if kept is None:
        raise Problem("idempotency_key_reused", "Its answer is kept no longer: take another key.")
    told = json.loads(kept.content)
    # Of a held file the id alone was kept.
    file = told.get("file", told)
    _name(kept, file["id"], file.get("etag"))
    if "version" in file:
        _tell_digest(kept, _version(uuid.UUID(file["id"]), uuid.UUID(file["version"])))
    return kept


def _version(file_id: uuid.UUID, version: uuid.UUID) -> FileRecord | None:
    """A file as it was stored by a request before, if it is there; a newer one may be by now."""
    record = FileRecord.objects.select_related("current").filter(pk=file_id).first()
    if record is None or record.version == version:
        return record
    try:
        return versions.find(record, version)
    except NoSuchVersion:
        return None


@sensitive_variables()
def _put_once(
    request: HttpRequest, base: Folder, names: list[str], asked: Asked | None
) -> HttpResponseBase:
    _check_query(request)
    custody = request.GET.get("custody", Custody.MANAGED)
    if custody not in Custody:
        raise Problem("invalid", "The custody of a file is managed or held.")
    if request.GET.get("parents", "1") != "1":
        raise Problem("invalid", "parents is 1, or is left out.")
    target = _target(request, program_of(request), base, names)
    target.keys = [UserKey.generated()] if custody == Custody.HELD else []
    record, status = _stored(request, target, asked)
    return _told(request, target, record, status)


def _check_query(request: HttpRequest) -> None:
    """Raise Problem for what is not taken: who says `conflict=refuse` counts on its being done."""
    for name, values in request.GET.lists():
        if name not in _TAKES:
            raise Problem(
                "invalid",
                f"“{name[:40]}” is not taken here: parents and custody are. What may not be "
                "replaced is said by If-None-Match: *, or by If-Match.",
            )
        if len(values) > 1:
            raise Problem("invalid", f"{name} is said {len(values)} times: say it once.")


def _keep(request: HttpRequest, asked: Asked | None, target: _Target, record: FileRecord) -> None:
    """What the same request will be answered. In the transaction that makes the file."""
    if asked is None:
        return
    status = target.status_of(record)
    body = _body(target, record, status)
    if target.keys:
        kept: dict[str, Any] = id_alone(record.pk)
    else:
        kept = body.model_dump(mode="json")
    keep(request, asked, status, kept)


def _stored(request: HttpRequest, target: _Target, asked: Asked | None) -> tuple[FileRecord, int]:
    """The file, once all of its bytes are safe and checked. Raises Problem, and as `Upload`."""
    user, length = user_of(request), declared_length(request)
    upload = storing.Upload(
        user,
        name=target.name,
        content_type=request.content_type,
        size=length,
        modified_at=_modified(request),
        destination=Destination(
            target.folder, Conflict.RENAME if target.missing else target.conflict, target.who
        ),
    )
    kept = partial(_keep, request, asked)
    try:
        for data in _received(request, length):
            upload.write(data)
            if asked is not None:
                asked.update(data)
        upload.finish()
        publish = partial(
            storing.publish, [upload], target.keys or None, check=partial(_check, target, kept)
        )
        if target.missing:
            # The folders stand with the file, or not at all.
            with transaction.atomic():
                made = making.make_path(target.folder, target.missing, by=target.who, actor=user)
                made.owner = target.folder.owner
                upload.direct(Destination(made, target.conflict, target.who))
                [record] = publish()
        else:
            [record] = publish()
    finally:
        upload.abort()
    return record, target.status_of(record)


def _check(
    target: _Target, kept: Callable[[_Target, FileRecord], None], records: list[FileRecord]
) -> None:
    """Whether what has come of it is what was asked for. Before anybody sees it. Raises Problem."""
    [record] = records
    if target.must_be_new and record.name != target.name:
        raise _failed()
    if target.must_be is not None or target.must_not_be:
        before = versions.of(record).first()
        if target.must_be is not None and (before is None or before.version.hex != target.must_be):
            raise _failed()
        if before is not None and f'"{before.version.hex}"' in target.must_not_be:
            raise _failed()
    kept(target, record)


def _received(request: HttpRequest, length: int) -> Iterator[bytes]:
    """All of the body as it comes. Raises Problem in its end, where it is not what was declared."""
    wanted = _digest_in(request)
    digest, received = hashlib.sha256(), 0
    while received < length and (data := _read(request, min(CHUNK, length - received))):
        received += len(data)
        if wanted is not None:
            digest.update(data)
        yield data
    if received < length:
        if (slow := slowness.slowness_of(request)) is not None:
            raise Problem("too_slow", f"{slow} Nothing was stored.")
        raise Problem("body_incomplete", f"{received} of {length} bytes came. Nothing was stored.")
    if wanted is not None and digest.digest() != wanted:
        raise Problem(
            "digest_mismatch", "What came is not what its digest says. Nothing was stored."
        )


def _read(request: HttpRequest, size: int) -> bytes:
    try:
        return request.read(size)
    except UnreadablePostError:
        return b""


def _digest_in(request: HttpRequest) -> bytes | None:
    """SHA-256 of the body, as its client says it (RFC 9530); of other kinds nothing is known.

    Raises Problem where it is none: who sent it counts on its being compared.
    """
    found_all: set[bytes] = set()
    # Bodies are taken as they are: both are digests of the same bytes.
    for name in ("Repr-Digest", "Content-Digest"):
        header = request.headers.get(name)
        if header is not None and not header.strip():
            # Of one that is not ASCII the server leaves nothing.
            raise Problem("invalid", f"{name} is empty, or is not ASCII.")
        if header is None or (found := _DIGEST.search(header)) is None:
            continue
        digest = parse_byte_sequence(found[1] or "")
        if digest is None or len(digest) != hashlib.sha256().digest_size:
            raise Problem("invalid", f"{name} is not the SHA-256 of anything.")
        found_all.add(digest)
    if len(found_all) > 1:
        raise Problem("invalid", "Repr-Digest and Content-Digest are of two different bodies.")
    return found_all.pop() if found_all else None


def _modified(request: HttpRequest) -> Any:
    text = request.headers.get(MODIFIED)
    if text is None:
        return None
    try:
        return parse_moment(text)
    except ValueError as error:
        raise Problem("invalid", f"{MODIFIED} is not usable: {error}") from None


def _body(target: _Target, record: FileRecord, status: int) -> StoredOut:
    fresh = FileRecord.objects.select_related("owner", "current").get(pk=record.pk)
    return StoredOut(
        file=file_out(target.who, fresh),
        outcome="created" if status == 201 else "version",
        key=target.keys[0].text if target.keys else None,
    )


def _name(response: HttpResponse, file_id: str, etag: str | None) -> None:
    """The headers that say which file an answer is about, the first one's and its replays'."""
    if etag is not None:
        response["ETag"] = etag
    response["Securestore-File"] = file_id
    if response.status_code == 201:
        response["Location"] = f"/api/v1/files/{file_id}/content"


@sensitive_variables()
def _told(
    request: HttpRequest, target: _Target, record: FileRecord, status: int
) -> HttpResponseBase:
    body = _body(target, record, status)
    response = JsonResponse(body.model_dump(mode="json"), status=status)
    _name(response, str(record.pk), body.file.etag)
    if target.keys:
        response["Securestore-Key"] = target.keys[0].text
        return response
    _tell_digest(response, record)
    return response


def _tell_digest(response: HttpResponse, record: FileRecord | None) -> None:
    """What the bytes are that were written and read back, where that is known."""
    found = opening.digests_of(record.current) if record is not None else None
    if found is not None and found.sha256 is not None:
        response["Repr-Digest"] = f"sha-256={byte_sequence(found.sha256)}"
