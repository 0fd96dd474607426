"""Checks every link of the audit log. Exits 0 only when all of them hold."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from audit import chain


class Command(BaseCommand):
    help = (
        "Check that no event of the audit log was changed, moved or removed. Events cut off the "
        "end show only against an anchor that audit_anchor printed earlier."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--anchor",
            action="append",
            default=[],
            metavar="NUMBER:MAC",
            help="an earlier head that the log must pass through (may be given several times)",
        )

    def handle(self, *, anchor: list[str], verbosity: int, **options: Any) -> None:
        try:
            anchors = [chain.Anchor.parse(text) for text in anchor]
        except ValueError as error:
            raise CommandError(f"--anchor: {error}.", returncode=2) from None
        # tqdm shows itself on a terminal only.
        with tqdm(
            total=chain.head().number, unit=" events", disable=None if verbosity else True
        ) as bar:
            try:
                head = chain.verify(*anchors, progress=lambda _number: bar.update())
            except chain.BrokenChain as broken:
                raise CommandError(f"The audit log is broken at {broken}.") from None
        if verbosity:
            self.stdout.write(f"All {head.number} events hold. The head is {head}")
