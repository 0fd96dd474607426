"""Many small files: several in one request, where a request for each would cost more than the file.

A batch is stored whole or not at all, and goes with a key by which the site knows it again: cut, it
is sent once more and stored once. Whatever else keeps one from being stored, its files go one by
one afterwards, and each is told of by itself: so a batch is never what fails.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from ..api import API, Api
from ..digests import ContentChain
from ..errors import Refused, Unreachable
from .source import Shape, moment_of, type_of
from .stored import Stored

FEW: Final = 4
"""Files from which on a batch pays."""

MOST: Final = 50
BYTES: Final = 512 * 1024
"""Files, and bytes of theirs, that go in one request at most: it has 1 MiB, as text."""

SMALL: Final = 64 * 1024
"""Bytes of a file up to which it goes with others."""

NEVER: Final = frozenset({404, 405, 501})
"""What a site says that knows no batches."""


@dataclass(frozen=True)
class Waiting:
    """A file that is to be stored under a name of which nothing is there."""

    local: Path
    name: str
    size: int


def batches_of(files: Sequence[Waiting]) -> Iterator[list[Waiting]]:
    """The files in batches, in their order."""
    batch: list[Waiting] = []
    for file in files:
        if batch and (len(batch) == MOST or sum(one.size for one in batch) + file.size > BYTES):
            yield batch
            batch = []
        batch.append(file)
    if batch:
        yield batch


class Batcher:
    """Puts batches to the site, from any thread."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._is_known = True

    def put(self, folder_id: str, files: Sequence[Waiting]) -> list[Stored | None]:
        """What became of each: None of one that has to go by itself."""
        left: list[Stored | None] = [None] * len(files)
        if not self._is_known:
            return left
        read = [_read(file) for file in files]
        sent = [one for one in read if one is not None]
        if not sent:
            return left
        told = self._ask(folder_id, sent)
        if told is None or len(told) != len(sent):
            return left
        answers = iter(told)
        return [None if one is None else _checked(one, next(answers)) for one in read]

    def _ask(self, folder_id: str, sent: list[_Read]) -> list[dict[str, Any]] | None:
        body = {"files": [one.said for one in sent]}
        try:
            answer = self._api.server.ask("POST", f"{API}/folders/{folder_id}/files", body=body)
        except Refused as refused:
            if refused.status in NEVER:
                self._is_known = False
            return None
        except Unreachable:
            # It may have been stored all the same: each is looked for before it is sent.
            return None
        found: list[dict[str, Any]] = answer.json()["files"]
        return found


@dataclass(frozen=True)
class _Read:
    """A file as it was read, and what is said of it."""

    size: int
    sha256: str
    chain: bytes
    said: dict[str, Any]


def _read(file: Waiting) -> _Read | None:
    """None where it cannot be read, or changes meanwhile: that is told when it goes by itself."""
    try:
        with file.local.open("rb", buffering=0) as opened:
            shape = Shape.of(cast("BinaryIO", opened))
            content = opened.read(file.size + 1)
            if len(content) != file.size or Shape.of(cast("BinaryIO", opened)) != shape:
                return None
    except OSError:
        return None
    chain = ContentChain()
    if content:
        chain.update(content)
    sha256 = hashlib.sha256(content).hexdigest()
    said = {
        "name": file.name,
        "content": base64.b64encode(content).decode(),
        "sha256": sha256,
        "content_type": type_of(file.name),
    }
    if (modified := moment_of(shape.mtime_ns)) is not None:
        said["modified_at"] = modified
    return _Read(file.size, sha256, chain.value, said)


def _checked(read: _Read, told: dict[str, Any]) -> Stored | None:
    """What was stored, once it is known to be what was sent; else it goes by itself."""
    if told.get("sha256") != read.sha256 or told.get("size") != read.size:
        return None
    return Stored(str(told["id"]), str(told["name"]), read.size, True, read.chain)
