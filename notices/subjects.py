"""What a notice is about, as its reader may see it now: asked of who knows files, each time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.utils.module_loading import import_string

from notices.models import Notice


@dataclass(frozen=True, slots=True)
class Subject:
    """A file or folder that the reader can see: its name, and its page."""

    name: str
    path: str
    is_folder: bool


Finder = Callable[[Any, Collection[UUID], Collection[UUID]], dict[UUID, Subject]]
"""Of a person, and of ids of files and of folders: those that the person can see now."""


@dataclass(frozen=True, slots=True)
class Told:
    """A notice with what may be said of it to its reader."""

    notice: Notice
    subject: Subject | None
    actor: str
    """The user name of who did it; empty where nobody is named."""

    @property
    def about(self) -> UUID | None:
        """The file or folder, whether it may be seen or not."""
        return self.notice.file_id or self.notice.folder_id

    @property
    def path(self) -> str:
        """Where the notice leads; empty where what it is about is not to be seen any more."""
        if self.about is not None and self.subject is None:
            return ""
        return str(self.notice.path) or (self.subject.path if self.subject else "")


def tell(person: Any, notices: Iterable[Notice]) -> list[Told]:
    """What may be said of each to this person. As many queries, however many there are."""
    rows = list(notices)
    finder: Finder = import_string(settings.NOTICE_SUBJECTS)
    files = {row.file_id for row in rows if row.file_id is not None}
    folders = {row.folder_id for row in rows if row.folder_id is not None}
    found = finder(person, files, folders) if files or folders else {}
    actors = _names({row.actor_id for row in rows if row.actor_id is not None})
    told = []
    for row in rows:
        about = row.file_id or row.folder_id
        actor = actors.get(row.actor_id, "") if row.actor_id is not None else ""
        told.append(Told(row, found.get(about) if about else None, actor))
    return told


def _names(ids: Collection[int]) -> dict[int, str]:
    if not ids:
        return {}
    people = get_user_model()._default_manager.filter(pk__in=ids)
    return {person.pk: person.get_username() for person in people}
