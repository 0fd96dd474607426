"""The chain: every event is authenticated together with the one before it.

    mac = HMAC-SHA256(AUDIT_KEY, "securestore/audit/1\\0" ‖ field ‖ field ‖ ...)

The fields are those of `FIELDS`, in that order. Each is a big-endian length in 4 bytes, then as
many bytes of UTF-8 text; a missing value is the length FFFFFFFF alone. So no two different events
have the same encoding. The first event has 64 zeros for the MAC before it.

Who can write to the database but does not have `AUDIT_KEY` can change, insert, reorder or remove
no event unnoticed, save for cutting off the end: that takes an anchor kept elsewhere to notice
(`audit_anchor`, `verify_audit --anchor`). The key must never be stored in the database.
"""

from __future__ import annotations

import hmac
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from operator import itemgetter
from typing import Any, Self
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from audit import appending, context
from audit.announcements import announce
from audit.context import Actor
from audit.events import Event
from audit.models import AuditEvent
from audit.reading import in_order

# What an event may tell beside its own fields. Flat, and no floats: every database must give back
# exactly what was authenticated.
Detail = str | int | bool | UUID | datetime | None

FIELDS = (
    "id",
    "at",
    "event",
    "actor_id",
    "actor_name",
    "address",
    "user_agent",
    "request_id",
    "file_id",
    "grant_id",
    "data",
    "previous_mac",
)
DOMAIN = b"securestore/audit/1\0"
GENESIS = "0" * 64
MAX_DETAILS = 16
MAX_DETAIL_LENGTH = 500  # Characters; longer text is cut, so that no event can bloat the log.
# One fixed number for everything that appends: "audit" in ASCII.
_ADVISORY_LOCK = 0x6175646974
_LIMITS = """
    SELECT set_config(name, given, true) FROM (VALUES
        ('lock_timeout', '{lock}s'), ('idle_in_transaction_session_timeout', '{idle}s')
    ) AS limits (name, given) WHERE current_setting(name) = '0';
"""
_HEAD = "SELECT id, mac FROM audit_auditevent ORDER BY id DESC LIMIT 1"
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SECRETS = frozenset({"key", "password", "passphrase", "secret", "token", "dek"})
# Events go into the log of the process, too, where no file is named.
_NAMES = frozenset({"name", "filename", "file_name"})


def record(
    event: Event,
    *,
    actor: Actor | None = None,
    file_id: UUID | None = None,
    grant_id: int | None = None,
    **data: Detail,
) -> AuditEvent:
    """Append one event to the chain, and return it.

    Address, user agent, request id, the program's token or what somebody outside came by, where
    there is one, and, without `actor`, the user come from `audit.context`.
    Joins the caller's transaction, or makes one of its own: the event stands if and only if that
    transaction commits. Writers queue from here to the end of the transaction, so record last.

    Raises `NotRecorded` where the database does not keep it, and `ValueError` or `TypeError` for
    details that the log does not take: more than 16, one whose name promises a secret or a file's
    name, anything but short flat values.
    """
    details = {name: _clean_detail(name, value) for name, value in data.items()}
    if len(details) > MAX_DETAILS:
        raise ValueError(f"an event takes at most {MAX_DETAILS} details, not {len(details)}")
    around = context.current()
    if around.token_id is not None:
        # Whatever a program does, its token is named.
        details |= {"by_token_id": around.token_id, "by_token": as_detail(around.token_name)}
    if around.link_id is not None:
        details["link_id"] = around.link_id
    if around.file_request_id is not None:
        details["file_request_id"] = around.file_request_id
    # All that does not need the event before is done before the turn is waited for: whoever has it
    # stops all others.
    row = AuditEvent(
        event=event.value,
        actor_id=actor.pk if actor else around.actor_id,
        actor_name=_clean(actor.get_username() if actor else around.actor_name, 150),
        address=_clean(around.address, 45),
        user_agent=_clean(around.user_agent, 255),
        request_id=_clean(around.request_id, 32),
        file_id=file_id,
        grant_id=grant_id,
        data=details,
    )
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        number, row.previous_mac = _turn(cursor)
        row.id, row.at = number + 1, timezone.now()
        row.mac = mac_of([getattr(row, name) for name in FIELDS])
        _append(cursor, row)
        announce(row)
    return row


class NotRecorded(DatabaseError):
    """The database took an event and does not have it as it was written: something dropped it."""


def _append(cursor: CursorWrapper, row: AuditEvent) -> None:
    """Write the event and find it as it was written, or fail: what it tells of is undone with it.

    A trigger or a rule of somebody else's may drop it, or change it, without an error.
    """
    there = appending.append(cursor, row)
    if (
        there is None
        or there["mac"] != row.mac
        or mac_of([there[name] for name in FIELDS]) != row.mac
    ):
        raise NotRecorded(
            f"event {row.pk} ({row.event}) is not in the log as it was written: run `doctor`"
        )


def _turn(cursor: CursorWrapper) -> tuple[int, str]:
    """Wait for the turn to append; the number and the MAC of the last event then."""
    if connection.vendor == "postgresql":
        # In one go, and still two statements: the second sees what was committed during the first.
        cursor.execute(f"{_taking_turn()}; {_HEAD}")
        while cursor.nextset():
            pass
    else:
        cursor.execute(_HEAD)
    number, mac = cursor.fetchone() or (0, GENESIS)
    return int(number), str(mac)


def wait_for_turn() -> None:
    """Let one transaction at a time append, until it ends. For a transaction.

    SQLite's transactions are IMMEDIATE: the one that is open has the turn already. Were this to
    fail, the unique `previous_mac` would still refuse a second successor.

    Raises OperationalError for a turn that did not come within the database's time-out.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(_taking_turn())


def _taking_turn() -> str:
    """What takes the turn on PostgreSQL. Numbers of our own settings alone stand in it.

    Whoever has the turn and does nothing, being stopped (SIGSTOP, a frozen host), is ended before
    those who wait give up: so nobody fails for it.
    """
    first = ""
    if settings.DATABASE_POOLER != "none":
        # Whoever has the turn stops all others: this must not hang on how another program has set
        # its connections up. For this transaction, so nothing of it stays behind.
        first = _LIMITS.format(lock=settings.DATABASE_TIMEOUT, idle=settings.DATABASE_IDLE_TIMEOUT)
    most = max(min(1000 * settings.DATABASE_IDLE_TIMEOUT, 500 * settings.DATABASE_TIMEOUT), 1)
    return (
        f"{first} SELECT pg_advisory_xact_lock({_ADVISORY_LOCK});"
        f" SELECT set_config('idle_in_transaction_session_timeout', '{most}ms', true)"
    )


def mac_of(values: list[Any]) -> str:
    """The MAC, in lower-case hex, of the values of `FIELDS`."""
    key = settings.AUDIT_KEY.encode()
    message = DOMAIN + b"".join(map(_encode, values))
    return hmac.digest(key, message, "sha256").hex()


def _encode(value: Any) -> bytes:
    if value is None:
        return b"\xff\xff\xff\xff"
    if isinstance(value, datetime):
        text = value.astimezone(UTC).isoformat(timespec="microseconds")
    elif isinstance(value, dict):
        text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    else:
        text = str(value)
    # A row that someone else wrote may hold what UTF-8 cannot: it must differ, not fail.
    encoded = text.encode("utf-8", "surrogatepass")
    return len(encoded).to_bytes(4) + encoded


def _clean(text: str, limit: int) -> str:
    """Text that every database keeps as it is, and that cannot forge a line of a report."""
    text = _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def as_detail(text: str) -> str:
    """A text as an event keeps it."""
    return _clean(text, MAX_DETAIL_LENGTH)


def _clean_detail(name: str, value: Detail) -> str | int | bool | None:
    if name in _SECRETS or name in _NAMES:
        raise ValueError(f"the audit log takes no {name}")
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, str):
        return _clean(value, MAX_DETAIL_LENGTH)
    if value is None or isinstance(value, int):
        return value
    raise TypeError(f"{name} is of a type that the audit log does not take: {type(value)}")


@dataclass(frozen=True)
class Anchor:
    """The head of the chain at some moment, written as `<number>:<mac>`. Keep it elsewhere."""

    number: int
    mac: str

    def __str__(self) -> str:
        return f"{self.number}:{self.mac}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises `ValueError` when the text is not an anchor."""
        match = re.fullmatch(r"(\d{1,18}):([0-9a-f]{64})", text.strip())
        if match is None:
            raise ValueError("an anchor is a number, a colon and 64 hexadecimal digits")
        return cls(int(match[1]), match[2])


def head() -> Anchor:
    """The last event's number and MAC; number 0 and the genesis MAC of an empty log."""
    last = AuditEvent.objects.order_by("-id").values_list("id", "mac").first()
    return Anchor(*(last or (0, GENESIS)))


class BrokenChain(Exception):
    """The log is not what was written, from event `number` on."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"event {number}: {reason}")
        self.number = number
        self.reason = reason


def check_anchors(anchors: Iterable[Anchor]) -> int:
    """Check that the log passes through each of them, in constant memory; how many there were.

    Raises `BrokenChain` for the lowest that it does not pass through. MACs are believed: for a log
    that `verify` has found whole.
    """
    count = 0
    lowest: int | None = None
    for batch in _batches(anchors, 500):
        count += len(batch)
        numbers = {anchor.number for anchor in batch}
        found = dict(AuditEvent.objects.filter(id__in=numbers).values_list("id", "mac"))
        found[0] = GENESIS
        wrong = {one.number for one in batch if found.get(one.number) != one.mac}
        lowest = min(wrong | ({lowest} if lowest is not None else set()), default=None)
    if lowest is not None:
        last = head().number
        raise _cut(last, lowest) if lowest > last else _other(lowest)
    return count


def _cut(last: int, expected: int) -> BrokenChain:
    return BrokenChain(last + 1, f"missing; the log was cut, an anchor names event {expected}")


def _other(number: int) -> BrokenChain:
    return BrokenChain(number, "not the event that the anchor names")


def _batches(anchors: Iterable[Anchor], size: int) -> Iterator[list[Anchor]]:
    remaining = iter(anchors)
    while batch := list(islice(remaining, size)):
        yield batch


def verify(*anchors: Anchor, progress: Callable[[int], object] = lambda number: None) -> Anchor:
    """Read the whole log in constant memory and check every link. Returns the head.

    `progress` is called with the number of each event that holds. Raises `BrokenChain` for the
    first one that does not, or when the log does not pass through every one of `anchors`.
    """
    expected: defaultdict[int, set[str]] = defaultdict(set)
    for anchor in anchors:
        expected[anchor.number].add(anchor.mac)
    link = Anchor(0, GENESIS)
    if expected.get(0, {GENESIS}) != {GENESIS}:
        raise _other(0)
    rows = AuditEvent.objects.values_list(*FIELDS, "mac")
    for *values, mac in in_order(rows, size=1000, key=itemgetter(0)):
        number, previous_mac = values[0], values[-1]
        if number != link.number + 1:
            raise BrokenChain(link.number + 1, f"missing; the next event there is {number}")
        if not hmac.compare_digest(_encode(mac), _encode(mac_of(values))):
            raise BrokenChain(number, "altered, or not written with this AUDIT_KEY")
        if previous_mac != link.mac:
            raise BrokenChain(number, "does not follow from the event before it")
        if number in expected and expected[number] != {mac}:
            raise _other(number)
        link = Anchor(number, mac)
        progress(number)
    last_expected = max(expected, default=0)
    if link.number < last_expected:
        raise _cut(link.number, last_expected)
    return link
