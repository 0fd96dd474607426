"""A file as an HTTP answer: whole or one range, exact, authenticated, and never cached.

The first frame is authenticated before the status line is decided. A failure after that ends the
body short of its Content-Length, which every client reports; nothing unauthenticated is ever
sent, and no page of ours inside somebody's file. Never runs an upload in the site's origin.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from itertools import chain
from time import monotonic
from typing import cast
from urllib.parse import quote

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.utils.http import parse_etags, parse_http_date_safe

from accounts.models import Token, User
from files.access.principals import Link
from files.crypto import portable
from files.errors import FileDamaged
from files.models import FileRecord
from files.records.kinds import PLAYED, kind_of
from files.records.names import UNKNOWN_TYPE, portable_name
from files.storage import StoreError
from files.vault import counting, downloading, opening
from files.web.transfers.byteranges import ByteRange, Unsatisfiable, parse_range
from files.web.transfers.moments import as_last_modified, is_exactly
from files.web.transfers.structured import byte_sequence

log = logging.getLogger(__name__)

_LOADABLE = re.compile(r"[a-z]+/(?:x-)?(?:java|ecma|j|live)script[0-9.]*|text/css")
"""Types that a page could load as its own script or style (HTML, 4.12.1; WHATWG MIME Sniffing)."""

RECHECK_BYTES = 64 * 1024 * 1024
"""A running download asks the access rule again after this many bytes, and after
`settings.DOWNLOAD_RECHECK`."""


QUICK_BYTES = 16 * 1024 * 1024
"""More than the web server and both systems hold for a client: who has these is one that reads."""

QUICK_WITHIN = 1.0
"""Seconds in which a client takes them to be quick, and get several frames at once."""


def etag_of(record: FileRecord) -> str:
    """The strong entity tag: one for one content, whatever its encryption."""
    return f'"{record.version.hex}"'


@dataclass(frozen=True)
class Outside:
    """Who comes by a link: what it is of the rule, who else is the same client, and what counts.

    `reserve` takes what is to be sent, and whether the client goes on with this very content, from
    what the link may send. It raises UsedUp, AllReserved.
    """

    who: Link
    whose: str
    reserve: Callable[[ByteRange, bool], counting.Reservation]


def answer(
    request: HttpRequest,
    record: FileRecord,
    still_allowed: Callable[[], bool],
    key: str | None = None,
    *,
    outside: Outside | None = None,
) -> HttpResponseBase:
    """Answer a GET or HEAD for the file's bytes. A held file takes its own `key`.

    For somebody `outside` raises as its `reserve` does. Raises KeyNeeded, WrongFileKey,
    FileDamaged, KeysMissing, AccessEnded, StoreError before any byte has been sent.
    """
    user = outside.who.user if outside else cast("User", request.user)
    etag = etag_of(record)
    # Before anything is said of a held file's content, that it has not changed included.
    opened = opening.open_file(record, key) if record.is_held else None
    if _is_another(request, record):
        # It has changed under a client that wants more of what it has, or the very same.
        refusal = HttpResponse(status=412, content_type="text/plain; charset=utf-8")
        return _described(refusal, record, keep_type=True)
    if _is_unchanged(request, record):
        same = HttpResponse(status=304)
        # Else Django would put the length of this empty body in the place of the file's.
        same["Content-Length"] = str(record.size)
        return _described(same, record)
    opened = opened or opening.open_file(record)
    try:
        wanted = _wanted_range(request, etag, record.size)
    except Unsatisfiable:
        refusal = HttpResponse(status=416, content_type="text/plain; charset=utf-8")
        refusal["Content-Range"] = f"bytes */{record.size}"
        return _described(refusal, record, keep_type=True)
    whole = ByteRange(0, record.size)
    part = wanted or whole
    if request.method == "HEAD":
        response: HttpResponseBase = HttpResponse()
    else:
        resumed = request.headers.get("If-Range", "").strip() == etag
        body = Body(
            opened,
            part,
            still_allowed,
            user=user,
            session=outside.whose if outside else _session_of(request),
            link=outside.who if outside else None,
            reserved=outside.reserve(part, resumed) if outside else None,
        )
        response = StreamingHttpResponse(body, status=206 if wanted else 200)
    response["Content-Length"] = str(part.length)
    if wanted:
        response["Content-Range"] = wanted.content_range(record.size)
    _digested(response, opened)
    return _described(response, record)


def _session_of(request: HttpRequest) -> str | None:
    """What requests of one download have in common: the browser's session, or a program's token."""
    token: Token | None = getattr(request, "token", None)
    if token is not None:
        return f"token {token.pk}"
    return request.session.session_key or None


def _is_another(request: HttpRequest, record: FileRecord) -> bool:
    """Whether a condition says that the client wants no other content than that (RFC 9110, 13.2.2).

    Of times, only the very same one counts, as below.
    """
    wanted = request.headers.get("If-Match")
    if wanted is not None:  # Compares strongly (13.1.1).
        return not {"*", etag_of(record)} & set(parse_etags(wanted))
    since = request.headers.get("If-Unmodified-Since")
    if since is None or parse_http_date_safe(since) is None:
        return False
    return not (record.modified_at and is_exactly(since, record.modified_at))


def _is_unchanged(request: HttpRequest, record: FileRecord) -> bool:
    """Whether a condition says that the client has the content (RFC 9110, 13.2.2).

    The time of modification is its uploader's word: nothing but the very same one counts.
    """
    known = request.headers.get("If-None-Match")
    if known is not None:
        return _matches(known, etag_of(record))
    since = request.headers.get("If-Modified-Since")
    return bool(since and record.modified_at and is_exactly(since, record.modified_at))


def _digested(response: HttpResponseBase, opened: opening.OpenFile) -> None:
    """Tell the digests of the whole file, of which a range is a part (RFC 9530, 3)."""
    digests = opened.digests
    if digests is None:
        return
    if digests.sha256 is not None:
        response["Repr-Digest"] = f"sha-256={byte_sequence(digests.sha256)}"
    response["Securestore-Content-Chain"] = byte_sequence(digests.chain)


def _matches(header: str, etag: str) -> bool:
    # If-None-Match compares weakly (RFC 9110, 13.1.2): a W/ in front makes no difference.
    given = [tag.removeprefix("W/") for tag in parse_etags(header)]
    return "*" in given or etag in given


def _wanted_range(request: HttpRequest, etag: str, size: int) -> ByteRange | None:
    # A range is defined for GET alone (RFC 9110, 14.2).
    header = request.headers.get("Range")
    if header is None or request.method != "GET":
        return None
    condition = request.headers.get("If-Range")
    if condition is not None and condition.strip() != etag:
        return None
    return parse_range(header, size)


def _described(
    response: HttpResponseBase, record: FileRecord, *, keep_type: bool = False
) -> HttpResponseBase:
    if not keep_type:
        response["Content-Type"] = served_type(record.content_type)
    response["Accept-Ranges"] = "bytes"
    response["ETag"] = etag_of(record)
    if record.modified_at is not None:
        response["Last-Modified"] = as_last_modified(record.modified_at, timezone.now())
    as_attachment(response, record.name)
    return response


def served_type(content_type: str) -> str:
    """The type to send: the file's own, unless a page could run it despite all other headers.

    `attachment` and `sandbox` are for a document that is opened; a `<script src>` asks for neither.
    With `nosniff`, a browser runs no script and takes no style of an unknown type.
    """
    return UNKNOWN_TYPE if _LOADABLE.fullmatch(content_type) else content_type


def is_part_of_a_page(request: HttpRequest, record: FileRecord) -> bool:
    """Whether a browser asks for it as a script, image, frame ... (W3C Fetch Metadata).

    A link and a script's `fetch` are no such part; other clients do not say. Nor is what the
    viewer plays: a listed type, in a page of this site, of which no other's policy lets any play.
    """
    use = request.headers.get("Sec-Fetch-Dest", "document")
    if use in {"audio", "video"} and request.headers.get("Sec-Fetch-Site") == "same-origin":
        return kind_of(record.content_type, record.name) not in PLAYED
    return use not in {"document", "empty"}


def as_attachment(response: HttpResponseBase, name: str) -> None:
    """Headers that keep an upload from ever running in the site's origin, or in a cache."""
    response["Content-Disposition"] = disposition(name)
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'; sandbox"
    response["Cache-Control"] = "private, no-store"


def disposition(name: str) -> str:
    """Content-Disposition (RFC 6266) that every client reads as the same name, or nearly.

    `filename*` (RFC 8187) is the name as it is. `filename` is for who does not know that: ASCII,
    and nothing in it that clients disagree about. Some undo `%41`, others quotes, others nothing.
    """
    # The rule for names keeps these out; a header must not depend on it.
    told = portable.marked(name, "_").replace("/", "_")
    if not told:
        return "attachment"
    if _PLAIN.fullmatch(told):
        return f'attachment; filename="{told}"'
    latin = unicodedata.normalize("NFKD", told.translate(_LETTERS))
    plain = "".join(char for char in latin if not unicodedata.combining(char))
    simple = portable_name(_NOT_PLAIN.sub("_", plain))
    return f"attachment; filename=\"{simple}\"; filename*=utf-8''{quote(told, safe=_ATTR_CHARS)}"


_PLAIN = re.compile(r"[ !#-$&-\[\]-~]+")
_NOT_PLAIN = re.compile(r"[^ !#-$&-\[\]-~]")
"""Printable ASCII without quotation mark, percent sign and backslash."""
_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L"}
)
"""Letters of names that have no mark to leave out (CLDR, Latin-ASCII)."""
_ATTR_CHARS = "!$&+-.^_`|~"


class Pace:
    """Whether a client takes what it is handed as fast as it comes.

    Then it gets the frames that are opened together in one piece, which spares two of three ways to
    the web server. The server queues some eight pieces, whatever their size: 2 MiB for who reads
    slowly, and 6 for who was quick until it stood still.
    """

    def __init__(self) -> None:
        self._since = monotonic()
        self._taken = 0
        self._quick = False

    def taken(self, length: int) -> None:
        """The server has asked for more than these bytes."""
        self._taken += length
        if self._taken >= QUICK_BYTES:
            now = monotonic()
            self._quick = now - self._since <= QUICK_WITHIN
            self._taken, self._since = 0, now

    def is_quick(self) -> bool:
        """Whether it took the last `QUICK_BYTES` so soon, and has not stood still since."""
        return self._quick and monotonic() - self._since <= QUICK_WITHIN


class Body:
    """The bytes that one request sends of a file, as the iterator that a WSGI server takes.

    The first chunk is fetched at once: what is wrong from the start is raised from here. The
    download that the request is a part of is on record before, and learns how it ended.
    """

    def __init__(
        self,
        opened: opening.OpenFile,
        part: ByteRange,
        still_allowed: Callable[[], bool],
        *,
        user: User,
        session: str | None = None,
        link: Link | None = None,
        reserved: counting.Reservation | None = None,
    ) -> None:
        self._record = opened.record
        self._still_allowed = still_allowed
        self._reserved = reserved
        self.sent = self._taken = 0
        try:
            self._sending = downloading.begin(
                opened.record,
                downloading.Part(part.start, part.stop),
                user=user,
                session=session,
                link=link,
            )
        except BaseException:
            self._free()
            raise
        self._pace = Pace()
        self._chunks = opened.chunks(part.start, part.stop, joined=self._pace.is_quick)
        try:
            first = next(self._chunks, None)
        except BaseException:
            self._end(downloading.FAILED)
            raise
        self._all = self._send(chain(() if first is None else (first,), self._chunks))

    def __iter__(self) -> Iterator[bytes]:
        return self._all

    def close(self) -> None:
        """Called by the server when the client has everything, or has gone."""
        self._all.close()
        self._chunks.close()
        self._end(downloading.ABORTED)  # Where nobody had begun to iterate.

    def _send(self, chunks: Iterator[bytes]) -> Generator[bytes]:
        outcome, checked, asked = downloading.ABORTED, 0, monotonic()
        try:
            for chunk in chunks:
                # By bytes, or a fast client has it all; by time, or a slow one goes on for hours.
                waited = monotonic() - asked >= settings.DOWNLOAD_RECHECK.total_seconds()
                if waited or self.sent - checked >= RECHECK_BYTES:
                    checked, asked = self.sent, monotonic()
                    if not self._may_go_on():
                        outcome = downloading.REVOKED
                        return
                if not self._lets(len(chunk)):
                    outcome = downloading.REVOKED
                    return
                self.sent += len(chunk)
                yield chunk
                # The server asks for the next one: this one is on its way.
                self._taken = self.sent
                self._sending.sent(self._taken)
                self._pace.taken(len(chunk))
                if self._reserved is not None:
                    self._reserved.beat()
            outcome = downloading.COMPLETE
        except (FileDamaged, StoreError, DatabaseError) as error:
            # To return is to end the body short, which the client notices; to raise would only
            # add a traceback to the server's log.
            outcome = downloading.FAILED
            log.error("download of file %s ended short: %s", self._record.id, error)
        finally:
            self._end(outcome)

    def _lets(self, length: int) -> bool:
        """Whether so many more bytes may be handed over of the link that it is by, if it is."""
        return self._reserved is None or self._reserved.lets(self.sent + length)

    def _may_go_on(self) -> bool:
        reserved = self._reserved is None or self._reserved.is_alive()
        return reserved and self._still_allowed()

    def _end(self, outcome: str) -> None:
        # Last of all, so that what is said to be left of a link is there to be had.
        self._sending.end(outcome, self.sent, self._taken)
        self._free()

    def _free(self) -> None:
        if self._reserved is not None:
            self._reserved.end(self.sent, self._taken)
