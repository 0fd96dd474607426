"""All who can read something as a table, which is on record.

Must never hold more people in memory than a page.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import audit
from accounts.models import User
from audit import Event, spreadsheet
from files.models import FileRecord, Item
from files.sharing.read_by.answers import Read, Readers
from files.sharing.read_by.of_file import of_file
from files.sharing.read_by.of_folder import of_folder

AT_ONCE: Final = 500
"""People of an export that are in memory."""


def export(item: Item, *, asker: User) -> Iterator[str]:
    """All who can read it as lines of a CSV, and who has read a file and no longer can.

    An event says that the table was made. Who is not named to who asks is not in it.
    """
    audit.record(
        Event.AUDIT_EXPORTED,
        actor=asker,
        format="csv",
        chosen_by="read-by",
        **({"file_id": item.pk} if isinstance(item, FileRecord) else {"folder_id": str(item.pk)}),
    )
    return _rows(item, asker)


def _rows(item: Item, asker: User) -> Iterator[str]:
    of_file_ = isinstance(item, FileRecord)
    what = ("read",) if of_file_ else ("files_read", "files")
    yield spreadsheet.line(("username", "name", "can_read", *what, "first", "last", "times"))
    after = ""
    while True:
        page = _any(item, asker, after)
        for line in page.lines:
            told = (line.state,) if of_file_ else (line.read.files if line.read else 0, page.files)
            yield spreadsheet.line(
                (line.user.username, line.user.get_full_name(), "yes", *told, *_when(line.read))
            )
        for one in page.former:
            name = one.user.get_full_name() if one.user else ""
            yield spreadsheet.line((one.name, name, "no", one.read.state, *_when(one.read)))
        for link in page.outside:
            told = (link.read.state,) if of_file_ else (link.read.files, page.files)
            name = f"link {link.link_id}"
            yield spreadsheet.line((name, "", "outside", *told, *_when(link.read)))
        if not (after := page.next):
            return


def _any(item: Item, asker: User, after: str) -> Readers:
    if isinstance(item, FileRecord):
        return of_file(item, asker=asker, after=after, length=AT_ONCE)
    return of_folder(item, asker=asker, after=after, length=AT_ONCE)


def _when(read: Read | None) -> tuple[object, ...]:
    return (read.first, read.last, read.times) if read else ("", "", 0)
