"""A small file in one request: what a cut costs is sent again whole.

It goes with a key by which the site knows it again: where only the answer was lost, the same bytes
become no second version, and the answer is given once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from ..api import Api
from ..digests import Buffer, parse_sha256, sha256_field
from ..errors import Different
from ..progress import Progress
from ..transport import AGAIN, BROKEN, Answer, Blocks, Trying, key_of_request, refusal
from .source import Digested, Shape, blocks, digested, moment_of, type_of
from .stored import Stored, Target

CUT: Final = frozenset({"body_incomplete", "digest_mismatch"})
"""What a site says to a body that did not come as it was sent."""


class InOne:
    """Puts small files, each from any thread."""

    def __init__(self, api: Api, progress: Progress, conflict: str) -> None:
        self._api = api
        self._server = api.server
        self._progress = progress
        self._conflict = conflict

    def put(self, file: BinaryIO, shape: Shape, local: Path, target: Target) -> Stored:
        """Put an open file. Raises ClientError."""
        file.seek(0)
        first = digested(blocks(file, shape.size))
        modified = moment_of(shape.mtime_ns)
        kept = first.kept

        def body() -> Iterator[Buffer]:
            if kept is not None:
                return iter([kept] if kept else [])
            file.seek(0)
            return blocks(file, shape.size)

        stored = self._put(body, first, target, modified)
        self._progress.moved(shape.size)
        return stored

    def put_bytes(self, content: bytes, target: Target) -> Stored:
        """Put what is in memory. Raises ClientError."""
        read = digested(iter([content] if content else []))
        return self._put(lambda: [content] if content else [], read, target, None)

    def _put(
        self, body: Callable[[], Blocks], read: Digested, target: Target, modified: str | None
    ) -> Stored:
        said = {
            "Content-Type": type_of(target.place.name),
            "Repr-Digest": sha256_field(read.sha256),
        } | key_of_request()
        if modified:
            said["Securestore-Modified"] = modified
        if self._conflict == "refuse":
            said["If-None-Match"] = "*"
        path = self._api.content_path(target.here)
        trying = Trying(self._server.patience)
        while True:
            try:
                answer = self._server.exchange("PUT", path, said, body(), read.size)
            except BROKEN as error:
                trying.again(error, self._server)
                continue
            if answer.status in {200, 201}:
                return _checked(answer, read, target)
            refused = refusal(answer)
            if answer.status not in AGAIN and refused.code not in CUT:
                raise refused
            trying.again(refused, self._server)


def _checked(answer: Answer, read: Digested, target: Target) -> Stored:
    """What was stored, once it is known to be what was sent."""
    told = answer.json()["file"]
    sha256 = parse_sha256(answer.headers.get("Repr-Digest"))
    # A replay is of these very bytes, or it is none; of what is gone meanwhile it has no digest.
    is_known = sha256 is not None or "Idempotent-Replay" not in answer.headers
    if is_known and sha256 != read.sha256:
        raise Different(f"{target.place}: what is stored is not what was sent.")
    return Stored(str(told["id"]), str(told["name"]), read.size, True, read.chain)
