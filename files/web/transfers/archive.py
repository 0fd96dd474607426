"""Several files, or a tree of them, as one ZIP (PKWARE APPNOTE 6.3, Zip64), made while it is sent.

Its length is known before it begins, so an archive that had to stop is short of it and no client
takes it for whole. A damaged member stops it. Members are stored, not compressed: memory stays
bounded, and nothing about a file shows in how well it compresses.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import DatabaseError
from django.http import StreamingHttpResponse
from django.utils import timezone
from zipstream import ZIP_STORED, ZipStream

import audit
from accounts.models import User
from files.access.principals import Link
from files.crypto.errors import KeyServiceError
from files.errors import AccessEnded, VaultError
from files.lists.trees import LIST_NAME, Tree
from files.models import FileRecord
from files.storage import StoreError
from files.vault import counting, opening
from files.web.transfers.byteranges import ByteRange
from files.web.transfers.downloads import Body, as_attachment

log = logging.getLogger(__name__)

NAME = "securestore.zip"


FIRST = (1980, 1, 1, 0, 0, 0)
LAST = (2107, 12, 31, 23, 59, 58)
"""What a ZIP can say (APPNOTE, 4.4.6), in local time and to two seconds."""

_DATE_IN_HEADER = slice(10, 14)
_EXTRA_LENGTH = slice(28, 30)


class Dated(ZipStream):
    """An archive whose members have dates, which the library has for paths alone.

    Both the local one of MS-DOS, and the moment itself: who unpacks it elsewhere has another clock.
    """

    def __init__(self, moments: Iterable[datetime]) -> None:
        """One moment for each member, in their order."""
        super().__init__(compress_type=ZIP_STORED, sized=True)
        self._moments = list(moments)
        self._added = 0

    def _add_size_from_file(self, arcname: str, size: int) -> None:
        super()._add_size_from_file(arcname, size)
        more = len(_as_unix(self._moments[self._added]))
        self._added += 1
        progress: tuple[int, int, int] = self._size_prog
        files, data, directory = progress
        self._size_prog: tuple[int, int, int] = (files, data + more, directory + more)

    def _gen_file_entry(self, **member: Any) -> Generator[bytes]:
        moment = self._moments[len(self._filelist)]
        date = min(max(FIRST, timezone.localtime(moment).timetuple()[:6]), LAST)
        extra = _as_unix(moment)
        entry = super()._gen_file_entry(**member)
        header = bytearray(next(entry))
        header[_DATE_IN_HEADER] = _as_dos(date)
        (length,) = struct.unpack("<H", header[_EXTRA_LENGTH])
        header[_EXTRA_LENGTH] = struct.pack("<H", length + len(extra))
        self._pos += len(extra)
        yield bytes(header) + extra
        yield from entry
        # The directory at the end is made of these.
        self._filelist[-1].date_time = date
        self._filelist[-1].extra = extra


def _as_unix(moment: datetime) -> bytes:
    """The extra field with the moment in seconds (Info-ZIP, 0x5455); none where they do not fit."""
    seconds = int(moment.timestamp() // 1)
    if not -(2**31) <= seconds < 2**31:
        return b""
    return struct.pack("<HHBi", 0x5455, 5, 1, seconds)


def _as_dos(date: tuple[int, ...]) -> bytes:
    """Time and date as MS-DOS has them: 16 bits each, little-endian."""
    year, month, day, hour, minute, second = date
    clock = hour << 11 | minute << 5 | second // 2
    return struct.pack("<HH", clock, (year - 1980) << 9 | month << 5 | day)


@dataclass(frozen=True)
class Member:
    """One entry of an archive: a file of the vault, a text of ours, or else a folder.

    `name` is its whole path, with `/` between names that any system takes.
    """

    name: str
    moment: datetime
    record: FileRecord | None = None
    text: bytes | None = None


class _Stopped(Exception):
    """A member ended before its size was reached, so the archive ends here."""


def answer(
    members: Sequence[Member],
    still_allowed: Callable[[FileRecord], bool],
    *,
    user: User,
    name: str = NAME,
    link: Link | None = None,
    reserved: counting.Reservation | None = None,
) -> StreamingHttpResponse:
    """One archive of these. Raises FileDamaged or KeysMissing when a file cannot be opened.

    What else the first member cannot be begun for is raised from here, too: AccessEnded,
    StoreError, DatabaseError. Somebody outside has one download of their link `reserved` for it.
    """
    sending = Sending(reserved)
    try:
        return _answer(members, sending.asking(still_allowed), user, name, link, sending)
    except BaseException:
        sending.end()
        raise


def _answer(
    members: Sequence[Member],
    still_allowed: Callable[[FileRecord], bool],
    user: User,
    name: str,
    link: Link | None,
    sending: Sending,
) -> StreamingHttpResponse:
    around = audit.capture()
    archive = Dated(member.moment for member in members)
    for member in members:
        if member.record is not None:
            opening.open_file(member.record)
            content = _content(member.record, still_allowed, user, around, link, sending)
            archive.add(content, member.name, size=member.record.size)
        elif member.text is not None:
            archive.add(member.text, member.name)
        else:
            archive.mkdir(member.name)
    length = len(archive)
    chunks = iter(archive)
    try:
        # The first header, and what is there of the first member: what is wrong from the start is
        # an answer in words, and no archive that ends short.
        begun = list(islice(chunks, 2))
    except _Stopped:
        raise AccessEnded from None
    response = StreamingHttpResponse(_sent(begun, chunks, sending), content_type="application/zip")
    # Closed by the server whether it was begun or not.
    response._resource_closers.append(sending.end)  # type: ignore[attr-defined]
    response["Content-Length"] = str(length)
    as_attachment(response, name)
    return response


def members_of_tree(tree: Tree) -> list[Member]:
    """A tree with its folders, the empty ones too, and with the list of what was left out."""
    members = []
    if tree.left_out:
        members.append(Member(LIST_NAME, timezone.now(), text=tree.told().encode()))
    members += [Member(f"{path}/", folder.created_at) for path, folder in tree.folders]
    return members + [_file(path, record) for path, record in tree.files]


def _file(name: str, record: FileRecord) -> Member:
    return Member(name, record.modified_at or record.created_at, record)


def _content(
    record: FileRecord,
    still_allowed: Callable[[FileRecord], bool],
    user: User,
    around: audit.Captured,
    link: Link | None,
    sending: Sending,
) -> Generator[bytes]:
    # Opened only now: a thousand open files would hold a thousand buffers.
    if not still_allowed(record):
        raise _Stopped
    with around:  # The request's own has ended: the answer is on its way.
        body = Body(
            opening.open_file(record),
            ByteRange(0, record.size),
            lambda: still_allowed(record),
            user=user,
            link=link,
        )
    try:
        for chunk in body:
            if not sending.lets(len(chunk)):
                raise _Stopped
            sending.handed += len(chunk)
            yield chunk
            sending.beat()
        if body.sent < record.size:
            raise _Stopped
    finally:
        body.close()


class Sending:
    """What was sent of an archive's members, for the link that it is taken by, if it is by one."""

    def __init__(self, reserved: counting.Reservation | None) -> None:
        self._reserved = reserved
        self.handed = 0
        self.is_complete = False

    def lets(self, length: int) -> bool:
        """Whether so many more bytes may be handed over."""
        return self._reserved is None or self._reserved.lets(self.handed + length)

    def beat(self) -> None:
        """It goes on."""
        if self._reserved is not None:
            self._reserved.beat()

    def asking(self, still_allowed: Callable[[FileRecord], bool]) -> Callable[[FileRecord], bool]:
        """The same question, of the link's reservation as well."""
        reserved = self._reserved
        if reserved is None:
            return still_allowed
        return lambda record: reserved.is_alive() and still_allowed(record)

    def end(self) -> None:
        """It is over. Safe to repeat."""
        if self._reserved is not None:
            self._reserved.end(self.handed, self.handed if self.is_complete else 0)


def _sent(begun: Iterable[bytes], chunks: Iterator[bytes], sending: Sending) -> Generator[bytes]:
    try:
        yield from begun
        yield from chunks
        sending.is_complete = True
    except (_Stopped, VaultError, StoreError, KeyServiceError, DatabaseError) as error:
        # To return is to end the body short of its Content-Length; every client notices.
        log.error("an archive ended short: %s", error)
