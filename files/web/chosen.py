"""What a form or an address names of several files and folders: `file` and `folder`, repeated.

Every one is fetched through the rule: where one is not the user's to see, the answer is a 404 for
all, as for one that does not exist, and the refusal is noted.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme, urlencode

from files.access.principals import Person, Principal
from files.access.rule import folders_visible_to, trashed_files_of, trashed_folders_of, visible_to
from files.models import FileRecord, Folder, Item
from files.sharing import denials
from files.web.requested import denied, denied_folder, ids_of, user_of
from files.web.words import Words

Files = Callable[[Principal], QuerySet[FileRecord]]
Folders = Callable[[Principal], QuerySet[Folder]]


@dataclass(frozen=True)
class Chosen:
    """Files and folders that somebody has chosen, folders first, each by name."""

    folders: Sequence[Folder]
    files: Sequence[FileRecord]

    @property
    def items(self) -> list[Item]:
        """All of them."""
        return [*self.folders, *self.files]

    @property
    def query(self) -> str:
        """They, as an address names them."""
        named = [("folder", str(one.pk)) for one in self.folders]
        return urlencode(named + [("file", str(one.pk)) for one in self.files])


def chosen(request: HttpRequest, data: QueryDict) -> Chosen:
    """What is named, if the user may see all of it; 404 otherwise. Two queries."""
    return _found(request, data, visible_to, folders_visible_to)


def chosen_in_trash(request: HttpRequest, data: QueryDict) -> Chosen:
    """What is named, if it was put away and the user may bring it back; 404 otherwise."""
    return _found(request, data, trashed_files_of, trashed_folders_of)


def _found(request: HttpRequest, data: QueryDict, files: Files, folders: Folders) -> Chosen:
    who = Person(user_of(request))
    at_most = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
    wanted_files = ids_of(data.getlist("file")[:at_most])
    wanted_folders = ids_of(data.getlist("folder")[:at_most])
    records = files(who).select_related("owner", "current", "folder").filter(pk__in=wanted_files)
    trees = folders(who).select_related("owner", "parent").filter(pk__in=wanted_folders)
    found = Chosen(
        list(trees.exclude(parent=None).order_by("name", "pk")) if wanted_folders else [],
        list(records.order_by("name", "pk")) if wanted_files else [],
    )
    _refuse(
        request,
        wanted_files - {one.pk for one in found.files},
        wanted_folders - {one.pk for one in found.folders},
    )
    return found


def _refuse(request: HttpRequest, files: set[uuid.UUID], folders: set[uuid.UUID]) -> None:
    if files:
        denied(request, files, denials.NOT_VISIBLE)
    for folder in folders:
        denied_folder(request, folder, denials.NOT_VISIBLE)
    if files or folders:
        raise Http404


def refused_some(
    request: HttpRequest, picked: Chosen, told: Words, *, files: Files, folders: Folders, back: str
) -> HttpResponse | None:
    """The page that names what the user sees and may not do that with; None where there is none.

    `told` says what they may not, in a sentence of its own that ends before their names. Two
    queries.
    """
    who = Person(user_of(request))
    may = set(files(who).filter(pk__in=[one.pk for one in picked.files]).values_list("pk"))
    may |= set(folders(who).filter(pk__in=[one.pk for one in picked.folders]).values_list("pk"))
    lacking = [item for item in picked.items if (item.pk,) not in may]
    if not lacking:
        return None
    if wanted := [one.pk for one in lacking if isinstance(one, FileRecord)]:
        denied(request, wanted, denials.NO_PERMISSION)
    for one in lacking:
        if isinstance(one, Folder):
            denied_folder(request, one.pk, denials.NO_PERMISSION)
    context = {"lacking": lacking, "told": told, "back": back}
    return render(request, "files/may_not_all.html", context, status=403)


def back_of(data: QueryDict, default: str) -> str:
    """The page of ours that a form says it came from: there one goes on, at the same place."""
    wanted = data.get("back", "")
    # A path and what follows it: neither another site's, nor one that a browser takes for such.
    is_ours = wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    return wanted if is_ours else default
