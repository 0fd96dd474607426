"""One's own profile: the name that others see, the language and the time zone of the pages."""

from __future__ import annotations

from django.db import transaction

import audit
from accounts.models import User
from audit import Event

LONGEST_NAME = 150
"""Characters of a full name."""


def change(user: User, *, full_name: str, language: str, time_zone: str) -> list[str]:
    """Save one's profile; the fields that changed. Without a change nothing is written.

    The event says which, and not what the name is now.
    """
    fields = {"first_name": full_name, "last_name": "", "language": language}
    fields["time_zone"] = time_zone
    with transaction.atomic():
        found = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if found.get_full_name() == full_name:
            del fields["first_name"], fields["last_name"]
        changed = [name for name, value in fields.items() if getattr(found, name) != value]
        if changed:
            for name in changed:
                setattr(found, name, fields[name])
                setattr(user, name, fields[name])
            found.save(update_fields=changed)
            told = ", ".join(sorted({_TOLD.get(name, name) for name in changed}))
            audit.record(Event.PROFILE_CHANGED, actor=user, user_id=user.pk, fields=told)
    return changed


_TOLD = {"first_name": "full name", "last_name": "full name", "time_zone": "time zone"}
