"""`mkdir`, `mv`, `rm`, `restore`, `share`, `unshare`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from typing import Any

from ..api import Entry
from ..errors import CONFLICT, NOT_FOUND, USAGE, ClientError
from ..places import BY_ID, Place, parse
from ..session import Session

_DAYS = re.compile(r"([0-9]{1,4})d")


def mkdir(session: Session) -> int:
    """Make folders, and those above them."""
    for text in session.options.path:
        place = parse(text)
        folder_id = session.api.make_folders(place)
        session.done(f"made  {place}", path=str(place), id=folder_id, outcome="made")
    return session.end()


def mv(session: Session) -> int:
    """Move into a folder, or rename, or both."""
    *sources, last = session.options.path
    if not sources:
        raise ClientError("Say what is to be moved, and where to.", USAGE, "no_target")
    target = parse(last)
    into = _folder_at(session, target)
    if into is None and (len(sources) > 1 or last.endswith("/")):
        raise ClientError(f"There is no folder {target}.", NOT_FOUND, "not_found")
    for text in sources:
        source = parse(text)
        try:
            entry = session.api.entry(source)
            moved = _move(session, entry, source, target, into)
        except ClientError as error:
            session.failed(text, error)
        else:
            place = target / moved.name if into else target.folder / moved.name
            session.done(
                f"moved  {source} → {place}", path=str(place), id=moved.id, outcome="moved"
            )
    return session.end()


def _move(
    session: Session, entry: Entry, source: Place, target: Place, into: Entry | None
) -> Entry:
    if into is not None:
        return session.api.move(entry, into.id)
    folder = session.api.folder(target.folder)
    moved = session.api.move(entry, folder.id) if folder.id != entry.folder_id else entry
    return session.api.rename(moved, target.name) if target.name != moved.name else moved


def _folder_at(session: Session, place: Place) -> Entry | None:
    try:
        found = session.api.entry(place)
    except ClientError as error:
        if error.exit_code != NOT_FOUND:
            raise
        return None
    if not found.is_folder:
        raise ClientError(f"{place} is there already.", CONFLICT, "name_taken")
    return found


def rm(session: Session) -> int:
    """Put into the trash. To delete for good takes a person, in a browser."""
    for text in session.options.path:
        try:
            entry = session.api.entry(parse(text))
            if entry.is_folder and not session.options.recursive:
                raise ClientError(
                    "It is a folder: --recursive puts it away with all that is in it.",
                    USAGE,
                    "is_a_folder",
                )
            session.api.put_away(entry)
        except ClientError as error:
            session.failed(text, error)
        else:
            session.done(
                f"in the trash  {text}  (securestore restore id:{entry.id})",
                path=text,
                id=entry.id,
                outcome="put_away",
            )
    return session.end()


def restore(session: Session) -> int:
    """Bring back from the trash, by id or by name."""
    for text in session.options.path:
        try:
            [entry] = _in_trash(session, [text])
            back = session.api.restore(entry)
        except ClientError as error:
            session.failed(text, error)
        else:
            session.done(f"restored  {back.name}", path=text, id=back.id, outcome="restored")
    return session.end()


def _in_trash(session: Session, wanted: Iterable[str]) -> list[Entry]:
    found = []
    trash = list(session.api.trash())
    for text in wanted:
        place = parse(text)
        alike = [
            entry
            for entry in trash
            if (entry.id == place.root if place.root else entry.name == place.name)
        ]
        if not alike:
            raise ClientError(f"The trash has no {text}.", NOT_FOUND, "not_found")
        if len(alike) > 1:
            ids = ", ".join(BY_ID + entry.id for entry in alike)
            raise ClientError(f"The trash has several {text}: name one of {ids}", USAGE, "several")
        found += alike
    return found


def share(session: Session) -> int:
    """Share with people and groups."""
    options = session.options
    entry = session.api.entry(parse(options.path))
    until = moment(options.until) if options.until else None
    made = session.api.share(entry, options.to, options.level, until, options.reason)
    for raw in made:
        who = raw["grant"]["recipient"]["name"]
        session.done(f"shared  {options.path} with {who}", **raw)
    return session.end()


def unshare(session: Session) -> int:
    """Stop sharing with somebody."""
    options = session.options
    entry = session.api.entry(parse(options.path))
    alike = [raw for raw in session.api.shares(entry) if _is_to(raw, options.to)]
    if not alike:
        raise ClientError(
            f"{options.path} is not shared with {options.to} by itself.", NOT_FOUND, "not_found"
        )
    left = 0
    for raw in alike:
        left = session.api.stop_sharing(entry, raw["id"])
        session.done(
            f"stopped  {options.path} with {options.to}",
            id=raw["id"],
            outcome="stopped",
            remaining=left,
        )
    if left:
        others = "another share" if left == 1 else f"{left} other shares"
        session.warn(
            f"{options.to} can still read it by {others}: of a group, or of a folder above it."
        )
    return session.end()


def _is_to(raw: dict[str, Any], said: str) -> bool:
    """Whether a share that has not ended is to whom somebody named."""
    kind, name = raw["recipient"]["kind"], raw["recipient"]["name"]
    ended = raw["status"] in {"expired", "revoked"}
    return not ended and said.casefold() in {name.casefold(), f"{kind}:{name}".casefold()}


def moment(text: str) -> datetime:
    """A day (its end), a moment, or days from now (`30d`). Raises ClientError."""
    if found := _DAYS.fullmatch(text):
        return datetime.now(UTC) + timedelta(days=int(found[1]))
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise ClientError(
            f"“{text}” is no day: write 2026-12-31, or 30d for thirty days.", USAGE, "bad_moment"
        ) from None
    if len(text) == len("2026-12-31"):
        given = datetime.combine(given.date(), time(23, 59, 59))
    return given.astimezone() if given.tzinfo is None else given
