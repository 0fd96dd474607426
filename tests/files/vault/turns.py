"""Turns at an upload, as requests take them: some parts and frames of a content that is known."""

from __future__ import annotations

from files.crypto.stream.layout import FRAME_PAYLOAD
from files.models import FileRecord, UploadSession
from files.vault import opening
from files.vault.continuing import Continuation
from tests.files.vault.faults import PART

SIZE = PART + 3 * FRAME_PAYLOAD + 1000

PATTERN = bytes(range(251)) * (SIZE // 251 + 1)

CONTENT = PATTERN[:SIZE]


def fresh(session: UploadSession) -> UploadSession:
    return UploadSession.objects.select_related("object").get(pk=session.pk)


def send(
    session: UploadSession, stop: int | None = None, *, chunk: int = 256 * 1024
) -> FileRecord | None:
    """Send the content from where it is safe to `stop`, as one request would."""
    offset = fresh(session).offset
    with Continuation(fresh(session), offset) as turn:
        for start in range(offset, SIZE if stop is None else stop, chunk):
            turn.write(CONTENT[start : min(start + chunk, SIZE if stop is None else stop)])
        return turn.settle()


def content_of(record: FileRecord | None) -> bytes:
    assert record is not None
    found = FileRecord.objects.select_related("current").get(pk=record.pk)
    return b"".join(opening.open_file(found).chunks())
