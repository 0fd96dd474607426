"""What notices are about: the names that their reader can see now, and where each leads.

Asked of the one rule, whenever a notice is shown or mailed (`settings.NOTICE_SUBJECTS`).
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from accounts.models import User
from files.access.principals import Person
from files.access.rule import folders_visible_to, visible_to
from notices.subjects import Subject


def seen_by(
    person: User, files: Collection[UUID], folders: Collection[UUID]
) -> dict[UUID, Subject]:
    """Those of the files and folders that the person can see now. Two queries at most."""
    who = Person(person)
    found: dict[UUID, Subject] = {}
    if files:
        for record in visible_to(who).filter(pk__in=files):
            found[record.pk] = Subject(record.name, record.get_absolute_url(), is_folder=False)
    if folders:
        for folder in folders_visible_to(who).filter(pk__in=folders):
            found[folder.pk] = Subject(folder.name, folder.get_absolute_url(), is_folder=True)
    return found
