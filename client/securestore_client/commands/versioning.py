"""`versions`: what a file was before, and making it that again."""

from __future__ import annotations

from uuid import UUID

from ..errors import USAGE, ClientError
from ..places import parse
from ..progress import in_words
from ..session import Session


def versions(session: Session) -> int:
    """List the former versions of a file; with one of them, make it the current one again."""
    options = session.options
    place = parse(options.path)
    entry = session.api.entry(place)
    if entry.is_folder:
        raise ClientError(f"{place} is a folder: files have versions.", USAGE, "is_a_folder")
    if options.restore is not None:
        version = _known(options.restore)
        restored = session.api.restore_version(entry, version)
        session.done(f"restored  {place}  {version}", **restored.raw, outcome="restored")
        return session.end()
    for one in session.api.versions(entry):
        session.done(
            f"{one['version']}  {in_words(one['size']):>10}  {one['uploaded_at'][:19]}"
            f"  {one['uploaded_by'] or '-'}",
            **one,
        )
    return session.end()


def _known(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise ClientError(
            f"“{text}” is no version: say one as `versions` lists it.", USAGE, "bad_version"
        ) from None
