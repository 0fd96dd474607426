"""`manage.py verify_files`: is every file in the store as it was written?"""

import json
import time
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError

import audit
from files.management.arguments import age, file_id, moment, sample, workers
from files.management.failures import told_to_the_operator
from files.upkeep.bulk_verification import Done, Run, Selection
from files.upkeep.verification import WELL, Finding, Outcome
from runtime import clock
from runtime.commands import CHECKED
from runtime.progress import Progress

UNREACHABLE = 3
"""The exit code when nothing is known to be wrong, and not everything could be looked at."""

WORDS = {
    Outcome.OK: "as written",
    Outcome.HELD: "held: checked without content",
    Outcome.MISSING: "missing",
    Outcome.TRUNCATED: "truncated",
    Outcome.TOO_LONG: "longer than written",
    Outcome.DAMAGED: "damaged",
    Outcome.WRONG_KEY: "wrong key",
    Outcome.REPLACED: "held, and written anew since: only its key can tell more",
    Outcome.STILL_MARKED: "reads again, still marked damaged",
    Outcome.UNREACHABLE: "not reached",
    Outcome.GONE: "deleted or re-encrypted meanwhile",
}


class Command(BaseCommand):
    help = (
        "Authenticate every frame of every object in the store, the least recently verified first, "
        "and mark what is missing or damaged. Held files are checked without their content. Safe "
        "beside a running service and beside itself; safe to stop: run it again and it goes on. "
        "Exit code 0: all is well. 1: something is not. 3: nothing is known to be wrong, but the "
        "store did not answer for everything."
    )
    requires_system_checks = CHECKED

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group()
        which.add_argument(
            "--sample", type=sample, metavar="SHARE", help="by chance: a share (1%%) or a number"
        )
        which.add_argument(
            "--file", type=file_id, nargs="+", action="extend", metavar="ID", help="only these"
        )
        parser.add_argument(
            "--since", metavar="DATE", help="written since then: 2026-01-31, or 30d ago"
        )
        parser.add_argument(
            "--older-than", type=age, metavar="AGE", help="not verified for that long: 30d"
        )
        parser.add_argument("--workers", type=workers, default=2, help="at once (default: 2)")
        parser.add_argument(
            "--restart", action="store_true", help="do not go on with an interrupted run"
        )
        parser.add_argument(
            "--unmark",
            action="store_true",
            help="unmark what was damaged and now reads completely; held ones only with --file",
        )
        parser.add_argument("--json", action="store_true", help="print the outcome as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        selection = _selection(options)
        begun = time.monotonic()
        with told_to_the_operator(), audit.command("verify_files") as run:
            done = self._run(selection, options)
            run.tell(
                all_well=done.all_well,
                objects=sum(done.counts.values()),
                ok=done.counts[Outcome.OK],
                held=done.counts[Outcome.HELD],
                bytes=done.bytes,
                unmarked=len(done.unmarked),
            )
        seconds = round(time.monotonic() - begun, 1)
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(done, seconds)))
        else:
            self._say(done, seconds)
        if not done.all_well:
            raise CommandError(
                _complaint(done), returncode=UNREACHABLE if done.only_unreachable else 1
            )

    def _run(self, selection: Selection, options: dict[str, Any]) -> Done:
        def tell(count: int) -> None:
            bar.update(count)

        run = Run(selection, restart=options["restart"], unmark=options["unmark"], progress=tell)
        if run.done.resumed:
            self.stderr.write(_resumed(run.done))
        with Progress("Verifying", total=run.total, unit="B", scale=True) as bar:
            return run.start(options["workers"])

    def _say(self, done: Done, seconds: float) -> None:
        objects = sum(done.counts.values())
        self.stdout.write(f"{objects} objects, {done.bytes} bytes read in {seconds} s.")
        for outcome in Outcome:
            if done.counts[outcome]:
                self.stdout.write(f"{done.counts[outcome]:>8}  {WORDS[outcome]}")
        for finding in done.unmarked:
            self.stdout.write(f"unmarked: file {finding.file_id}, object {finding.object_name}")
        for finding in done.bad:
            self.stdout.write(_line(finding))
        if done.unlisted:
            self.stdout.write(f"and {done.unlisted} more.")


def _selection(options: dict[str, Any]) -> Selection:
    since, older, files = options["since"], options["older_than"], options["file"] or ()
    try:
        written_since = None if since is None else moment(since)
    except ArgumentTypeError as error:
        raise CommandError(f"--since: {error}") from None
    named = "" if files or options["sample"] else "all" if since is None else f"since {since}"
    return Selection(
        name=named[:64],
        files=tuple(files),
        written_since=written_since,
        not_verified_since=None if older is None else clock.now() - older,
        sample=options["sample"],
    )


def _resumed(done: Done) -> str:
    since = f"{done.since:%Y-%m-%d %H:%M} UTC"
    if done.beside:
        return f"Another run is under way, since {since}: this one shares its work."
    return (
        "Going on with the run that was interrupted: what was verified since "
        f"{since} is not read again (--restart: all of it)."
    )


def _line(finding: Finding) -> str:
    said = f"{WORDS[finding.outcome]}: file {finding.file_id}, object {finding.object_name}"
    if finding.offset is not None:
        said += f", from byte {finding.offset} on"
    if finding.reason:
        said += f" ({finding.reason})"
    return said + ("; marked" if finding.marked else "")


def _as_json(done: Done, seconds: float) -> dict[str, Any]:
    return {
        "ok": done.all_well,
        "objects": sum(done.counts.values()),
        "bytes": done.bytes,
        "outcomes": {str(outcome): done.counts[outcome] for outcome in Outcome},
        "bad": [
            {
                "file": str(finding.file_id),
                "object": finding.object_name,
                "outcome": str(finding.outcome),
                "offset": finding.offset,
                "reason": finding.reason,
                "marked": finding.marked,
            }
            for finding in done.bad
        ],
        "unmarked": [str(finding.file_id) for finding in done.unmarked],
        "not_listed": done.unlisted,
        "since": done.since.isoformat(),
        "resumed": done.resumed,
        "beside": done.beside,
        "stopped": done.stopped,
        "wrong_bucket": done.wrong_bucket,
        "seconds": seconds,
    }


def _complaint(done: Done) -> str:
    if done.wrong_bucket:
        return (
            f"{done.counts[Outcome.MISSING]} objects are missing and none is there: is S3_BUCKET "
            "the right bucket, and is the restore complete? Nothing was marked."
        )
    said = []
    wrong = [each for each in Outcome if each not in WELL and done.counts[each]]
    if wrong:
        counts = ", ".join(f"{done.counts[each]} {each.replace('_', ' ')}" for each in wrong)
        said.append(f"Not all is well: {counts}. See docs/operations.md, Damaged files.")
    if done.stopped:
        said.append(f"It stopped before the end ({done.stopped}): run it again and it goes on.")
    elif done.only_unreachable:
        said.append("The store did not answer for some, and nothing else is wrong: run it again.")
    return " ".join(said)
