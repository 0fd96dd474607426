"""`manage.py restore_drill`: can the newest backup be restored, and are its files there?

It restores the backup into a scratch area and starts itself again with that as its only database
(`--inside`, hidden). So the process that reads and marks cannot reach the live one.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError, connection

import audit
from files.crypto.errors import CryptoError, Damaged
from files.crypto.keyexport.reading import read_header
from files.crypto.rescue.keys import ask_for_secrets, open_with_secrets
from files.crypto.secretinput import SecretMissing
from files.management.arguments import given_path
from files.recovery import backups, drill, scratch
from files.recovery.drill import Check
from runtime.configuration import BASE_DIR
from runtime.progress import Progress

log = logging.getLogger(__name__)

MARK: Final = "SECURESTORE_DRILL"
"""Names the scratch database to the process that may work on it, and on no other."""


class Command(BaseCommand):
    help = (
        "Restore the newest backup into a scratch area and check it: manifest, database, "
        "migrations, audit log, master keys, and a sample of files, each read from the store to "
        "its last byte. Neither the store nor a row of the live database is changed, but that this "
        "run was, and how it ended. Exits 0 only when everything passed."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--backup", type=given_path, metavar="FILE", help="a manifest, instead of the newest"
        )
        parser.add_argument(
            "--from", type=given_path, metavar="FOLDER", help="instead of BACKUP_DIR"
        )
        parser.add_argument(
            "--sample",
            default="20",
            metavar="N",
            help="files to read: a number, or 5%%. Default 20",
        )
        parser.add_argument(
            "--keys-export",
            type=given_path,
            metavar="FILE",
            help="take the files' keys from what export_keys wrote, not from MASTER_KEYS",
        )
        parser.add_argument("--passphrase-file", metavar="FILE", help="of the export, or -")
        parser.add_argument("--export-key-file", metavar="FILE", help="of the export, or -")
        parser.add_argument("--shares-file", metavar="FILE", help="of the export, or -")
        parser.add_argument(
            "--scratch",
            type=given_path,
            metavar="FOLDER",
            help="instead of the one for temporary files",
        )
        parser.add_argument("--json", action="store_true", help="report as JSON")
        parser.add_argument("--inside", type=Path, help=SUPPRESS)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            drill.sample_size(options["sample"], 1)
        except ValueError:
            raise CommandError("--sample is a number, as 20, or a share, as 5%.") from None
        if options["inside"]:
            self._inside(options)
            return
        began = time.monotonic()
        path = self._manifest_path(options)
        checks = []
        for check in self._checks(path, options):
            checks.append(check)
            if not options["json"]:
                self.stdout.write(check.line())
                self.stdout.flush()
        failed = [check for check in checks if not check.passed]
        self._note(failed)
        if options["json"]:
            outcome = {
                "passed": not failed,
                "backup": str(path),
                "seconds": round(time.monotonic() - began, 1),
                "checks": list(map(asdict, checks)),
            }
            self.stdout.write(json.dumps(outcome))
        if failed:
            raise CommandError(f"The drill failed: {', '.join(check.name for check in failed)}.")
        if not options["json"]:
            self.stdout.write(f"The drill passed with {path}.")

    def _note(self, failed: list[Check]) -> None:
        """Keep the outcome for whoever asks when the last drill was.

        A drill needs no database in service: on the day of disaster there may be none.
        """
        name = Path(connection.settings_dict["NAME"])
        closed = connection.connection is None
        if closed and connection.vendor == "sqlite" and not name.exists():
            return  # To connect would make one.
        try:
            audit.note_run("restore_drill", "failed" if failed else "complete", failed=len(failed))
        except (DatabaseError, InterfaceError) as error:
            log.warning("the outcome could not be kept: %s", error)

    # --- Outside: the live configuration ------------------------------------

    def _manifest_path(self, options: dict[str, Any]) -> Path:
        given: Path | None = options["backup"]
        if given is not None:
            return given.with_suffix(".json")
        folder: Path = options["from"] or settings.BACKUP_DIR
        found = backups.find(folder)
        if not found:
            raise CommandError(f"There is no backup in {folder}: make one with `backup`.")
        return found[-1]

    def _checks(self, path: Path, options: dict[str, Any]) -> Iterator[Check]:
        secrets = self._secrets(options)
        try:
            manifest = backups.verify(path)
        except backups.BackupFailed as error:
            yield Check("backup", False, str(error))
            return
        yield Check(
            "backup", True, f"{manifest.file} is what its manifest of {manifest.created_at} names"
        )
        if manifest.database != connection.vendor:
            yield Check(
                "restore",
                False,
                f"it is a backup of {manifest.database}, DATABASE_URL names {connection.vendor}",
            )
            return
        copy = path.with_name(manifest.file)
        try:
            with scratch.restored(manifest, copy, below=options["scratch"]) as area:
                yield Check("restore", True, f"restored into {area.folder}, and sound")
                yield from self._run_inside(area, path, secrets, options)
        except backups.BackupFailed as error:
            yield Check("restore", False, str(error))
        except OSError as error:
            yield Check("restore", False, f"{error.filename}: {error.strerror}")

    def _secrets(self, options: dict[str, Any]) -> list[str]:
        """What opens the export; before anything else, since a person may have to type it."""
        if options["keys_export"] is None:
            return []
        try:
            with options["keys_export"].open("rb") as source:
                return ask_for_secrets(read_header(source), Namespace(**options))
        except OSError as error:
            raise CommandError(f"{options['keys_export']}: {error.strerror}.") from None
        except Damaged as damaged:
            raise CommandError(f"{options['keys_export']}: {damaged.reason}.") from None
        except SecretMissing as missing:
            raise CommandError(str(missing)) from None

    def _run_inside(
        self, area: scratch.Scratch, path: Path, secrets: list[str], options: dict[str, Any]
    ) -> Iterator[Check]:
        command = [sys.executable, str(BASE_DIR / "manage.py"), "restore_drill"]
        command += ["--inside", str(path.resolve()), "--sample", options["sample"]]
        if options["keys_export"]:
            command += ["--keys-export", str(options["keys_export"].resolve())]
        env = {
            **os.environ,
            "DATABASE_URL": area.database_url,
            "DATABASE_URL_FILE": "",
            MARK: area.database,
        }
        with subprocess.Popen(  # noqa: S603  this very program
            command,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # As long as it lives, the area counts as held.
            pass_fds=[area.lock.fileno()],
        ) as process:
            if process.stdin is None or process.stdout is None:
                raise RuntimeError("a pipe is missing")
            try:
                with process.stdin as pipe:
                    pipe.write("".join(f"{secret}\n" for secret in secrets))
                for line in process.stdout:
                    yield Check(**json.loads(line))
            finally:
                if process.poll() is None and sys.exc_info()[0] is not None:
                    process.kill()
        if process.returncode:
            yield Check("checks", False, f"they ended early, with exit code {process.returncode}")

    # --- Inside: the scratch database, and no other ------------------------------------------

    def _inside(self, options: dict[str, Any]) -> None:
        if str(connection.settings_dict["NAME"]) != os.environ.get(MARK):
            raise CommandError("This is not a scratch database: nothing was done.")
        manifest = backups.Manifest.read(options["inside"])
        with Progress("Reading", unit="B", scale=True) as bar:
            if options["keys_export"] is None:
                self._tell(
                    drill.run(
                        manifest, sample=options["sample"], progress=bar.update, expect=bar.reset
                    )
                )
                return
            with options["keys_export"].open("rb") as source:
                header = read_header(source)
                secrets = sys.stdin.read().splitlines()
                try:
                    export = open_with_secrets(source, header, secrets)
                except CryptoError as error:
                    self._tell(iter([Check("key export", False, str(error))]))
                    return
                self._tell(
                    drill.run(
                        manifest,
                        sample=options["sample"],
                        export=export,
                        progress=bar.update,
                        expect=bar.reset,
                    )
                )

    def _tell(self, checks: Iterator[Check]) -> None:
        for check in checks:
            self.stdout.write(json.dumps(asdict(check)))
            self.stdout.flush()
