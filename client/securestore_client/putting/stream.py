"""Standard input, of whatever length: only what is not safe yet is kept in memory."""

from __future__ import annotations

from typing import BinaryIO

from ..digests import field
from ..errors import Different
from ..progress import Progress
from ..transport import AGAIN, BROKEN, Server, Trying, refusal
from .in_one import InOne
from .source import filled
from .stored import Stored, Target
from .uploads import BODY, OTHER_CONTENT, PART, TUS, Upload, Uploads


class Stream:
    """Puts what comes from a pipe."""

    def __init__(self, in_one: InOne, server: Server, progress: Progress, conflict: str) -> None:
        self._in_one = in_one
        self._server = server
        self._progress = progress
        self._conflict = conflict
        self._uploads = Uploads(server, conflict)

    def put(self, stream: BinaryIO, target: Target) -> Stored:
        """Put all of it. Raises ClientError."""
        block = filled(stream, PART)
        if len(block) < PART and self._conflict != "rename":
            return self._in_one.put_bytes(block, target)
        upload = self._uploads.begin({"Upload-Defer-Length": "1"}, target, None)
        try:
            while True:
                after = filled(stream, PART)
                self._send(upload, block, is_last=not after)
                if not after:
                    break
                block = after
        except BaseException:
            self._uploads.give_up(upload.path)
            raise
        return upload.stored(upload.offset, target)

    def _send(self, upload: Upload, block: bytes, *, is_last: bool) -> None:
        """Send one block, going on after cuts until all of it is safe."""
        start, end = upload.offset, upload.offset + len(block)
        self._progress.expect(len(block))
        upload.sent.update(block)
        trying = Trying(self._server.patience)
        while True:
            headers = TUS | {"Content-Type": BODY, "Upload-Offset": str(upload.offset)}
            headers["Upload-Expected-Chain"] = field(upload.sent.value)
            if is_last:
                headers["Upload-Length"] = str(end)
            rest = memoryview(block)[upload.offset - start :]
            error: BaseException
            try:
                answer = self._server.exchange(
                    "PATCH", upload.path, headers, [rest] if rest else [], len(rest)
                )
            except BROKEN as broken:
                error = broken
            else:
                if answer.status == 204:
                    upload.take(answer)
                    self._progress.moved(len(block))
                    return
                error = refusal(answer)
                if answer.status not in AGAIN | {409, OTHER_CONTENT}:
                    raise error
            trying.again(error, self._server)
            fresh = self._uploads.at(upload.path)
            if not start <= fresh.offset <= end:
                raise Different("The site lost what was safe of this upload.")
            upload.offset, upload.file_id = fresh.offset, fresh.file_id
            upload.name, upload.chain = fresh.name, fresh.chain
            if upload.offset == end and (upload.file_id or not is_last):
                return
