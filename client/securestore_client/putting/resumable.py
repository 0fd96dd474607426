"""A large file, so that it goes on after any cut: of the connection, or of this program.

What was begun is noted here until it is complete, so that the same command goes on with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from ..digests import Buffer, ContentChain, field
from ..errors import Different, Refused
from ..left import Left
from ..progress import Progress
from ..transport import AGAIN, BLOCK, BROKEN, Answer, Server, Trying, refusal
from .source import Shape, blocks, digesting, moment_of
from .stored import Stored, Target
from .uploads import BODY, OTHER_CONTENT, PART, TUS, Upload, Uploads

AHEAD: Final = 64 * 1024 * 1024
"""Bytes that are read twice, so that they go in one request: to know beforehand what they have to
be costs less than a request of its own for the last part, which waits for all that is before it."""

TRIES: Final = 3
"""How often a file is sent anew that arrived as something else."""


class Resumable:
    """Puts large files, each from any thread."""

    def __init__(self, server: Server, progress: Progress, conflict: str) -> None:
        self._server = server
        self._progress = progress
        self._uploads = Uploads(server, conflict)

    def put(self, file: BinaryIO, shape: Shape, local: Path, target: Target) -> Stored:
        """Put an open file, going on with what was begun. Raises ClientError."""
        left = Left(self._server.url, str(target.place), str(local.absolute()))
        with left.held():
            for _ in range(TRIES):
                upload = self._begun(left, file, shape) or self._begin(left, shape, target)
                try:
                    stored = self._go_on(upload, file, shape.size, target)
                except Different:
                    self._uploads.give_up(upload.path)
                    left.forget()
                    if Shape.of(file) != shape:
                        raise
                    continue
                except Refused as refused:
                    # Expired meanwhile, or lost by the store.
                    if refused.status not in {404, 410}:
                        raise
                    left.forget()
                    continue
                left.forget()
                return stored
        raise Different(f"{target.place}: what arrives is not what is sent, again and again.")

    def _begun(self, left: Left, file: BinaryIO, shape: Shape) -> Upload | None:
        """The upload of this file that was cut off, if what is there is its beginning."""
        noted = left.read()
        if noted.get("shape") != [shape.size, shape.mtime_ns, shape.inode]:
            if path := noted.get("path"):
                self._uploads.give_up(str(path))
            return None
        path = str(noted["path"])
        try:
            upload = self._uploads.at(path)
        except Refused as refused:
            if refused.status in {404, 410}:
                return None
            raise
        upload.sent = _chain_of_first(file, upload.offset)
        if upload.chain is not None and upload.chain != upload.sent.value:
            self._uploads.give_up(path)
            return None
        self._progress.moved(upload.offset)
        return upload

    def _begin(self, left: Left, shape: Shape, target: Target) -> Upload:
        # What is said to be empty is a file as soon as it is begun: two of them, where the answer
        # was lost and it is begun again.
        said = {"Upload-Length": str(shape.size)} if shape.size else {"Upload-Defer-Length": "1"}
        upload = self._uploads.begin(said, target, moment_of(shape.mtime_ns))
        left.note(path=upload.path, shape=[shape.size, shape.mtime_ns, shape.inode])
        return upload

    def _go_on(self, upload: Upload, file: BinaryIO, size: int, target: Target) -> Stored:
        """Send what is missing. Raises Different where the bytes there are not the file's."""
        trying = Trying(self._server.patience)
        while not upload.file_id:
            # Of many the last part goes by itself: by then it is known what the whole has to be.
            tail = (max(size - 1, 0) // PART) * PART
            end = size if upload.offset >= tail or size - upload.offset <= AHEAD else tail
            before = upload.offset
            try:
                answer = self._patch(upload, file, end, is_last=end == size)
            except BROKEN as error:
                self._where(upload, file, trying, error)
                continue
            if answer.status == 204:
                upload.take(answer)
                if upload.offset > before:
                    trying.got_on()
                continue
            refused = refusal(answer)
            if answer.status == OTHER_CONTENT or (
                answer.status == 409 and "Upload-Content-Chain" in answer.headers
            ):
                raise Different(str(refused))
            if answer.status not in AGAIN | {409}:
                raise refused
            self._where(upload, file, trying, refused)
        return upload.stored(size, target)

    def _patch(self, upload: Upload, file: BinaryIO, end: int, *, is_last: bool) -> Answer:
        """Send the bytes up to `end`."""
        file.seek(upload.offset)
        headers = TUS | {
            "Content-Type": BODY,
            "Upload-Offset": str(upload.offset),
            "Upload-Content-Chain": field(upload.sent.value),
        }
        if not end:
            headers["Upload-Length"] = "0"
        body: Iterator[Buffer]
        if is_last:
            # Read once for its digest, and once more to be sent.
            for block in blocks(file, end - upload.offset, 4 * BLOCK):
                upload.sent.update(block)
            headers["Upload-Expected-Chain"] = field(upload.sent.value)
            file.seek(upload.offset)
            body = blocks(file, end - upload.offset, 4 * BLOCK)
        else:
            body = digesting(blocks(file, end - upload.offset, 4 * BLOCK), upload.sent)
        counted = self._counted(body)
        return self._server.exchange("PATCH", upload.path, headers, counted, end - upload.offset)

    def _counted(self, sent: Iterator[Buffer]) -> Iterator[Buffer]:
        for block in sent:
            yield block
            self._progress.moved(len(block))

    def _where(self, upload: Upload, file: BinaryIO, trying: Trying, error: BaseException) -> None:
        """After a cut: what is safe, and its chain of what is here."""
        before = upload.offset
        trying.again(error, self._server)
        fresh = self._uploads.at(upload.path)
        if fresh.offset > before:
            trying.got_on()
        upload.sent = _chain_of_first(file, fresh.offset)
        upload.offset, upload.chain = fresh.offset, fresh.chain
        upload.file_id, upload.name = fresh.file_id, fresh.name
        if upload.chain is not None and upload.chain != upload.sent.value:
            raise Different("What arrived is not what was sent.")


def _chain_of_first(file: BinaryIO, size: int) -> ContentChain:
    """The chain of the first bytes of a file. Raises Different where it has fewer."""
    file.seek(0)
    chain = ContentChain()
    for block in blocks(file, size):
        chain.update(block)
    return chain
