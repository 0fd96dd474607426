"""Prints the head of the audit log, to be kept where the database's owner cannot reach it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from audit import chain


class Command(BaseCommand):
    help = (
        "Print the number and MAC of the last event. Keep it on another machine: verify_audit "
        "--anchor then shows whether events were cut off the end."
    )

    def handle(self, **options: Any) -> None:
        self.stdout.write(str(chain.head()))
