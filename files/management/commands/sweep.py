"""`manage.py sweep`: finish what failed, was cut off or was deleted."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

import audit
from files import vault


class Command(BaseCommand):
    help = (
        "Delete doomed objects past their grace (DOOMED_GRACE_MINUTES) and uploads that stand "
        "still past their expiry (UPLOAD_EXPIRY_HOURS). Run it every hour, also beside a running "
        "service."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count, change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            vault.check_store()
            with audit.command("sweep"):
                swept = vault.sweep(dry_run=options["dry_run"])
        except vault.StoreError as error:
            raise CommandError(f"The store does not answer ({error}). Try again later.") from None
        except OperationalError as error:
            raise CommandError(f"The database does not answer ({error}). Try again.") from None
        verb = "would be removed" if options["dry_run"] else "removed"
        self.stdout.write(
            f"{swept.purged} doomed objects and {swept.abandoned} abandoned uploads {verb}."
        )
        if swept.failed:
            raise CommandError(f"{swept.failed} could not be removed yet: run sweep again later.")
