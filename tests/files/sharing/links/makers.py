"""Who may make links, and what the log has of them."""

from __future__ import annotations

from django.contrib.auth.models import Permission

from accounts.models import User
from audit.models import AuditEvent


def may_link(user: User) -> User:
    """Somebody whom an administrator lets make links."""
    user.user_permissions.add(Permission.objects.get(codename="add_link"))
    return User.objects.get(pk=user.pk)


def events() -> list[tuple[str, int]]:
    told = AuditEvent.objects.order_by("id").values_list("event", "data__link_id")
    return [(event, number) for event, number in told if event.startswith("link_")]
