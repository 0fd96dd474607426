"""Do tokens of programs, links and requests follow from the log?

Each opens something to whoever has its secret, so who writes one to the database, or gives one
another secret, has let somebody in without an event. Only what works by itself is looked at: what
has ended opens nothing. Read only; each difference is looked at once more before it is told, since
it may have ended meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Model, QuerySet

from accounts.models import Token
from audit import Event
from audit.chain import as_detail
from audit.models import AuditEvent
from files.models import FileRequest, Link

_AT_ONCE = 1000


@dataclass(frozen=True)
class Kind:
    """One kind of what is given out: what works of it, its events, and what these say of a row."""

    name: str
    works: Callable[[], QuerySet[Any]]
    made: Event
    ended: Event
    number: str
    """The detail with the row's number."""
    terms: Mapping[str, Callable[[Any], Any]]
    """What a row must have been told with, by the detail that says it."""


def _kinds() -> tuple[Kind, ...]:
    return (
        Kind(
            "token",
            Token.objects.live,
            Event.TOKEN_CREATED,
            Event.TOKEN_REVOKED,
            "token_id",
            {
                "user_id": lambda token: token.user_id,
                "scopes": lambda token: token.scopes,
                "folder_id": lambda token: token.folder_id,
                "networks": lambda token: token.networks or None,
                "expires_at": lambda token: token.expires_at,
            },
        ),
        Kind(
            "link",
            Link.objects.open,
            Event.LINK_CREATED,
            Event.LINK_REVOKED,
            "link_id",
            {
                "user_id": lambda link: link.maker_id,
                "file_id": lambda link: link.file_id,
                "folder_id": lambda link: link.folder_id,
                "expires_at": lambda link: link.expires_at,
                "most": lambda link: link.most,
                "protected_by": lambda link: link.protection or None,
            },
        ),
        Kind(
            "request",
            FileRequest.objects.lasting,
            Event.REQUEST_CREATED,
            Event.REQUEST_ENDED,
            "file_request_id",
            {
                "folder_id": lambda request: request.folder_id,
                "expires_at": lambda request: request.expires_at,
                "bytes": lambda request: request.most_bytes,
                "files": lambda request: request.most_files,
            },
        ),
    )


def differences() -> Iterator[str]:
    """What works and no event accounts for, each in words."""
    for kind in _kinds():
        yield from _of(kind)


def _of(kind: Kind) -> Iterator[str]:
    # Rows first: the event of each that is seen is there by then.
    rows: dict[int, Any] = {row.pk: row for row in kind.works().iterator(chunk_size=_AT_ONCE)}
    told, over = _told(kind, rows)
    for number, row in sorted(rows.items()):
        wrong = _wrong(kind, row, told.get(number), is_over=number in over)
        # It may have ended since.
        if wrong and kind.works().filter(pk=number).exists():
            yield f"{kind.name} {number}: no event accounts for its {', '.join(wrong)}"


def _told(kind: Kind, rows: Mapping[int, Model]) -> tuple[dict[int, dict[str, Any]], set[int]]:
    """What the events say of these rows, and which they say have ended."""
    told: dict[int, dict[str, Any]] = {}
    over: set[int] = set()
    if not rows:
        return told, over
    events = AuditEvent.objects.filter(event__in=[kind.made, kind.ended]).order_by("id")
    found = events.values_list("event", "file_id", "data")
    for event, file_id, data in found.iterator(chunk_size=_AT_ONCE):
        number: Any = data.get(kind.number)
        if number not in rows:
            continue
        if event == kind.ended:
            over.add(number)
        else:
            told[number] = {**data, "file_id": file_id}
    return told, over


def _wrong(kind: Kind, row: Any, told: dict[str, Any] | None, *, is_over: bool) -> list[str]:
    """In what the row differs from what was told."""
    if told is None:
        return ["being there"]
    wrong = [name for name, of in kind.terms.items() if not _is(of(row), told.get(name))]
    # Events of a release before have none of links and requests.
    if told.get("fingerprint", row.fingerprint) != row.fingerprint:
        wrong.append("secret")
    return [*wrong, "working still"] if is_over else wrong


def _is(value: Any, told: Any) -> bool:
    """Whether a row's value is what an event has kept of it."""
    if isinstance(value, datetime):
        try:
            return datetime.fromisoformat(told) == value
        except (TypeError, ValueError):
            return False
    if isinstance(value, UUID):
        return str(value) == str(told)
    if isinstance(value, str):
        return told in {value, as_detail(value)}
    return bool(value == told)
