"""Checks every link of the audit log, and that what stands follows from it.

Exits 0 only when all links hold, and grants, owners, places and powers are what events made them.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, InterfaceError

import audit
from accounts import accounting as powers
from audit import anchors, chain, triggers
from files.management.arguments import given_path
from files.upkeep import accounting
from runtime.commands import CHECKED
from runtime.progress import Progress

log = logging.getLogger(__name__)

BROKEN, NOT_CHECKED = 1, 2

SHOWN = 20
"""Differences that are named; their number is always told."""


class Command(BaseCommand):
    help = (
        "Check that no event of the audit log was changed, moved or removed. Events cut off the "
        "end show only against an anchor: one that audit_anchor printed, or a line of the log of "
        "the service. Then holds grants, owners and places of files and folders, and powers of "
        "accounts against the events that made them, and looks for triggers that are not ours: who "
        "writes to the database leaves no event. Exits 0 when all of it holds, 1 when something "
        "does not, 2 when nothing could be checked. Reads the log in constant memory."
    )
    requires_system_checks = CHECKED

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--anchor",
            action="append",
            default=[],
            metavar="NUMBER:MAC",
            help="an earlier head that the log must pass through (may be given several times)",
        )
        parser.add_argument(
            "--anchors-from",
            type=given_path,
            metavar="FILE",
            help="a file of anchors: lines of audit_anchor, or the service's log in JSON",
        )
        parser.add_argument("--json", action="store_true", help="print the outcome as JSON")

    def handle(self, *, verbosity: int, **options: Any) -> None:
        given, source = self._anchors(options["anchor"]), options["anchors_from"]
        try:
            head, count = self._verify(given, source, shown=bool(verbosity))
        except chain.BrokenChain as broken:
            self._note("broken", broken_at=broken.number)
            if options["json"]:
                self._print(ok=False, broken_at=broken.number, reason=broken.reason)
            raise CommandError(f"The audit log is broken at {broken}.", returncode=BROKEN) from None
        except (DatabaseError, InterfaceError) as error:
            raise _unanswered(error) from None
        except OSError as error:
            raise _unreadable(source, error) from None
        unaccounted = self._account(shown=bool(verbosity))
        if unaccounted:
            self._refuse(head, count, unaccounted, as_json=options["json"])
        self._note("complete", events=head.number, anchors=count)
        if options["json"]:
            self._print(ok=True, events=head.number, head=str(head), anchors=count)
        elif verbosity:
            held = f" {count} anchors were passed." if count else ""
            self.stdout.write(f"All {head.number} events hold. The head is {head}.{held}")
            self.stdout.write("Grants, owners, places and powers are what the events made them.")

    def _account(self, *, shown: bool) -> list[str]:
        """What stands and does not follow from the log, and what the database runs beside it."""
        try:
            found = triggers.foreign()
            total = accounting.total()
            with Progress("Accounting", total=total, unit=" rows", brief=True, shown=shown) as bar:
                found += accounting.differences(bar.update)
            return [*found, *powers.differences()]
        except (DatabaseError, InterfaceError) as error:
            raise _unanswered(error) from None

    def _refuse(
        self, head: chain.Anchor, count: int, unaccounted: list[str], *, as_json: bool
    ) -> NoReturn:
        self._note("unaccounted", unaccounted=len(unaccounted))
        if as_json:
            told = {"unaccounted": len(unaccounted), "first": unaccounted[:SHOWN]}
            self._print(ok=False, events=head.number, head=str(head), anchors=count, **told)
        for one in unaccounted[:SHOWN]:
            self.stderr.write(one)
        raise CommandError(
            f"All {head.number} events hold, but {len(unaccounted)} thing(s) do not follow from "
            "them: somebody wrote to the database past the vault. See docs/operations.md.",
            returncode=BROKEN,
        )

    def _anchors(self, texts: list[str]) -> list[chain.Anchor]:
        try:
            return [chain.Anchor.parse(text) for text in texts]
        except ValueError as error:
            raise CommandError(f"--anchor: {error}.", returncode=NOT_CHECKED) from None

    def _verify(
        self, given: list[chain.Anchor], source: Path | None, *, shown: bool
    ) -> tuple[chain.Anchor, int]:
        """The head, and how many anchors the log was held against. Raises BrokenChain."""
        if source is not None:
            source.open("rb").close()  # Before the long part.
        total = chain.head().number
        with Progress("Verifying", total=total, unit=" events", brief=True, shown=shown) as bar:
            head = chain.verify(*given, progress=lambda _number: bar.update())
        if source is None:
            return head, len(given)
        with source.open(encoding="utf-8", errors="replace") as lines:
            found = chain.check_anchors(anchors.read(lines))
        if not found:
            raise CommandError(
                f"{source} has no anchor in it: give lines of audit_anchor, or the service's log "
                "in JSON.",
                returncode=NOT_CHECKED,
            )
        return head, len(given) + found

    def _print(self, **outcome: Any) -> None:
        self.stdout.write(json.dumps(outcome))

    def _note(self, outcome: str, **figures: int) -> None:
        """Keep the outcome for the metrics; the log itself stays as it was found."""
        try:
            audit.note_run("verify_audit", outcome, **figures)
        except (DatabaseError, InterfaceError) as error:
            # A copy that may only be read is worth verifying, too.
            log.warning("the outcome could not be kept: %s", error)


def _unanswered(error: Exception) -> CommandError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return CommandError(
        f"The database did not answer ({reason}). Nothing was found out: try again.",
        returncode=NOT_CHECKED,
    )


def _unreadable(source: Path | None, error: OSError) -> CommandError:
    return CommandError(
        f"--anchors-from: {source} cannot be read ({error.strerror}).", returncode=NOT_CHECKED
    )
