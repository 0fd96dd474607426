"""`manage.py backup`: a copy of the database, while the service runs."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

import audit
from files.management.arguments import given_path
from files.recovery import backups
from runtime.commands import CHECKED
from runtime.progress import Progress


class Command(BaseCommand):
    help = (
        "Copy the database into a folder, beside the running service: one consistent file of mode "
        "0600 and a manifest. The copy holds no key that opens a file. It does not hold the "
        "objects: copy the bucket after it. `restore_drill` tries it."
    )
    requires_system_checks = CHECKED

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--to", type=given_path, metavar="FOLDER", help="instead of BACKUP_DIR")
        parser.add_argument(
            "--keep",
            type=int,
            metavar="N",
            help="remove all but the newest N, once this one is good",
        )
        parser.add_argument("--json", action="store_true", help="print the outcome as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = options["to"] or settings.BACKUP_DIR
        if options["keep"] is not None and options["keep"] < 1:
            raise CommandError("--keep must be at least 1.")
        try:
            with (
                audit.command("backup") as run,
                Progress("Copying", unit="B", scale=True) as bar,
            ):

                def tell(done: int, total: int | None) -> None:
                    bar.expect(total)
                    bar.update(done - bar.n)

                path, removed = backups.back_up(folder, keep=options["keep"], progress=tell)
                manifest = backups.Manifest.read(path)
                run.tell(file=manifest.file, sha256=manifest.sha256, removed=len(removed))
        except backups.BackupFailed as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(
                f"{error.filename or folder}: {error.strerror}. Nothing was left of it. Name "
                "another folder, which this account may write to: --to, or BACKUP_DIR."
            ) from None
        except DatabaseError as error:
            raise CommandError(f"The database does not answer ({error}). Try again.") from None
        self._report(path, manifest, removed, json_wanted=options["json"])

    def _report(
        self, path: Path, manifest: backups.Manifest, removed: list[Path], *, json_wanted: bool
    ) -> None:
        copy = path.with_name(manifest.file)
        if json_wanted:
            outcome = {
                "backup": str(copy),
                "manifest": str(path),
                "size": manifest.size,
                "sha256": manifest.sha256,
                "removed": list(map(str, removed)),
            }
            self.stdout.write(json.dumps(outcome))
            return
        self.stdout.write(
            f"{copy}: {manifest.size} bytes, {manifest.counts['files']} files, log to "
            f"{manifest.audit_anchor}"
        )
        if manifest.master_keys:
            self.stdout.write(f"Needs the master keys {', '.join(sorted(manifest.master_keys))}.")
        for old in removed:
            self.stdout.write(f"Removed {old.name}")
