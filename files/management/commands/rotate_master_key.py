"""`manage.py rotate_master_key`: every wrapped key goes under the primary master key."""

import json
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

import audit
from files.management.arguments import at_least_one
from files.management.failures import told_to_the_operator
from files.rotation import rewrapping
from runtime.commands import CHECKED
from runtime.progress import Progress

COUNT_AGAIN = 5.0
"""Seconds between two counts of what is left: other runs work on it, too."""


class Command(BaseCommand):
    help = (
        "Rewrap every file's key, those of uploads in progress and the seeds of second factors "
        "under the primary master key, which is KMS_KEY_ID or the first of MASTER_KEYS. No file is "
        "re-encrypted, none is unreadable meanwhile. Safe to stop at any time: run it again and it "
        "goes on. Several may run at once. When one says that nothing is left, the other keys can "
        "be retired."
    )
    requires_system_checks = CHECKED

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--batch-size",
            type=at_least_one,
            default=rewrapping.BATCH,
            help="rows for each commit",
        )
        parser.add_argument("--dry-run", action="store_true", help="try every key, change nothing")
        parser.add_argument("--json", action="store_true", help="print the outcome as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        begun = time.monotonic()
        with (
            told_to_the_operator(),
            audit.command("rotate_master_key", dry_run=options["dry_run"]) as run,
            _Bar(rewrapping.pending(), shared=not options["dry_run"]) as bar,
        ):
            done = rewrapping.rewrap(
                batch_size=options["batch_size"],
                progress=bar.advance,
                dry_run=options["dry_run"],
            )
            run.tell(
                rewrapped=done.rewrapped,
                unreadable=done.unreadable + done.unreadable_secrets,
                left=done.left,
                primary=done.primary_id,
            )
        self._report(done, time.monotonic() - begun, options)
        unreadable = done.unreadable + done.unreadable_secrets
        if unreadable:
            raise CommandError(
                f"{unreadable} wrapped keys could not be read; the log names their objects. "
                "Keep every master key until they are restored from a backup."
            )

    def _report(self, done: rewrapping.Rewrapped, seconds: float, options: dict[str, Any]) -> None:
        if options["json"]:
            outcome = {
                "primary": done.primary_id,
                "rewrapped": done.rewrapped,
                "unreadable": done.unreadable,
                "secrets": done.secrets,
                "unreadable_secrets": done.unreadable_secrets,
                "left": done.left,
                "seconds": round(seconds, 1),
                "per_second": round((done.rewrapped + done.secrets) / max(seconds, 0.001)),
                "dry_run": options["dry_run"],
            }
            self.stdout.write(json.dumps(outcome))
            return
        what = f"{done.rewrapped} keys" + (
            f" and {done.secrets} second factors" if done.secrets else ""
        )
        if options["dry_run"]:
            self.stdout.write(f"{what} would be rewrapped to {done.primary_id}.")
        else:
            self.stdout.write(f"{what} rewrapped to {done.primary_id}.")
            if done.left > done.unreadable + done.unreadable_secrets:
                self.stdout.write(
                    f"{done.left} are under other keys still: another run is at them, or a process "
                    "has not seen the new key yet. Run this again."
                )


class _Bar(Progress):
    """Progress with rate and time left, also while other runs take a share of the work."""

    def __init__(self, total: int, *, shared: bool) -> None:
        super().__init__("Rewrapping", total=total, unit=" keys")
        self._shared = shared
        self._counted = time.monotonic()

    def advance(self, count: int) -> None:
        """So many keys more are done."""
        now = time.monotonic()
        if self._shared and now - self._counted > COUNT_AGAIN:
            self._counted = now
            self.expect(self.n + count + rewrapping.pending())
        self.update(count)
