"""Does what accounts and groups may do follow from the log? Who writes past it leaves no event.

Read only. Each account's and each group's last event tells the whole of its powers
(`accounts.powers`); one that no event names may do nothing. What was there before events told so
much was stated once, by migration 0004 of `audit`, and is believed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db.models import Prefetch

from accounts import powers
from accounts.models import User
from audit import Event
from audit.chain import as_detail
from audit.models import AuditEvent

STATED = "stated"
"""The change of an event that says what was there already."""

Told = dict[str, Any]

_FLAGS = {"active": "is_active", "staff": "is_staff", "superuser": "is_superuser"}
_NOTHING: Told = {"active": True, "staff": False, "superuser": False, "group_ids": "", "may": ""}
_AT_ONCE = 500
_NAME = {Event.ACCOUNT_CHANGED: "username", Event.GROUP_CHANGED: "group"}
"""The detail with the name that people give files to."""


def differences() -> Iterator[str]:
    """What stands and no event accounts for, each in words."""
    yield from _twice_stated()
    yield from _of_groups()
    yield from _of_accounts()


def _last(event: Event, subject: str) -> dict[int, Told]:
    """The last event of each account, or group, that tells its powers."""
    last: dict[int, Told] = {}
    rows = AuditEvent.objects.filter(event=event).order_by("id").values_list("data", flat=True)
    for data in rows.iterator(chunk_size=1000):
        number = data.get(subject)
        if isinstance(number, int) and "may" in data:
            last[number] = {name: data[name] for name in _NOTHING if name in data}
            last[number]["name"] = data.get(_NAME[event])
    return last


def _twice_stated() -> Iterator[str]:
    """What somebody made by a second statement would be believed."""
    rows = AuditEvent.objects.filter(event__in=[Event.ACCOUNT_CHANGED, Event.GROUP_CHANGED])
    told_before = False
    for number, data in rows.order_by("id").values_list("id", "data").iterator(chunk_size=1000):
        if data.get("change") == STATED and told_before:
            yield f"event {number} states powers after the log began to tell of them"
            return
        told_before |= "may" in data and data.get("change") != STATED


def _of_groups() -> Iterator[str]:
    told, known = _last(Event.GROUP_CHANGED, "group_id"), _marks()
    for group in Group.objects.prefetch_related(_permissions("permissions")).order_by("pk"):
        said = told.get(group.pk, _NOTHING)
        if not _fits(_marks_of(group.permissions.all()), said["may"], known):
            yield f"group {group.pk} has permissions that no event gave it, or lacks some"
        if not _is_called(said, group.name):
            yield f"group {group.pk}: no event accounts for its name"


def _of_accounts() -> Iterator[str]:
    told, known = _last(Event.ACCOUNT_CHANGED, "user_id"), _marks()
    groups = {str(pk) for pk in Group.objects.values_list("pk", flat=True)}
    people = User.objects.prefetch_related(_permissions("user_permissions"), "groups").order_by(
        "pk"
    )
    for user in people.iterator(chunk_size=_AT_ONCE):
        said = told.get(user.pk, _NOTHING)
        wrong = [word for word, field in _FLAGS.items() if getattr(user, field) != said[word]]
        own_groups = [str(pk) for pk in sorted(group.pk for group in user.groups.all())]
        if not _fits(own_groups, said["group_ids"], groups, ","):
            wrong.append("groups")
        if not _fits(_marks_of(user.user_permissions.all()), said["may"], known):
            wrong.append("permissions")
        if not _is_called(said, user.username):
            wrong.append("name")
        if wrong:
            yield f"account {user.pk}: no event accounts for its {', '.join(wrong)}"


def _is_called(said: Told, name: str) -> bool:
    """Whether the name is the one that was told, where one was: who may do nothing has no event."""
    told = said.get("name")
    return told is None or told in {name, as_detail(name)}


def _permissions(field: str) -> Prefetch[Any]:
    return Prefetch(field, Permission.objects.select_related("content_type"))


def _marks_of(permissions: Any) -> list[str]:
    return sorted(powers.mark(one.content_type.app_label, one.codename) for one in permissions)


def _marks() -> set[str]:
    return set(_marks_of(Permission.objects.select_related("content_type")))


def _fits(now: list[str], told: str, known: set[str], separator: str = " ") -> bool:
    """Whether that is what was told, but for groups and permissions that are gone altogether."""
    if told.startswith("sha256:"):
        return powers.told(now, separator) == told
    parts = [part for part in told.split(separator) if part in known]
    return sorted(parts) == sorted(now)
