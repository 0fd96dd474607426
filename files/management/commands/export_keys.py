"""`manage.py export_keys`: the keys of all files, in one encrypted file for the day of disaster."""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

import audit
from files import errors
from files.crypto import shares
from files.crypto.errors import KeyServiceError, MalformedKey
from files.crypto.keyexport.header import SHARE_SECRET_LENGTH
from files.crypto.keyexport.writing import Protector
from files.crypto.passphrase import WeakPassphrase
from files.crypto.secretinput import SecretMissing, read_secret
from files.keys import passphrases
from files.management.arguments import given_path
from files.recovery import key_export
from runtime.commands import CHECKED
from runtime.progress import Progress


class Command(BaseCommand):
    help = (
        "Write the keys of all files into one new, encrypted file of mode 0600. With it and a copy "
        "of the bucket, `python -m files.crypto.rescue` restores every file, even when database "
        "and master keys are lost. A held file still needs its owner's key. Keep the export and "
        "what opens it apart, and neither with the bucket."
    )
    requires_system_checks = CHECKED

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("output", type=given_path, help="the file to write; it must not exist")
        how = parser.add_mutually_exclusive_group()
        how.add_argument(
            "--passphrase-file",
            metavar="FILE",
            help="the passphrase, or - for standard input. Without any option you are asked twice",
        )
        how.add_argument(
            "--to-key-file",
            metavar="FILE",
            help="encrypt to a second Fernet key (generate_master_key makes one), or -",
        )
        how.add_argument(
            "--split",
            metavar="3-of-5",
            help="encrypt to a random key, printed once as shares of which so many open it",
        )
        parser.add_argument("--json", action="store_true", help="print the outcome as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        output: Path = options["output"]
        if os.path.lexists(output):
            raise CommandError(f"{output} exists already: nothing is overwritten.")
        protector, parts = self._protector(options)
        try:
            with (
                audit.command("export_keys"),
                # Every file is written, and then read back.
                Progress("Exporting", total=2 * key_export.exportable(), unit=" keys") as bar,
            ):
                done = key_export.export_keys(output, protector, progress=bar.update)
        except FileExistsError:
            raise CommandError(f"{output} exists already: nothing is overwritten.") from None
        except OSError as error:
            raise CommandError(
                f"{output} cannot be written ({error.strerror}). Nothing was left of it."
            ) from None
        except (key_export.ExportNotVerified, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from None
        except KeyServiceError as error:
            raise CommandError(
                f"The key management service: {error}. Nothing was written: try again."
            ) from None
        except OperationalError as error:
            raise CommandError(
                f"The database did not answer ({error}). Nothing was written: try again."
            ) from None
        self._report(output, done, parts, options)
        self._complain(done)

    def _protector(self, options: dict[str, Any]) -> tuple[Protector, list[shares.Share]]:
        try:
            if options["split"] is not None:
                return _split(options["split"])
            if options["to_key_file"] is not None:
                text = read_secret(
                    options["to_key_file"], what="Key of the export", option="--to-key-file"
                )
                return Protector.fernet_key(text), []
            text = read_secret(
                options["passphrase_file"],
                what="Passphrase of the export",
                option="--passphrase-file",
                confirm=True,
            )
            passphrases.check(text)
            return Protector.passphrase(text), []
        except (SecretMissing, WeakPassphrase, errors.WeakPassphrase) as error:
            raise CommandError(str(error)) from None
        except MalformedKey as error:
            raise CommandError(f"{error}. `generate_master_key` makes one.") from None
        except shares.SharingMissing as error:
            raise CommandError(f"--split: {error}.") from None

    def _report(
        self,
        output: Path,
        done: key_export.Exported,
        parts: list[shares.Share],
        options: dict[str, Any],
    ) -> None:
        if options["json"]:
            outcome = {
                "output": str(output),
                "files": done.files,
                "managed": done.managed,
                "held": done.held,
                "versions": done.versions,
                "left_out": done.left_out,
                "missing_keys": dict(done.missing_keys),
                "unreadable": done.unreadable,
                "master_keys": sorted(done.master_keys),
                **({"shares": list(map(str, parts))} if parts else {}),
            }
            self.stdout.write(json.dumps(outcome))
            return
        versions = f", and of {done.versions} former versions" if done.versions else ""
        self.stdout.write(
            f"{output}: the keys of {done.files} files, {done.held} of them held{versions}. Read "
            "back and found whole."
        )
        if parts:
            self.stdout.write(
                f"Shares, shown only now. Any {parts[0].threshold} of these {len(parts)} open the "
                "export; give each to another person:\n"
            )
            for part in parts:
                self.stdout.write(str(part))

    def _complain(self, done: key_export.Exported) -> None:
        if not done.left_out:
            return
        reasons = [
            f"{count} need the master key {key_id}, which is not configured"
            for key_id, count in sorted(done.missing_keys.items())
        ]
        if done.unreadable:
            reasons.append(f"{done.unreadable} have wrapped keys that do not open")
        named = ", ".join(map(str, done.named))
        more = " and others" if done.left_out > len(done.named) else ""
        raise CommandError(
            f"{done.left_out} files are not in the export: {'; '.join(reasons)}. They are: "
            f"{named}{more}. The export has all the others."
        )


def _split(scheme: str) -> tuple[Protector, list[shares.Share]]:
    try:
        threshold, count = shares.parse_scheme(scheme)
    except ValueError as error:
        raise CommandError(f"--split: {error}.") from None
    secret = os.urandom(SHARE_SECRET_LENGTH)
    protector = Protector.shared(secret, threshold, count)
    parts = shares.split(secret, protector.header)
    # Before anything depends on them: the last ones must give the secret back.
    if shares.combine(map(str, parts[-threshold:]), protector.header) != secret:
        raise CommandError("--split: the shares do not give the key back. Nothing was written.")
    return protector, parts
