"""Uploads: small files in one request each, large ones so that they go on after any cut.

What was sent is digested while it is read, and held against what the site says that it has. A file
whose bytes are there already, under that name, is not sent again: so a command that was killed is
simply given once more.
"""

from __future__ import annotations

import base64
import hashlib
import mimetypes
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import unquote

from .api import Api, Entry
from .digests import (
    SLICE,
    Buffer,
    ContentChain,
    chain_of,
    field,
    parse_field,
    parse_sha256,
    sha256_field,
)
from .errors import CONFLICT, NOT_FOUND, ClientError, Different, Refused
from .left import Left
from .places import Place
from .progress import Progress
from .transport import AGAIN, BLOCK, BROKEN, Answer, Blocks, Trying, refusal

SMALL: Final = 8 * 1024 * 1024
"""Bytes up to which a file goes in one request: what a cut costs is sent again whole."""

PART: Final = 8 * 1024 * 1024
"""The server's parts. What ends with one leaves nothing over there."""

AHEAD: Final = 64 * 1024 * 1024
"""Bytes that are read twice, so that they go in one request: to know beforehand what they have to
be costs less than a request of its own for the last part, which waits for all that is before it."""

TUS: Final = {"Tus-Resumable": "1.0.0"}
TUS_BODY: Final = "application/offset+octet-stream"
TRIES: Final = 3
"""How often a file is sent anew that arrived as something else."""

OTHER_CONTENT: Final = 460
CUT: Final = frozenset({"body_incomplete", "digest_mismatch"})
"""What a site says to a body that did not come as it was sent."""


@dataclass(frozen=True)
class Target:
    """A name in a folder at the site, which is there; how people call that is for messages."""

    folder_id: str
    place: Place

    @property
    def here(self) -> Place:
        """The same, below its folder."""
        return Place((self.place.name,), self.folder_id)


@dataclass(frozen=True)
class Stored:
    """What became of one file."""

    id: str
    name: str
    size: int
    sent: bool
    chain: bytes


@dataclass(frozen=True)
class Shape:
    """What tells that a file here was changed while it was read."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, file: BinaryIO) -> Shape:
        found = os.fstat(file.fileno())
        return cls(found.st_size, found.st_mtime_ns, found.st_ino)


class Putter:
    """Puts files to the site, each from any thread."""

    def __init__(self, api: Api, progress: Progress, conflict: str = "version") -> None:
        self._api = api
        self._server = api.server
        self._progress = progress
        self._conflict = conflict

    def put(self, local: Path, target: Target, there: Entry | None) -> Stored:
        """Put one file; `there` is what has its name already. Raises ClientError."""
        try:
            with local.open("rb", buffering=0) as file:
                shape = Shape.of(file)
                self._progress.expect(shape.size)
                if there is not None and (same := self._same(file, shape.size, there)):
                    self._progress.moved(shape.size)
                    return same
                if there is not None and there.is_folder:
                    raise ClientError(f"{target.place} is a folder.", CONFLICT, "is_a_folder")
                if there is not None and there.is_locked and self._conflict == "version":
                    raise ClientError(
                        f"{target.place} is locked, and a version sent like this would not be. "
                        "Upload it on the page, or say --conflict rename.",
                        CONFLICT,
                        "locked",
                    )
                if there is not None and self._conflict == "refuse":
                    raise ClientError(
                        f"{target.place} is there, and has other bytes.", CONFLICT, "name_taken"
                    )
                # One request has no way to ask for a number.
                in_one = shape.size <= SMALL and self._conflict != "rename"
                send = self._small if in_one else self._large
                stored = send(file, shape, local, target)
                if Shape.of(file) != shape:
                    raise Different(
                        f"{local} was changed while it was sent. What is there now is what was "
                        "read; send it again."
                    )
                return stored
        except OSError as error:
            raise ClientError(
                f"{local}: {error.strerror or error}", _code_of(error), "unreadable"
            ) from error

    def _same(self, file: BinaryIO, size: int, there: Entry) -> Stored | None:
        """What is there, where it has the same bytes."""
        if there.is_folder or there.is_locked or there.size != size:
            return None
        known = self._api.digests([there.id]).get(there.id)
        if known is None or known.chain is None:
            return None
        file.seek(0)
        chain = chain_of(file, size)
        if chain != known.chain:
            return None
        return Stored(there.id, there.name, size, False, chain)

    # --- In one request ---------------------------------------------------------------------------

    def _small(self, file: BinaryIO, shape: Shape, local: Path, target: Target) -> Stored:
        file.seek(0)
        first = _digested(_blocks(file, shape.size))
        modified = moment_of(shape.mtime_ns)
        kept = first.kept

        def body() -> Iterator[Buffer]:
            if kept is not None:
                return iter([kept] if kept else [])
            file.seek(0)
            return _blocks(file, shape.size)

        stored = self._put(body, first, target, modified)
        self._progress.moved(shape.size)
        return stored

    def put_bytes(self, content: bytes, target: Target) -> Stored:
        """Put what is in memory, in one request."""
        digested = _digested(iter([content] if content else []))
        return self._put(lambda: [content] if content else [], digested, target, None)

    def _put(
        self,
        body: Callable[[], Blocks],
        digested: _Digested,
        target: Target,
        modified: str | None,
    ) -> Stored:
        said = {
            "Content-Type": type_of(target.place.name),
            "Repr-Digest": sha256_field(digested.sha256),
        } | ({"Securestore-Modified": modified} if modified else {})
        if self._conflict == "refuse":
            said["If-None-Match"] = "*"
        path = self._api.content_path(target.here)
        trying = Trying(self._server.patience)
        while True:
            try:
                answer = self._server.exchange("PUT", path, said, body(), digested.size)
            except BROKEN as error:
                trying.again(error, self._server)
                # The answer alone may have been lost.
                if stored := self._is_there(digested, target):
                    return stored
                continue
            if answer.status in {200, 201}:
                return self._checked(answer, digested, target)
            refused = refusal(answer)
            if answer.status not in AGAIN and refused.code not in CUT:
                raise refused
            trying.again(refused, self._server)

    def _is_there(self, digested: _Digested, target: Target) -> Stored | None:
        try:
            there = self._api.entry(target.here)
        except ClientError:
            return None
        known = self._api.digests([there.id]).get(there.id) if not there.is_folder else None
        if known is None or known.chain != digested.chain:
            return None
        return Stored(there.id, there.name, digested.size, True, digested.chain)

    def _checked(self, answer: Answer, digested: _Digested, target: Target) -> Stored:
        """What was stored, once it is known to be what was sent."""
        told = answer.json()["file"]
        sha256 = parse_sha256(answer.headers.get("Repr-Digest"))
        if sha256 != digested.sha256:
            raise Different(f"{target.place}: what is stored is not what was sent.")
        return Stored(str(told["id"]), str(told["name"]), digested.size, True, digested.chain)

    # --- So that it goes on after any cut ---------------------------------------------------------

    def _large(self, file: BinaryIO, shape: Shape, local: Path, target: Target) -> Stored:
        left = Left(self._server.url, str(target.place), str(local.absolute()))
        with left.held():
            for _ in range(TRIES):
                upload = self._begun(left, file, shape) or self._begin(left, shape, local, target)
                try:
                    stored = self._go_on(upload, file, shape.size, target)
                except Different:
                    self._give_up(upload.path)
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

    def _begun(self, left: Left, file: BinaryIO, shape: Shape) -> _Upload | None:
        """The upload of this file that was cut off, if what is there is its beginning."""
        noted = left.read()
        if noted.get("shape") != [shape.size, shape.mtime_ns, shape.inode]:
            if path := noted.get("path"):
                self._give_up(str(path))
            return None
        path = str(noted["path"])
        try:
            upload = self._stands(path)
        except Refused as refused:
            if refused.status in {404, 410}:
                return None
            raise
        file.seek(0)
        chain = ContentChain()
        for block in _blocks(file, upload.offset):
            chain.update(block)
        if upload.chain is not None and upload.chain != chain.value:
            self._give_up(path)
            return None
        upload.sent = chain
        self._progress.moved(upload.offset)
        return upload

    def _begin(self, left: Left, shape: Shape, local: Path, target: Target) -> _Upload:
        said = {"Upload-Length": str(shape.size)}
        path = self._create(said, target, moment_of(shape.mtime_ns))
        left.note(path=path, shape=[shape.size, shape.mtime_ns, shape.inode])
        return _Upload(path)

    def _create(self, said: dict[str, str], target: Target, modified: str | None) -> str:
        told = {
            "filename": target.place.name,
            "filetype": type_of(target.place.name),
            "conflict": self._conflict,
            "folder": target.folder_id,
            "modified": modified or "",
        }
        pairs = (
            f"{name} {base64.b64encode(value.encode()).decode()}"
            for name, value in told.items()
            if value
        )
        headers = TUS | said | {"Upload-Metadata": ",".join(pairs)}
        trying = Trying(self._server.patience)
        while True:
            try:
                # An upload of which no byte came is given up by the site itself.
                answer = self._server.exchange("POST", "/uploads/", headers, (), 0)
            except BROKEN as error:
                trying.again(error, self._server)
                continue
            if answer.status == 201:
                return "/uploads/" + answer.headers["Location"].rpartition("/")[2]
            refused = refusal(answer)
            if answer.status not in AGAIN:
                raise refused
            trying.again(refused, self._server)

    def _stands(self, path: str) -> _Upload:
        """Where an upload stands."""
        answer = self._server.ask("HEAD", path, headers=TUS)
        upload = _Upload(path)
        upload.take(answer)
        return upload

    def _go_on(self, upload: _Upload, file: BinaryIO, size: int, target: Target) -> Stored:
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
        if upload.chain is not None and upload.chain != upload.sent.value:
            raise Different(f"{target.place}: what is stored is not what was sent.")
        name = unquote(upload.name) if upload.name else target.place.name
        return Stored(upload.file_id, name, size, True, upload.sent.value)

    def _patch(self, upload: _Upload, file: BinaryIO, end: int, *, is_last: bool) -> Answer:
        """Send the bytes up to `end`."""
        file.seek(upload.offset)
        headers = TUS | {
            "Content-Type": TUS_BODY,
            "Upload-Offset": str(upload.offset),
            "Upload-Content-Chain": field(upload.sent.value),
        }
        body: Iterator[Buffer]
        if is_last:
            # Read once for its digest, and once more to be sent.
            for block in _blocks(file, end - upload.offset, 4 * BLOCK):
                upload.sent.update(block)
            headers["Upload-Expected-Chain"] = field(upload.sent.value)
            file.seek(upload.offset)
            body = _blocks(file, end - upload.offset, 4 * BLOCK)
        else:
            body = _digesting(_blocks(file, end - upload.offset, 4 * BLOCK), upload.sent)
        counted = self._counted(body)
        return self._server.exchange("PATCH", upload.path, headers, counted, end - upload.offset)

    def _counted(self, blocks: Iterator[Buffer]) -> Iterator[Buffer]:
        for block in blocks:
            yield block
            self._progress.moved(len(block))

    def _where(self, upload: _Upload, file: BinaryIO, trying: Trying, error: BaseException) -> None:
        """After a cut: what is safe, and its chain of what is here."""
        before = upload.offset
        trying.again(error, self._server)
        fresh = self._stands(upload.path)
        if fresh.offset > before:
            trying.got_on()
        file.seek(0)
        upload.sent = ContentChain()
        for block in _blocks(file, fresh.offset):
            upload.sent.update(block)
        upload.offset, upload.chain = fresh.offset, fresh.chain
        upload.file_id, upload.name = fresh.file_id, fresh.name
        if upload.chain is not None and upload.chain != upload.sent.value:
            raise Different("What arrived is not what was sent.")

    def _give_up(self, path: str) -> None:
        try:
            self._server.ask("DELETE", path, headers=TUS)
        except ClientError:
            return  # It expires by itself.

    # --- Of standard input ------------------------------------------------------------------------

    def put_stream(self, stream: BinaryIO, target: Target) -> Stored:
        """Put what comes, of whatever length. Only what is not safe yet is kept in memory."""
        block = _filled(stream, PART)
        if len(block) < PART and self._conflict != "rename":
            return self.put_bytes(block, target)
        upload = _Upload(self._create({"Upload-Defer-Length": "1"}, target, None))
        try:
            while True:
                after = _filled(stream, PART)
                self._send_block(upload, block, is_last=not after)
                if not after:
                    break
                block = after
        except BaseException:
            self._give_up(upload.path)
            raise
        if not upload.file_id or (upload.chain is not None and upload.chain != upload.sent.value):
            raise Different(f"{target.place}: what is stored is not what was sent.")
        name = unquote(upload.name) if upload.name else target.place.name
        return Stored(upload.file_id, name, upload.offset, True, upload.sent.value)

    def _send_block(self, upload: _Upload, block: bytes, *, is_last: bool) -> None:
        start, end = upload.offset, upload.offset + len(block)
        self._progress.expect(len(block))
        upload.sent.update(block)
        trying = Trying(self._server.patience)
        while True:
            headers = TUS | {"Content-Type": TUS_BODY, "Upload-Offset": str(upload.offset)}
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
            fresh = self._stands(upload.path)
            if not start <= fresh.offset <= end:
                raise Different("The site lost what was safe of this upload.")
            upload.offset, upload.file_id = fresh.offset, fresh.file_id
            upload.name, upload.chain = fresh.name, fresh.chain
            if upload.offset == end and (upload.file_id or not is_last):
                return


class _Upload:
    """A resumable upload as this side knows it: what is safe, and the chain of what was sent."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.offset = 0
        self.chain: bytes | None = None
        self.sent = ContentChain()
        self.file_id = ""
        self.name = ""

    def take(self, answer: Answer) -> None:
        """Note what an answer says."""
        self.offset = int(answer.headers["Upload-Offset"])
        self.chain = parse_field(answer.headers.get("Upload-Content-Chain"))
        self.file_id = answer.headers.get("Securestore-File", "")
        self.name = answer.headers.get("Securestore-Name", "")


@dataclass(frozen=True)
class _Digested:
    """Bytes that were read once: both digests, and themselves where they are few."""

    size: int
    sha256: bytes
    chain: bytes
    kept: bytes | None


def _digested(blocks: Iterator[Buffer]) -> _Digested:
    chain, whole, size, kept = ContentChain(), hashlib.sha256(), 0, b""
    for block in blocks:
        chain.update(block)
        whole.update(block)
        size += len(block)
        if size <= SLICE:
            kept += bytes(block)
    return _Digested(size, whole.digest(), chain.value, kept if size <= SLICE else None)


def _blocks(file: BinaryIO, length: int, size: int = BLOCK) -> Iterator[Buffer]:
    """The next bytes of a file. Raises Different where it has fewer."""
    if not length:
        return
    buffer = memoryview(bytearray(min(size, length)))
    while length:
        count = file.readinto(buffer[: min(len(buffer), length)])  # type: ignore[attr-defined]
        if not count:
            raise Different("The file became shorter while it was read.")
        length -= count
        yield buffer[:count]


def _digesting(blocks: Iterator[Buffer], chain: ContentChain) -> Iterator[Buffer]:
    """The same blocks, each digested in another thread while it is sent."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as beside:
        for block in blocks:
            digested = beside.submit(chain.update, block)
            try:
                yield block
            finally:
                digested.result()


def _filled(stream: BinaryIO, size: int) -> bytes:
    """So many bytes of a pipe, or all that there are left."""
    found = bytearray()
    while len(found) < size and (data := stream.read(min(BLOCK, size - len(found)))):
        found += data
    return bytes(found)


def type_of(name: str) -> str:
    """The type that its name says."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def moment_of(nanoseconds: int) -> str | None:
    """A time of a file as the site takes it; None where it is none that it takes."""
    try:
        moment = datetime.fromtimestamp(nanoseconds // 1000 / 1e6, UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return moment.isoformat().replace("+00:00", "Z") if 1970 <= moment.year <= 9000 else None


def _code_of(error: OSError) -> int:
    return NOT_FOUND if isinstance(error, FileNotFoundError) else 1
