"""Bytes in order, into anything that takes them: going on after cuts, compared at the end."""

from __future__ import annotations

import hashlib
from typing import BinaryIO

from ..api import Content
from ..digests import ContentChain
from ..errors import ClientError, Refused, Unreachable
from ..transport import AGAIN, BROKEN, Trying
from .answers import Answers
from .compared import compare


class Stream:
    """Writes what is at paths of the API."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def write(self, path: str, out: BinaryIO) -> Content:
        """Write all bytes at a path. Raises ClientError; Different at the end."""
        server, progress = self._answers.server, self._answers.progress
        trying = Trying(server.patience)
        whole, chain, offset = hashlib.sha256(), ContentChain(), 0
        known: Content | None = None
        while known is None or offset < known.size:
            said = {}
            if known is not None:
                said = {"Range": f"bytes={offset}-", "If-Match": known.etag}
            try:
                with self._answers.ask(path, said, offset if known else None) as answer:
                    known = known or answer.content
                    for block in answer.blocks():
                        _write_all(out, block)
                        whole.update(block)
                        chain.update(block)
                        offset += len(block)
                        progress.moved(len(block))
                        trying.got_on()
                if offset < known.size:
                    raise Unreachable("The connection ended before the file did.")
            except (*BROKEN, Unreachable) as error:
                trying.again(error, server)
            except Refused as refused:
                if refused.status not in AGAIN:
                    raise
                trying.again(refused, server)
        compare(known, whole.digest, chain.value)
        return known


def _write_all(out: BinaryIO, block: memoryview) -> None:
    """Write all of a block. Raises ClientError, so that nobody takes it for a broken connection."""
    try:
        while block:
            block = block[out.write(block) :]
    except OSError as error:
        raise unwritable(error) from error


def unwritable(error: OSError) -> ClientError:
    """What the file system said."""
    return ClientError(f"It cannot be written here: {error.strerror or error}", code="unwritable")
