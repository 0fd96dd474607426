"""`PUT`: stores one file in one request, once, however often the request is sent.

Half a body stores nothing: neither a file nor a folder. What a request is answered again never has
a key of the file.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
)
from django.views.decorators.debug import sensitive_variables

from files.errors import NoSuchVersion, VaultError
from files.folders import making
from files.keys.custody import UserKey
from files.models import Conflict, Custody, FileRecord, Folder
from files.vault import opening, storing, versions
from files.vault.destinations import Destination
from files.web.api.answers import Asked, id_alone, is_answered, keep, replay
from files.web.api.content.receiving import received
from files.web.api.content.targets import Target, failed_condition, find_target
from files.web.api.entrance import program_of, user_of
from files.web.api.problems import Problem
from files.web.api.shapes.contents import StoredOut
from files.web.api.shapes.items import file_out
from files.web.transfers.bodies import declared_length
from files.web.transfers.moments import parse_moment
from files.web.transfers.structured import byte_sequence

MODIFIED: Final = "Securestore-Modified"
_TAKES = frozenset({"parents", "custody"})
"""What may be asked for in the address of a PUT."""


@sensitive_variables()
def put(request: HttpRequest, base: Folder, names: list[str]) -> HttpResponseBase:
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
        for data in received(request, length):
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
    target = find_target(request, program_of(request), base, names)
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


def _keep(request: HttpRequest, asked: Asked | None, target: Target, record: FileRecord) -> None:
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


def _stored(request: HttpRequest, target: Target, asked: Asked | None) -> tuple[FileRecord, int]:
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
        for data in received(request, length):
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
    target: Target, kept: Callable[[Target, FileRecord], None], records: list[FileRecord]
) -> None:
    """Whether what has come of it is what was asked for. Before anybody sees it. Raises Problem."""
    [record] = records
    if target.must_be_new and record.name != target.name:
        raise failed_condition()
    if target.must_be is not None or target.must_not_be:
        before = versions.of(record).first()
        if target.must_be is not None and (before is None or before.version.hex != target.must_be):
            raise failed_condition()
        if before is not None and f'"{before.version.hex}"' in target.must_not_be:
            raise failed_condition()
    kept(target, record)


def _modified(request: HttpRequest) -> Any:
    text = request.headers.get(MODIFIED)
    if text is None:
        return None
    try:
        return parse_moment(text)
    except ValueError as error:
        raise Problem("invalid", f"{MODIFIED} is not usable: {error}") from None


def _body(target: Target, record: FileRecord, status: int) -> StoredOut:
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
    request: HttpRequest, target: Target, record: FileRecord, status: int
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
