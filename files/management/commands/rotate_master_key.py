"""`manage.py rotate_master_key`: every wrapped key goes under the primary master key."""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError
from tqdm import tqdm

import audit
from files import vault


class Command(BaseCommand):
    help = (
        "Rewrap every file's key under the first key of MASTER_KEYS. No file is re-encrypted, "
        "none is unreadable meanwhile. Safe to stop at any time: run it again and it goes on. "
        "When it has finished, the other keys can be removed from MASTER_KEYS."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--batch-size", type=int, default=500, help="rows for each commit")
        parser.add_argument("--dry-run", action="store_true", help="try every key, change nothing")
        parser.add_argument("--json", action="store_true", help="print the outcome as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["batch_size"] < 1:
            raise CommandError("--batch-size must be at least 1.")
        try:
            with (
                audit.command("rotate_master_key"),
                tqdm(
                    total=vault.rewrap_pending(), unit=" keys", desc="Rewrapping", file=sys.stderr
                ) as bar,
            ):
                done = vault.rewrap(
                    batch_size=options["batch_size"],
                    progress=bar.update,
                    dry_run=options["dry_run"],
                )
        except (vault.KeysMissing, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from None
        except OperationalError as error:
            raise CommandError(
                f"The database did not answer ({error}). Nothing is lost: run the command again."
            ) from None
        self._report(done, options)
        if done.unreadable:
            raise CommandError(
                f"{done.unreadable} wrapped keys could not be read; the log names their objects. "
                "Keep every master key until they are restored from a backup."
            )

    def _report(self, done: vault.Rewrapped, options: dict[str, Any]) -> None:
        if options["json"]:
            outcome = {
                "primary": done.primary_id,
                "rewrapped": done.rewrapped,
                "unreadable": done.unreadable,
                "dry_run": options["dry_run"],
            }
            self.stdout.write(json.dumps(outcome))
        elif options["dry_run"]:
            self.stdout.write(f"{done.rewrapped} keys would be rewrapped to {done.primary_id}.")
        else:
            self.stdout.write(f"{done.rewrapped} keys rewrapped to {done.primary_id}.")
