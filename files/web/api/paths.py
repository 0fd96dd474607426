"""A path of the API: what its segments are, and where they lead in a tree.

The decoded path is split at `/`, and every segment has to be a name as it is kept, or it is told
what the right one would be. Names are matched by their unique key, and answered as they are stored.
What the token does not reach is not there, whatever stands on the way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.http import Http404, HttpRequest

from files.access.rule import folders_visible_to
from files.access.statements import reaches
from files.models import Entry, Folder
from files.models.folders import DEEPEST
from files.records.names import BadName, clean_folder_name, clean_name
from files.sharing import denials
from files.tree import placing
from files.web.api.entrance import program_of
from files.web.api.problems import Problem
from files.web.requested import denied_folder
from files.web.transfers.raw_path import is_utf_8

ORIGINAL: Final = ("RAW_URI", "REQUEST_URI", "HTTP_X_ORIGINAL_URI")
"""Where servers say what was asked for before anything was undone. Granian says nothing; the proxy
that is shipped sends the last one. It can only have a request refused."""

_SLASH = re.compile(r"%2f", re.IGNORECASE)


class Names:
    """Whatever stands at the end of an address, line breaks and nothing too: it is told what is
    wrong with it, where Django's own would say that there is nothing."""

    regex = "(?s:.*)"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


@dataclass(frozen=True)
class Reached:
    """How far a path is there: the last folder of it, the names below that are missing, and what
    stands where the last one leads."""

    folder: Folder
    missing: Sequence[str]
    entry: Entry | None


def segments_of(request: HttpRequest, path: str) -> list[str]:
    """The names of a path: of folders, and the last one of a file. Raises Problem."""
    _refuse_undecoded(request)
    names = path.split("/")
    if not all(names):
        raise Problem(
            "path_not_usable",
            "A path has one “/” between two names, none before the first or after the last.",
        )
    if len(names) > DEEPEST + 1:
        raise Problem("too_deep", f"Folders can stand {DEEPEST} deep.")
    for number, name in enumerate(names, 1):
        require_kept(name, is_file=number == len(names))
    return names


def require_kept(given: str, *, is_file: bool) -> None:
    """Raise Problem for a name that is not one as it is kept, saying what the right one is."""
    name = _clean(given, is_file=is_file)
    if given != name:
        raise Problem(
            "name_not_usable",
            f"“{given[:100]}” is kept as “{name[:100]}”: send that.",
            name=name,
        )


def _refuse_undecoded(request: HttpRequest) -> None:
    if not is_utf_8(request.META):
        raise Problem("path_not_usable", "The path is not UTF-8.")
    for name in ORIGINAL:
        if _SLASH.search(request.META.get(name, "").partition("?")[0]):
            raise Problem("path_not_usable", "No name has a “/” in it, written as %2F neither.")


def _clean(name: str, *, is_file: bool) -> str:
    try:
        return clean_name(name) if is_file else clean_folder_name(name)
    except BadName as error:
        raise Problem("name_not_usable", str(error), name=None) from None


def follow(request: HttpRequest, base: Folder, names: Sequence[str]) -> Reached:
    """How far the path below that folder is there. Raises Http404 where it leaves the reach.

    As many queries as it has folders, and one.
    """
    folder, missing = base, list(names)
    entry = None
    while missing:
        entry = placing.taken(folder, missing[0])
        if entry is None or entry.folder is None or len(missing) == 1:
            break
        entry.folder.owner = folder.owner
        folder, missing, entry = entry.folder, missing[1:], None
    if not reaches(folders_visible_to, program_of(request), folder.pk):
        denied_folder(request, folder.pk, denials.NOT_VISIBLE)
        raise Http404
    return Reached(folder, missing, entry)
