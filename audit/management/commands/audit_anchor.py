"""Prints the head of the audit log, to be kept where the database's owner cannot reach it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError

from audit import chain
from runtime.commands import CHECKED


class Command(BaseCommand):
    help = (
        "Print the number and MAC of the last event. Keep it on another machine: verify_audit "
        "--anchor then shows whether events were cut off the end."
    )
    requires_system_checks = CHECKED

    def handle(self, **options: Any) -> None:
        try:
            head = chain.head()
        except (DatabaseError, InterfaceError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise CommandError(f"The database did not answer ({reason}). Try again.") from None
        self.stdout.write(str(head))
