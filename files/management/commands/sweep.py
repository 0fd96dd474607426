"""`manage.py sweep`: finish what failed, was cut off or was deleted; compare bucket and rows."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

import audit
from files.management.failures import told_to_the_operator
from files.sharing import ending
from files.sharing.links import ending as link_ending
from files.upkeep.reconciliation import LISTED, Reconciled, reconcile
from files.upkeep.sweeping import Act, Step, Swept, due, sweep
from files.vault import downloading, stored_objects
from notices import sweeping as tidying
from runtime import clock
from runtime.commands import CHECKED
from runtime.progress import Progress

DOES = {
    Act.PURGE: "delete doomed object",
    Act.ABANDON: "give up upload",
    Act.ABORT: "abort stale multipart upload",
    Act.TAIL: "delete what a complete upload left",
    Act.REPORT: "leave, and report, object without a row",
    Act.DELETE: "delete object without a row",
    Act.MARK: "mark as damaged, its object is gone",
    Act.EXPIRE: "delete for good from the trash",
    Act.PRUNE: "delete former version",
}


class Command(BaseCommand):
    help = (
        "Delete doomed objects past their grace (DOOMED_GRACE_MINUTES) and uploads that stand "
        "still past their expiry (UPLOAD_EXPIRY_HOURS); for good, what was in the trash longer "
        "than TRASH_DAYS, and former versions beyond KEEP_VERSIONS and KEEP_VERSIONS_DAYS. Then "
        "compare the bucket with the rows: abort multipart uploads that nobody will complete, "
        "delete what complete uploads left, mark files whose object is gone, and report objects "
        "that no row knows. People are told once that what is shared with them ends within three "
        "days; old mails and notices go. Run it every hour, also beside a running service. "
        "Downloads that stand still get their event of the log. Exit code 1: something could not "
        "be removed, or is missing."
    )
    requires_system_checks = CHECKED

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would be done, change nothing"
        )
        parser.add_argument(
            "--delete-unknown",
            action="store_true",
            help="delete objects that no row knows, once they are older than a day",
        )
        parser.add_argument("--json", action="store_true", help="print the outcome as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        self._dry_run = options["dry_run"]
        self._told: list[Step] = []
        self._speaks = not options["json"] and (self._dry_run or options["verbosity"] > 1)
        now = clock.now()
        with (
            told_to_the_operator(),
            audit.command("sweep", dry_run=self._dry_run) as run,
            # Where nobody looks, no bar: this runs every hour.
            Progress("Sweeping", unit=" objects", brief=True) as bar,
        ):
            stored_objects.check_store()
            self._bar = bar
            bar.reset(total=due(now))
            swept = sweep(now=now, dry_run=self._dry_run, each=self._each)
            found = reconcile(
                now=now,
                dry_run=self._dry_run,
                delete_unknown=options["delete_unknown"],
                each=self._each,
            )
            settled = _settle_downloads(dry_run=self._dry_run)
            if not self._dry_run:
                link_ending.note_ended(now=now)
            told = 0 if self._dry_run else ending.tell_ends(now) + ending.tell_begun(now)
            mails, notices = tidying.sweep(now, dry_run=self._dry_run)
            run.tell(
                purged=swept.purged,
                abandoned=swept.abandoned,
                expired=swept.expired,
                pruned=swept.pruned,
                multiparts=found.aborted,
                unknown=found.unknown_objects,
                deleted=found.deleted,
                missing=found.missing_objects,
                left=swept.failed + found.failed,
                downloads=0 if self._dry_run else settled,
            )
        self._told_people = {"told": told, "mails": mails, "notices": notices}
        if options["json"]:
            self.stdout.write(json.dumps(self._as_json(swept, found, settled)))
        else:
            self._say(swept, found, settled)
        _complain(swept, found)

    def _each(self, step: Step) -> None:
        if step.act in (Act.PURGE, Act.ABANDON):
            self._bar.update()
        if self._dry_run and len(self._told) < LISTED:
            self._told.append(step)
        if self._speaks:
            would = "would " if self._dry_run else ""
            self.stdout.write(f"{would}{DOES[step.act]}: {_words(step)}")

    def _say(self, swept: Swept, found: Reconciled, settled: int) -> None:
        verb = "would be removed" if self._dry_run else "removed"
        self.stdout.write(
            f"{swept.purged} doomed objects and {swept.abandoned} abandoned uploads {verb}."
        )
        if swept.expired or swept.pruned:
            self.stdout.write(
                f"{swept.expired} files of the trash and {swept.pruned} former versions {verb}."
            )
        if found.aborted or found.tails:
            self.stdout.write(
                f"{found.aborted} stale multipart uploads and {found.tails} tails {verb}."
            )
        if found.unknown_objects:
            if not self._speaks:
                for unknown in found.unknown:
                    age = _age(timezone.now() - unknown.written_at)
                    self.stdout.write(f"unknown: {unknown.name}, {unknown.size} bytes, {age} old")
            self.stdout.write(
                f"{found.unknown_objects} objects with {found.unknown_bytes} bytes have no row; "
                f"{found.deleted} of them {verb}. --delete-unknown deletes those older than a day."
            )
        if settled:
            got = "would get" if self._dry_run else "got"
            self.stdout.write(f"{settled} downloads stood still and {got} their event of the log.")
        if told := self._told_people["told"]:
            self.stdout.write(f"{told} people were told that something shared begins or ends.")
        for file_id, name in found.missing:
            self.stdout.write(f"missing: file {file_id}, object {name}")

    def _as_json(self, swept: Swept, found: Reconciled, settled: int) -> dict[str, Any]:
        return {
            "dry_run": self._dry_run,
            "purged": swept.purged,
            "abandoned": swept.abandoned,
            "expired": swept.expired,
            "pruned": swept.pruned,
            "multiparts_aborted": found.aborted,
            "tails": found.tails,
            "unknown": [
                {
                    "object": unknown.name,
                    "size": unknown.size,
                    "written_at": unknown.written_at.isoformat(),
                }
                for unknown in found.unknown
            ],
            "unknown_objects": found.unknown_objects,
            "unknown_bytes": found.unknown_bytes,
            "unknown_deleted": found.deleted,
            "missing": [{"file": str(file_id), "object": name} for file_id, name in found.missing],
            "missing_objects": found.missing_objects,
            "in_doubt": found.in_doubt,
            "failed": swept.failed + found.failed,
            "downloads": settled,
            **self._told_people,
            "steps": [
                {
                    **asdict(step),
                    "file_id": step.file_id and str(step.file_id),
                    "age": step.age and round(step.age.total_seconds()),
                }
                for step in self._told
            ],
        }


def _settle_downloads(*, dry_run: bool) -> int:
    """Close downloads that stand still; what this process does, no server's metrics count."""
    patience = downloading.TO_COUNT if settings.METRICS_TOKEN else timedelta()
    settle = downloading.idle if dry_run else downloading.settle_idle
    return settle(now=clock.now() - patience)


def _words(step: Step) -> str:
    said = step.object_name
    if step.file_id is not None:
        said += f", file {step.file_id}"
    if step.size is not None:
        said += f", {step.size} bytes"
    if step.age is not None:
        said += f", {_age(step.age)} old"
    return said + (" (failed)" if step.failed else "")


def _age(age: timedelta) -> str:
    minutes = int(age.total_seconds()) // 60
    if minutes < 2 * 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 2 * 24 * 60 else f"{minutes // (24 * 60)} d"


def _complain(swept: Swept, found: Reconciled) -> None:
    if found.in_doubt:
        raise CommandError(
            f"Nothing in the bucket is known: {found.unknown_objects} objects have no row, "
            f"{found.missing_objects} files no object. Are S3_BUCKET and DATABASE_URL right, and "
            "is the restore complete? Nothing was marked, and nothing unknown deleted."
        )
    said = []
    if failed := swept.failed + found.failed:
        said.append(f"{failed} could not be removed yet: run sweep again later.")
    if found.missing_objects:
        said.append(
            f"{found.missing_objects} files have no object in the store: see docs/operations.md, "
            "Damaged files."
        )
    if said:
        raise CommandError(" ".join(said))
