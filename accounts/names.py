"""Names of people and groups: one line of text that others go by when they decide who reads what.

Nothing in them is hidden or turns the reading direction around (`clean_line`), by whatever door
they come. What is loaded from a fixture stays as it was written.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group
from django.db.models.signals import pre_save
from django.dispatch import receiver

from accounts.models import User
from files.crypto.portable import clean_line, seen


def is_seen(name: str) -> bool:
    """Whether anything of the name, as it is kept, can be seen."""
    return bool(seen(clean_line(name)).strip())


@receiver(pre_save, sender=Group)
def _of_group(instance: Group, raw: bool = False, **_kwargs: Any) -> None:
    if not raw:
        instance.name = clean_line(instance.name)


@receiver(pre_save, sender=User)
def _of_person(instance: User, raw: bool = False, **_kwargs: Any) -> None:
    if not raw:
        instance.first_name = clean_line(instance.first_name)
        instance.last_name = clean_line(instance.last_name)
