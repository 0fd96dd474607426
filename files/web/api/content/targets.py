"""Where a file of a `PUT` goes, and whether it may: found before its first byte.

What may make a version and what is refused is decided as for every upload
(`files.vault.destinations`). Never takes a condition that it does not understand for none.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from django.http import (
    HttpRequest,
)
from django.utils.http import parse_etags

from files.access.permissions import Permission
from files.access.principals import Program
from files.access.rule import addable_by, replaceable_by
from files.access.statements import reaches
from files.errors import MayNotAdd
from files.keys.custody import UserKey
from files.models import Conflict, FileRecord, Folder
from files.sharing import denials
from files.web.api import paths
from files.web.api.entrance import require
from files.web.api.problems import Problem
from files.web.requested import (
    denied_folder,
)
from files.web.transfers import downloads


@dataclass
class Target:
    """Where a file goes, as it is found before its first byte."""

    who: Program
    folder: Folder
    """The last one of the path that is there."""
    missing: list[str]
    """The names of folders that are to be made."""
    name: str
    there: FileRecord | None = None
    must_be: str | None = None
    """The version that has to be there at the end as well, in hex."""
    must_be_new: bool = False
    must_not_be: frozenset[str] = frozenset()
    """The ETags that what was there must not have at the end either."""
    keys: list[UserKey] = field(default_factory=list)

    def status_of(self, record: FileRecord) -> int:
        """200 for a new version of what was there, else 201."""
        return 200 if self.there is not None and record.pk == self.there.pk else 201

    @property
    def conflict(self) -> Conflict:
        """What a name means that is taken."""
        return Conflict.REFUSE if self.must_be_new else Conflict.VERSION


def find_target(request: HttpRequest, who: Program, base: Folder, names: list[str]) -> Target:
    """What is there, and whether it may be replaced. Raises Problem, Http404."""
    require(request, Permission.UPLOAD)
    reached = paths.follow(request, base, names)
    entry = reached.entry
    *missing, name = reached.missing
    target = Target(who, reached.folder, missing, name)
    if not reaches(addable_by, who, reached.folder.pk):
        denied_folder(request, reached.folder.pk, denials.NO_PERMISSION)
        raise MayNotAdd
    if missing and entry is not None:
        raise Problem("not_a_folder", f"“{missing[0]}” is a file there.", name=missing[0])
    if missing and request.GET.get("parents") != "1":
        raise Problem(
            "folder_missing",
            f"There is no folder “{missing[0]}”: make it first, or send ?parents=1.",
            name=missing[0],
        )
    if entry is not None and entry.folder is not None:
        raise Problem("is_a_folder", "There is a folder of that name.", name=entry.folder.name)
    target.there = entry.file if entry is not None and not missing else None
    _conditions(request, target)
    if target.there is not None and not _may_replace(who, target.there):
        raise Problem(
            "name_taken",
            f"“{target.there.name}” exists there, and is not yours to replace: take another name.",
            name=target.there.name,
        )
    return target


def _may_replace(who: Program, record: FileRecord) -> bool:
    return replaceable_by(who).filter(pk=record.pk).exists()


def _conditions(request: HttpRequest, target: Target) -> None:
    """RFC 9110, 13.2.2, of what is there now. Raises Problem."""
    there = target.there
    wanted = request.headers.get("If-Match")
    if wanted is not None:
        tags = set(parse_etags(wanted))
        if there is None or not {"*", downloads.etag_of(there)} & tags:
            raise failed_condition()
        target.must_be = there.version.hex
    unwanted = request.headers.get("If-None-Match")
    if unwanted is None:
        return
    target.must_not_be = frozenset(parse_etags(unwanted))
    if not target.must_not_be:
        # To ignore it would be to replace what was not to be replaced.
        raise Problem("invalid", "If-None-Match has no ETag: it is in quotation marks, or *.")
    target.must_be_new = "*" in target.must_not_be
    if there is not None and {"*", downloads.etag_of(there)} & target.must_not_be:
        raise failed_condition()


def failed_condition() -> Problem:
    return Problem("precondition_failed", "What is there is not what the condition says.")
