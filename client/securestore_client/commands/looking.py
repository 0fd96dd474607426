"""`ls`, `find`, `tree`, `who`, `history`, `audit`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from ..api import Entry
from ..errors import USAGE, ClientError
from ..places import Place, parse
from ..progress import in_words
from ..session import Session


def ls(session: Session) -> int:
    """What is in folders; of a file, the file."""
    rows = _listed(session)
    if session.options.trash or session.options.shared:
        found = session.api.trash() if session.options.trash else session.api.shared()
        rows = ((f"{line_of(entry, entry.name)}  id:{entry.id}", entry.raw) for entry in found)
    session.output.items(rows)
    return 0


def _listed(session: Session) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for text in session.options.path or [""]:
        entry = session.api.entry(parse(text))
        inner = session.api.entries(entry.id) if entry.is_folder else iter([entry])
        for found in inner:
            yield line_of(found, found.name), found.raw


def line_of(entry: Entry, name: str) -> str:
    """An entry as a line: size, time, name."""
    size = "-" if entry.is_folder else in_words(entry.size)
    mark = "/" if entry.is_folder else " (locked)" if entry.is_locked else ""
    return f"{size:>10}  {entry.modified_at[:19]:<19}  {name}{mark}"


def find(session: Session) -> int:
    """What has these words in its name."""
    options = session.options
    folder = session.api.folder(parse(options.below)).id if options.below else None
    found = session.api.search(" ".join(options.words), folder)
    rows = ((f"{line_of(entry, entry.name)}  id:{entry.id}", entry.raw) for entry in found)
    return 0 if session.output.items(rows) else 5


def tree(session: Session) -> int:
    """A folder and all below it."""
    place = parse(session.options.path)
    session.output.items(_below(session, session.api.folder(place).id, place, 0))
    return 0


def _below(
    session: Session, folder_id: str, place: Place, depth: int
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if session.options.depth is not None and depth >= session.options.depth:
        return
    for entry in session.api.entries(folder_id):
        here = place / entry.name
        mark = "/" if entry.is_folder else f"  {in_words(entry.size)}"
        yield "  " * depth + entry.name + mark, {**entry.raw, "path": str(here)}
        if entry.is_folder:
            yield from _below(session, entry.id, here, depth + 1)


def who(session: Session) -> int:
    """Who can read it, and why; with --all what administrators see, person by person.

    With --read who has read it, and who has not.
    """
    entry = session.api.entry(parse(session.options.path))
    if session.options.read:
        session.output.items((_has_read(raw), raw) for raw in session.api.read_by(entry))
    elif session.options.all:
        session.output.items((_reader(raw), raw) for raw in session.api.access(entry))
    else:
        grants = (raw for raw in session.api.grants(entry) if raw["status"] == "live")
        owner = {"owner": entry.raw.get("owner", "")}
        rows = [(f"{owner['owner']}  owner", owner)]
        session.output.items(chain(rows, ((_share(raw), raw) for raw in grants)))
    return 0


_READ = {
    "no": "has not read it",
    "earlier": "an earlier version",
    "part": "in part",
    "whole": "has read it",
}


def _has_read(raw: Mapping[str, Any]) -> str:
    if "files_read" in raw:
        read = f"{raw['files_read']} of {raw['files']}"
    else:
        read = _READ.get(raw["read"], raw["read"])
    last = f"  last {raw['last'][:19]}" if raw["last"] else ""
    gone = "" if raw.get("can_read", True) else "  no longer can"
    return f"{raw['username']}  {read}{last}{gone}"


def _share(raw: Mapping[str, Any]) -> str:
    to, until = raw["recipient"], raw["expires_at"] or "no end"
    kind = "group:" if to["kind"] == "group" else ""
    through = "  through a folder above" if raw.get("folder_id") else ""
    return f"{kind}{to['name']}  {raw['level']}  until {until}{through}"


def _reader(raw: Mapping[str, Any]) -> str:
    reasons = "; ".join(
        " ".join(
            str(part)
            for part in (
                reason["level"],
                f"through {reason['via_group']}" if reason["via_group"] else "",
                f"until {reason['until']}" if reason["until"] else "",
            )
            if part
        )
        for reason in raw["reasons"]
    )
    return f"{raw['username']}  {reasons}"


def history(session: Session) -> int:
    """What happened to it, the newest first."""
    place = parse(session.options.path)
    entry = session.api.entry(place)
    if entry.is_folder:
        raise ClientError(
            f"{place} is a folder: what happened is told of each file.", USAGE, "is_a_folder"
        )
    session.output.items((_happened(raw), raw) for raw in session.api.history(entry))
    return 0


def _happened(raw: Mapping[str, Any]) -> str:
    return f"{raw['at'][:19]}  {raw['by'] or '-'}  {raw['words']}"


def audit(session: Session) -> int:
    """The log, from an event on."""
    after = session.options.after.strip() or "0"
    if not (after.isascii() and after.isdigit()):
        raise ClientError(f"“{after}” is no number of an event.", USAGE, "bad_number")
    events = session.api.audit(int(after))
    if session.options.lines:
        for raw in events:
            sys.stdout.write(json.dumps(raw) + "\n")
        return 0
    session.output.items((_event(raw), raw) for raw in events)
    return 0


def _event(raw: Mapping[str, Any]) -> str:
    return f"{raw['id']}  {raw['at'][:19]}  {raw['event']}  {raw['actor_name'] or '-'}"
