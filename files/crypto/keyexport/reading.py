"""Opens an export, and reads its entries from the front, in bounded memory.

Never yields an entry of a frame that has not been authenticated; a cut or altered export is refused
from the first wrong frame on, unless what is intact of it was asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import BinaryIO, Final

from files.crypto.errors import Damaged, WrongKey
from files.crypto.keyexport.entries import Entry
from files.crypto.keyexport.header import BODY_START, HEADER_LENGTH, SLOT_LENGTH, Header, Protection
from files.crypto.salvage import WholeObject, salvage
from files.crypto.stream.keys import derive_keys
from files.crypto.stream.layout import COMMITMENT_LENGTH, FRAME_PAYLOAD
from files.crypto.tokens import TokenCodec


class KeyExport:
    """An export that was opened: `entries` reads it from the front."""

    def __init__(self, source: BinaryIO, header: Header, dek: bytes, *, partial: bool) -> None:
        self.header = header
        self._source = source
        self._keys = derive_keys(dek, header.context)
        self._body: WholeObject | None = None
        try:
            self._body = WholeObject(source, dek, start=BODY_START)
            if self._body.context != header.context:
                raise Damaged("the body of the key export belongs to another one")
        except (Damaged, WrongKey):
            # The key is the export's, as its header has proved: what is wrong is its end.
            if not partial:
                raise

    def intact_entries(self) -> Iterator[Entry]:
        """Yield the entries of a damaged export that are whole, from frames that authenticate."""
        rest: bytes | None = b""
        awaited = 0
        for found in salvage(self._source, self._keys, self.header.context):
            if found.index != awaited:
                rest = None  # Whatever the frame begins with is the end of a lost entry.
            awaited = found.index + 1
            first, *lines = found.payload.split(b"\n")
            if not lines:
                rest = None if rest is None else rest + first
                continue
            if rest is not None:
                yield _entry(rest + first)
            *lines, rest = lines
            yield from map(_entry, lines)

    def entries(self) -> Iterator[Entry]:
        """Yield every entry. Raises Damaged, also at the end of a cut export."""
        if self._body is None:
            raise Damaged("the end of the key export is missing or altered")
        rest = b""
        for chunk in self._body.chunks():
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > FRAME_PAYLOAD:
                raise Damaged("an entry of the key export is too long")
            yield from map(_entry, lines)
        if rest:
            raise Damaged("the key export ends within an entry")


def _entry(line: bytes) -> Entry:
    try:
        return Entry.from_dict(json.loads(line))
    except ValueError:
        raise Damaged("an entry of the key export is not as it should be") from None


def read_header(source: BinaryIO) -> Header:
    """Raises Damaged when it is no export, or its header was altered."""
    source.seek(0)
    return Header.decode(source.read(HEADER_LENGTH))


def open_export(
    source: BinaryIO, header: Header, protecting: bytes, *, partial: bool = False
) -> KeyExport:
    """Open an export with the key that protects it. Raises WrongKey, Damaged.

    With `partial`, a body that is damaged is no error yet: `intact_entries` reads what is left.
    """
    source.seek(HEADER_LENGTH)
    slot = source.read(SLOT_LENGTH)
    if len(slot) != SLOT_LENGTH:
        raise Damaged("the key export is cut off in its header")
    keys = header.keys(protecting)
    try:
        keys.check(slot[:COMMITMENT_LENGTH])
    except WrongKey:
        raise WrongKey(_NOT_OPENED[header.protection]) from None
    dek = TokenCodec(keys.frame_key).open(
        slot[COMMITMENT_LENGTH:], timestamp=header.context.created_at
    )
    return KeyExport(source, header, dek, partial=partial)


_NOT_OPENED: Final = {
    Protection.PASSPHRASE: "this passphrase does not open the key export",
    Protection.KEY: "this key does not open the key export",
    Protection.SHARES: "these shares do not open the key export",
}
