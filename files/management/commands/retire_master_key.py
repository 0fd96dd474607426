"""`manage.py retire_master_key`: a master key that nothing needs any more never comes back."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

import audit
from files.management.arguments import key_id
from files.management.failures import told_to_the_operator
from files.rotation import retirement
from runtime.commands import CHECKED


class Command(BaseCommand):
    help = (
        "Mark a master key as retired. Refused while a file, an upload in progress or a second "
        "factor needs it. From then on nothing starts with it as the first key of MASTER_KEYS."
    )
    requires_system_checks = CHECKED

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", type=key_id, help="the key's id, as key_report shows it")
        parser.add_argument("--dry-run", action="store_true", help="say whether it would be")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = options["id"]
        with told_to_the_operator(), audit.command("retire_master_key"):
            changed = retirement.retire(chosen, dry_run=options["dry_run"])
            still_configured = chosen in retirement.configured_and_retired()
        if not changed:
            self.stdout.write(f"Master key {chosen} was retired before.")
        elif options["dry_run"]:
            self.stdout.write(f"Master key {chosen} would be retired: nothing needs it.")
        else:
            self.stdout.write(f"Master key {chosen} is retired.")
        if still_configured:
            self.stderr.write(
                "It is still configured: remove it. Keep a copy offline for as long as backups of "
                "the database from before exist."
            )
