"""`manage.py rotate_file_keys`: files are encrypted anew, under keys that nobody has seen."""

import json
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

import audit
from files.management.arguments import age, file_id, key_id, workers
from files.management.failures import AGAIN, told_to_the_operator
from files.rotation.bulk_reencryption import Done, Run, Selection, TooManyFailures, Work, survey
from runtime.commands import CHECKED
from runtime.progress import Progress


class Command(BaseCommand):
    help = (
        "Re-encrypt files under new keys of their own: after a compromise, or by age. Each file is "
        "copied within the store, verified and swapped; running downloads finish, and `sweep` "
        "removes the old object after DOOMED_GRACE_MINUTES. Safe to stop at any time: run it again "
        "and it goes on. Several may run at once. Held files are left to their owners."
    )
    requires_system_checks = CHECKED

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--older-than", type=age, metavar="AGE", help="encrypted that long ago: 90d, 12h"
        )
        parser.add_argument(
            "--file", type=file_id, action="append", default=[], help="this file; repeatable"
        )
        parser.add_argument(
            "--master-key",
            type=key_id,
            metavar="ID",
            help="everything that this master key ever wrapped",
        )
        parser.add_argument("--workers", type=workers, default=1, help="files at once (default: 1)")
        parser.add_argument("--dry-run", action="store_true", help="count, change nothing")
        parser.add_argument("--json", action="store_true", help="print the outcome as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        selection = self._selection(options)
        begun = time.monotonic()
        stopped_by = ""
        dry_run = options["dry_run"]
        with (
            told_to_the_operator(),
            audit.command("rotate_file_keys", dry_run=dry_run) as run,
        ):
            work = survey(selection)
            if dry_run:
                done = Done(held=work.held, damaged=work.damaged)
            else:
                try:
                    done = self._run(selection, work, options["workers"])
                except TooManyFailures as failures:
                    done, stopped_by = failures.done, str(failures)
            run.tell(
                reencrypted=done.reencrypted,
                bytes=done.bytes,
                skipped=done.skipped,
                damaged=len(done.damaged),
                failed=len(done.failed),
            )
        seconds = round(time.monotonic() - begun, 1)
        self._report(work, done, seconds, options)
        if stopped_by:
            raise CommandError(f"It stopped, for nothing worked any more ({stopped_by}). {AGAIN}")
        self._complain(done)

    def _selection(self, options: dict[str, Any]) -> Selection:
        older, files, key_id = options["older_than"], options["file"], options["master_key"]
        if older is None and not files and key_id is None:
            raise CommandError("Say which files: --older-than, --file or --master-key.")
        before = None if older is None else timezone.now() - older
        return Selection(encrypted_before=before, files=tuple(files), master_key_id=key_id)

    def _run(self, selection: Selection, work: Work, workers: int) -> Done:
        what = f"Re-encrypting {work.files} files"
        with Progress(what, total=work.bytes, unit="B", scale=True) as bar:
            return Run(selection, progress=bar.update).start(workers)

    def _report(self, work: Work, done: Done, seconds: float, options: dict[str, Any]) -> None:
        if options["json"]:
            outcome = {
                "selected": work.files,
                "selected_bytes": work.bytes,
                "reencrypted": done.reencrypted,
                "bytes": done.bytes,
                "held": done.held,
                "skipped": done.skipped,
                "damaged": list(map(str, done.damaged)),
                "failed": list(map(str, done.failed)),
                "seconds": seconds,
                "dry_run": options["dry_run"],
            }
            self.stdout.write(json.dumps(outcome))
            return
        if options["dry_run"]:
            self.stdout.write(f"{work.files} files with {work.bytes} bytes would be re-encrypted.")
        else:
            self.stdout.write(
                f"{done.reencrypted} files with {done.bytes} bytes re-encrypted in {seconds} s."
            )
        if done.skipped:
            self.stdout.write(f"{done.skipped} were changed, deleted or re-encrypted by others.")
        if done.held == 1:
            self.stdout.write("1 held file was skipped: its owner can re-encrypt it from its page.")
        elif done.held:
            self.stdout.write(
                f"{done.held} held files were skipped: their owners can re-encrypt them from "
                "their pages."
            )

    def _complain(self, done: Done) -> None:
        said = [f"damaged, left as it is: {damaged}" for damaged in done.damaged]
        said += [f"not re-encrypted, the log says why: {failed}" for failed in done.failed]
        if said:
            raise CommandError("\n".join(said))
