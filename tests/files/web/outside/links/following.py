"""A link of somebody's, and what comes back by it."""

from __future__ import annotations

from typing import Any

from accounts.models import User
from files.models import FileRecord, Folder, Link
from files.sharing.links import making
from files.sharing.links.making import Terms

CONTENT = bytes(range(256)) * 16


def linked(item: FileRecord | Folder, **terms: Any) -> tuple[str, Link]:
    """The path of a new link of its owner's, and its row."""
    owner = User.objects.get(pk=item.owner_id)
    made = making.make(item, Terms(**terms), actor=owner)
    return making.path_of(made.text), made.link


def body(response: Any) -> bytes:
    found = b"".join(response.streaming_content) if response.streaming else response.content
    response.close()
    return found
