"""`manage.py import_keys`: files come back from an export of keys and the bucket."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

import audit
from files.crypto.errors import CryptoError, Damaged, KeyServiceError
from files.crypto.keyexport.reading import KeyExport
from files.crypto.rescue.keys import open_with
from files.crypto.secretinput import SecretMissing
from files.errors import VaultError
from files.management.arguments import given_path
from files.recovery import key_import
from files.storage import StoreError
from files.vault import stored_objects
from runtime.commands import CHECKED
from runtime.progress import Progress


class Command(BaseCommand):
    help = (
        "Bring files back from what export_keys wrote, when the database or the master keys were "
        "lost: files that the database does not know are made anew from their objects, and keys "
        "that no longer open are wrapped by the first key of MASTER_KEYS. Nothing that works is "
        "changed. Owners who have no account get one that is not active. Safe to repeat."
    )
    requires_system_checks = CHECKED

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("export", type=given_path, help="what export_keys wrote")
        parser.add_argument("--passphrase-file", metavar="FILE", help="its passphrase, or -")
        parser.add_argument("--export-key-file", metavar="FILE", help="or its key, or -")
        parser.add_argument("--shares-file", metavar="FILE", help="or its shares, one a line, or -")
        parser.add_argument("--json", action="store_true", help="print the outcome as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["export"]
        try:
            with path.open("rb") as source:
                export = open_with(source, Namespace(**options, partial=False))
                stored_objects.check_store()
                with (
                    audit.command("import_keys"),
                    Progress("Importing", total=_count(export), unit=" keys") as bar,
                ):
                    done = key_import.import_keys(export, progress=bar.update)
        except OSError as error:
            raise CommandError(f"{path} cannot be read ({error.strerror}).") from None
        except Damaged as damaged:
            raise CommandError(
                f"{path}: {damaged.reason}. What came before the damage was imported."
            ) from None
        except CryptoError as error:
            raise CommandError(f"{path}: {error}.") from None
        except (SecretMissing, ImproperlyConfigured, VaultError) as error:
            raise CommandError(str(error)) from None
        except (StoreError, KeyServiceError, OperationalError) as error:
            raise CommandError(f"{error}. What was imported stays: run it again.") from None
        self._report(done, json_wanted=options["json"])
        if done.failed:
            raise CommandError(
                f"{done.failed} files could not be brought back: {done.missing} have no object in "
                f"the bucket, {done.damaged} have a damaged one, {done.conflicts} are another file "
                f"here, {done.orphaned} are former versions of a file that could not. Among them: "
                f"{', '.join(map(str, done.named))}."
            )

    def _report(self, done: key_import.Imported, *, json_wanted: bool) -> None:
        if json_wanted:
            outcome = {**asdict(done), "named": list(map(str, done.named))}
            self.stdout.write(json.dumps(outcome))
            return
        versions = f" with {done.versions} former versions" if done.versions else ""
        self.stdout.write(
            f"{done.created} files made anew{versions}, {done.rewrapped} keys wrapped anew; "
            f"{done.present} were there, {done.deleted} were deleted since."
        )
        if done.new_owners:
            self.stdout.write(
                f"New accounts, not active and without a password: {', '.join(done.new_owners)}."
            )


def _count(export: KeyExport) -> int | None:
    """How many entries there are, for the time left; None where the export is damaged.

    Reading them is nothing beside looking each of their objects up.
    """
    try:
        return sum(1 for _ in export.entries())
    except Damaged:
        return None
