"""Where a client says that an upload is to go: `folder`, `path` and `conflict`.

A folder is only ever fetched through the rule, so that one which is not the user's to see is the
404 of one that does not exist. Must never decide what becomes of an upload.
"""

from __future__ import annotations

import uuid
from typing import cast

from django.core.exceptions import BadRequest
from django.http import Http404

from accounts.models import User
from files.access.principals import Principal, Program
from files.access.rule import folders_visible_to
from files.models import Conflict, Folder
from files.sharing import denials
from files.vault.destinations import Destination


class BadDestination(BadRequest):
    """What was said of the folder or of a taken name makes no sense; the message says why."""


def destination(who: Principal, *, folder: str = "", conflict: str = "") -> Destination:
    """Where an upload is to go, from the texts of `folder` and `conflict`; empty says nothing.

    A program whose token is for one folder puts things there, unless it says otherwise.

    Raises BadDestination, and Http404 for a folder that the user does not see.
    """
    if conflict and conflict not in Conflict:
        raise BadDestination(
            f"“{conflict[:40]}” says nothing of a name that is taken: send version, rename or "
            "refuse as `conflict`, or leave it out for rename. Nothing was stored."
        )
    if not folder and isinstance(who, Program) and who.folder is not None:
        folder = str(who.folder)
    by = who if isinstance(who, Program) else None
    return Destination(_folder(who, folder), Conflict(conflict or Conflict.RENAME), by)


def user_behind(who: Principal) -> User:
    """The person who asks, or whose program does; for who has signed in."""
    return cast("User", who.user)


def way_of(text: str) -> list[str]:
    """The names of folders in a `path`: relative, `/` between them; empty says nothing.

    Raises BadDestination; what is wrong with a name itself is said where folders are made.
    """
    if not text:
        return []
    names = text.split("/")
    if not all(names):
        raise BadDestination(
            f"“{text[:80]}” is no path to a folder: send the names of the folders with one “/” "
            "between them, and none before the first or after the last. Nothing was stored."
        )
    if wrong := {".", ".."} & set(names):
        raise BadDestination(
            f"A path to a folder goes down only, and “{min(wrong)}” is no name of a folder: send "
            "the path without it. Nothing was stored."
        )
    return names


def _folder(who: Principal, text: str) -> Folder | None:
    if not text:
        return None
    try:
        wanted = uuid.UUID(text)
    except ValueError:
        raise BadDestination(
            f"“{text[:40]}” is no id of a folder: send the one of its address, or leave `folder` "
            "out for your own files. Nothing was stored."
        ) from None
    found = folders_visible_to(who).select_related("owner").filter(pk=wanted).first()
    if found is None:
        denials.note_folder(user_behind(who), wanted, reason=denials.NOT_VISIBLE, door="upload")
        raise Http404("There is no such folder.")
    return found
