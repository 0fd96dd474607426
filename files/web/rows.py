"""The rows of a list as HTML: what is alike in them is made once, and each row put into it.

A page has fifty of them, and half of its time was theirs. How a row looks is the template
`files/_row.html`; what is said here is which row shows what.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django.utils.safestring import SafeString, mark_safe

from files.lists.rows import Row
from files.models import FileRecord
from runtime.moments import as_moment
from runtime.patterns import pattern
from runtime.sizes import as_size

TEXTS: Final = (
    *("id", "kind", "name", "picture", "sender", "told"),
    *("size", "person", "at", "end"),
)


def as_html(rows: Iterable[Row], *, user_id: int | None, **page: Any) -> SafeString:
    """All of the rows, for that reader. `page` is what `files/_rows.html` says of the list."""
    return mark_safe("".join(_row(row, user_id, page) for row in rows))  # noqa: S308 - of patterns


def _row(row: Row, user_id: int | None, page: dict[str, Any]) -> str:
    item = row.item
    file = item if isinstance(item, FileRecord) else None
    sender = getattr(file, "sender_name", None)
    # In a list that says who did it, that; else whose it is.
    is_mine = not page["who"] and item.owner_id == user_id
    person = row.by if page["who"] else item.owner if not is_mine else None
    looks = pattern(
        "files/_row.html",
        TEXTS,
        **page,
        is_folder=file is None,
        is_damaged=file is not None and file.is_damaged,
        is_held=file is not None and file.is_held,
        is_mine=is_mine,
        has_sender=bool(sender),
        has_note=bool(row.note),
        has_person=person is not None,
        has_end=row.until is not None,
    )
    return looks.fill(
        {
            "id": item.pk,
            "kind": item.kind,
            "name": item.name,
            "picture": row.picture,
            "sender": sender,
            "told": row.note,
            "size": as_size(file.size) if file is not None else "",
            "person": person.get_username() if person is not None else "",
            "at": as_moment(row.at or item.created_at),
            "end": as_moment(row.until) if row.until is not None else "",
        }
    )
