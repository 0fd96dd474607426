"""The log states once which powers there are: events did not tell all of them before.

From here on each change of an account's or a group's powers is an event that tells the whole of them,
and `verify_audit` holds what stands against the last. Takes no lock but the log's, for one event each.
"""

import hashlib
from collections.abc import Iterable
from typing import Any

from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.utils import timezone

from audit.chain import GENESIS, mac_of, wait_for_turn

# As they were when this was written.
FIELDS = (
    *("id", "at", "event", "actor_id", "actor_name", "address", "user_agent", "request_id"),
    *("file_id", "grant_id", "data", "previous_mac"),
)


def state(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    user = apps.get_model("accounts", "User")
    for group in apps.get_model("auth", "Group").objects.order_by("pk"):
        if group.permissions.exists():
            details = {"group_id": group.pk, "group": group.name[:150], "change": "stated"}
            _append(apps, "group_changed", {**details, "may": _marks(group.permissions)})
    for pk in list(user.objects.order_by("pk").values_list("pk", flat=True)):
        person = user.objects.get(pk=pk)
        groups = sorted(person.groups.values_list("pk", flat=True))
        may = _marks(person.user_permissions)
        if person.is_active and not (person.is_staff or person.is_superuser or groups or may):
            continue
        _append(
            apps,
            "account_changed",
            {
                "user_id": person.pk,
                "username": person.username,
                "change": "stated",
                "active": person.is_active,
                "staff": person.is_staff,
                "superuser": person.is_superuser,
                "group_ids": told([str(pk) for pk in groups], ","),
                "may": may,
            },
        )


def mark(app: str, codename: str) -> str:
    return hashlib.sha256(f"{app}.{codename}".encode()).hexdigest()[:5]


def told(parts: Iterable[str], separator: str = " ") -> str:
    text = separator.join(parts)
    if len(text) <= 490:
        return text
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _marks(permissions: Any) -> str:
    rows = permissions.values_list("content_type__app_label", "codename")
    return told(sorted(mark(app, codename) for app, codename in rows))


def _append(apps: Apps, event: str, data: dict[str, Any]) -> None:
    rows = apps.get_model("audit", "AuditEvent").objects
    with transaction.atomic():
        wait_for_turn()
        number, previous = rows.order_by("-id").values_list("id", "mac").first() or (0, GENESIS)
        values = {
            **dict.fromkeys(FIELDS),
            "id": number + 1,
            "at": timezone.now(),
            "event": event,
            "actor_name": "command:migrate",
            **dict.fromkeys(("address", "user_agent", "request_id"), ""),
            "data": data,
            "previous_mac": previous,
        }
        rows.create(**values, mac=mac_of([values[name] for name in FIELDS]))


class Migration(migrations.Migration):
    atomic = False
    brief = True  # An event for each power that there is; no table is shut (`runtime.forecast`).

    dependencies = [
        ("audit", "0003_last_run"),
        ("auth", "0012_alter_user_first_name_max_length"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [migrations.RunPython(state, migrations.RunPython.noop)]
