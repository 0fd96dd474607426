"""What an account may do, and in which groups: every change of it is an event, by whatever door.

Rows, not pages: a command, a fixture, a shell and the administration all come through here. Only
who writes to the database itself does not, and then the log does not account for what stands there
(`accounts.accounting`).

An event tells the whole of what the account, or the group, may do after the change:

    group_ids = "1,4"            the account's groups, or `sha256:…` where they are too many
    may       = "0a1b2 93f00"    a mark for each permission given directly, or `sha256:…`
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models.signals import m2m_changed, post_save, pre_delete, pre_save
from django.dispatch import receiver

import audit
from accounts.models import User

LONGEST = 490
"""Characters of one detail; a longer one would be cut."""

_MARK = 5

Subject = User | Group

_gathered: ContextVar[dict[tuple[type, int], str] | None] = ContextVar("powers", default=None)


@contextmanager
def as_one() -> Iterator[None]:
    """Let all changes inside be one transaction, and one event for each account or group.

    The events are its last step. Inside another one, a part of that.
    """
    if _gathered.get() is not None:
        yield
        return
    subjects: dict[tuple[type, int], str] = {}
    with transaction.atomic():
        token = _gathered.set(subjects)
        try:
            yield
        finally:
            _gathered.reset(token)
        for (model, pk), change in subjects.items():
            found = model._default_manager.filter(pk=pk).first()  # type: ignore[attr-defined]
            if found is not None:
                _record(found, change)


def note(subject: Subject, change: str) -> None:
    """Record what the account or the group may do now; at the end of `as_one`, where that is."""
    subjects = _gathered.get()
    if subjects is None:
        _record(subject, change)
    else:
        subjects.setdefault((type(subject), subject.pk), change)


def _record(subject: Subject, change: str) -> None:
    if isinstance(subject, Group):
        audit.record(
            audit.Event.GROUP_CHANGED,
            group_id=subject.pk,
            group=subject.name,
            change=change,
            permissions=_codenames(subject.permissions),
            may=told(marks_of(subject.permissions)),
        )
        return
    groups = subject.groups.order_by("name").values_list("pk", "name")
    audit.record(
        audit.Event.ACCOUNT_CHANGED,
        user_id=subject.pk,
        username=subject.username,
        change=change,
        active=subject.is_active,
        staff=subject.is_staff,
        superuser=subject.is_superuser,
        groups=", ".join(name for _, name in groups),
        permissions=_codenames(subject.user_permissions),
        group_ids=told([str(pk) for pk in sorted(pk for pk, _ in groups)], ","),
        may=told(marks_of(subject.user_permissions)),
    )


def _codenames(permissions: Any) -> str:
    return ", ".join(permissions.order_by("codename").values_list("codename", flat=True))


def told(parts: Iterable[str], separator: str = " ") -> str:
    """These parts as one detail of an event: all of them, or a digest where they are too many."""
    text = separator.join(parts)
    if len(text) <= LONGEST:
        return text
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def mark(app: str, codename: str) -> str:
    """What stands for a permission in an event: short, and the same in every database."""
    return hashlib.sha256(f"{app}.{codename}".encode()).hexdigest()[:_MARK]


def marks_of(permissions: Any) -> list[str]:
    """The marks of a queryset of permissions, in order."""
    rows = permissions.order_by().values_list("content_type__app_label", "codename")
    return sorted(mark(app, codename) for app, codename in rows)


# --- Rows --------------------------------------------------------------------------------------

_FIELDS = ("is_active", "is_staff", "is_superuser", "username")
_LOADED = ("password", "email")
"""What has an event of its own where it is saved; a fixture saves nothing that way."""


@receiver(pre_save, sender=User)
def _remember(instance: User, raw: bool = False, update_fields: Any = None, **_kwargs: Any) -> None:
    wanted = update_fields is None or not {*_FIELDS}.isdisjoint(update_fields)
    saved = User.objects.filter(pk=instance.pk).values(*_FIELDS, *_LOADED)
    instance._former = saved.first() if wanted and instance.pk else None  # type: ignore[attr-defined]
    instance._powers_saved = wanted  # type: ignore[attr-defined]


@receiver(post_save, sender=User)
def _saved(instance: User, created: bool, raw: bool = False, **_kwargs: Any) -> None:
    if not instance._powers_saved:  # type: ignore[attr-defined]
        return
    former: dict[str, Any] | None = instance._former  # type: ignore[attr-defined]
    names: tuple[str, ...] = (*_FIELDS, *_LOADED) if raw else _FIELDS
    if former is None:
        former = {"is_active": True, "is_staff": False, "is_superuser": False}
        names = _FIELDS[:3]
    if _gathered.get() is not None and created:
        note(instance, "added")
    elif any(former[name] != getattr(instance, name) for name in names):
        note(instance, "loaded" if raw else "added" if created else "changed")


@receiver(pre_save, sender=Group)
def _remember_group(instance: Group, **_kwargs: Any) -> None:
    saved = Group.objects.filter(pk=instance.pk) if instance.pk else Group.objects.none()
    instance._former_name = saved.values_list("name", flat=True).first()  # type: ignore[attr-defined]


@receiver(post_save, sender=Group)
def _group_saved(instance: Group, created: bool, **_kwargs: Any) -> None:
    former: str | None = instance._former_name  # type: ignore[attr-defined]
    # People give files to a name.
    if _gathered.get() is not None or former not in {None, instance.name}:
        note(instance, "added" if created else "changed")


@receiver(pre_delete, sender=User)
@receiver(pre_delete, sender=Group)
def _deleted(instance: Subject, **_kwargs: Any) -> None:
    # An account that could do nothing takes no power with it. Administrators' acts are told anyway.
    if _gathered.get() is not None or isinstance(instance, Group) or _may_anything(instance):
        _record(instance, "deleted")


def _may_anything(user: User) -> bool:
    flags = user.is_staff or user.is_superuser
    return flags or user.groups.exists() or user.user_permissions.exists()


@receiver(m2m_changed, sender=User.groups.through)
@receiver(m2m_changed, sender=User.user_permissions.through)
@receiver(m2m_changed, sender=Group.permissions.through)
def _given_or_taken(
    instance: Any, action: str, reverse: bool, pk_set: set[int] | None, sender: Any, **_kwargs: Any
) -> None:
    if action == "pre_clear" and reverse:
        instance._cleared = set(_others(sender, instance))
    if action not in {"post_add", "post_remove", "post_clear"}:
        return
    if not reverse:
        if pk_set is None or pk_set:
            note(instance, "changed")
        return
    changed = instance._cleared if action == "post_clear" else pk_set or set()
    model = Group if sender is Group.permissions.through else User
    for subject in model._default_manager.filter(pk__in=changed).order_by("pk"):
        note(subject, "changed")


def _others(through: Any, instance: Group | Permission) -> list[int]:
    """The accounts, or groups, that a group or a permission is given to."""
    to = "group" if isinstance(instance, Group) else "permission"
    owner = "group" if through is Group.permissions.through else "user"
    return list(through.objects.filter(**{to: instance.pk}).values_list(owner, flat=True))
