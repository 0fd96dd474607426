"""The audit log in the administration, with the names that the log itself does not hold.

An event names files, folders and people by their ids, so that it never says more than it must. Here
they get the names that they have now, for readers who may see these in another list.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from audit import details
from audit.admin import AuditEventAdmin
from audit.models import AuditEvent
from files.models import FileRecord, Folder
from runtime.administration import is_id

NAMED: dict[str, tuple[type[Model], str, str]] = {
    "file": (FileRecord, "name", "files.view_filerecord"),
    "folder": (Folder, "name", "files.view_folder"),
    "user": (User, "username", "accounts.view_user"),
    "group": (Group, "name", "auth.view_group"),
}
"""Of each kind: where its names are, and who may see them."""


class EventsOfFiles(AuditEventAdmin):
    """Events, with names."""

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """With the names of what the events of this page are about."""
        changes: Any = super().get_changelist_instance(request)
        changes.result_list = list(changes.result_list)
        self._name(request, changes.result_list)
        return changes

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        event = super().get_object(request, object_id, from_field)
        if event is not None:
            self._name(request, [event])
        return event

    def _name(self, request: HttpRequest, events: Sequence[AuditEvent]) -> None:
        names = names_for(request.user, events)
        for event in events:
            event.names = names  # type: ignore[attr-defined]

    @admin.display(description=_("details"))
    def details(self, event: Any) -> str:
        return details.shown(event.data, getattr(event, "names", None))

    @admin.display(description=_("file"))
    def subject(self, event: Any) -> str:
        if event.file_id is None:
            return ""
        name = getattr(event, "names", {}).get(("file", str(event.file_id)))
        if name is None:
            return str(event.file_id)
        link = reverse("admin:files_filerecord_change", args=[event.file_id])
        return format_html('<a href="{}"><bdi>{}</bdi></a>', link, name)


def names_for(reader: Any, events: Sequence[AuditEvent]) -> dict[tuple[str, str], str]:
    """The names of what these events are about, of those that the reader may see. Four queries."""
    wanted: defaultdict[str, set[str]] = defaultdict(set)
    for event in events:
        if event.file_id is not None:
            wanted["file"].add(str(event.file_id))
        for kind, found in details.ids_in(event.data):
            wanted[kind].add(found)
    names: dict[tuple[str, str], str] = {}
    for kind, (model, field, permission) in NAMED.items():
        if not reader.has_perm(permission):
            continue
        ids = [one for one in wanted[kind] if is_id(one, model._meta.pk)]
        rows = model._default_manager.filter(pk__in=ids).values_list("pk", field)
        names |= {(kind, str(pk)): name or gettext("top level") for pk, name in rows}
    return names
