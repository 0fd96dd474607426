"""`manage.py key_report`: what each master key protects."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse
from django.utils import timezone

import audit
from accounts.authority import administrators
from files.keys.wrapping import needing_keys
from files.management.failures import told_to_the_operator
from files.rotation import key_report
from files.rotation.key_report import KeyLine
from notices import Kind, notify
from runtime.commands import CHECKED
from runtime.progress import Progress

_COLUMNS = {
    "status": "status",
    "live": "live",
    "former": "kept",
    "damaged": "damaged",
    "writing": "writing",
    "doomed": "doomed",
    "managed": "managed",
    "held": "held",
    "second factors": "secrets",
    "bytes": "bytes",
    "wrapped before": "wrapped_before",
    "oldest": "oldest",
}


class Command(BaseCommand):
    help = (
        "Tell for each master key how much it wraps, of what age, and whether it is configured. "
        "Ends with 1 where a needed key is missing or, with --check, a wrapped key does not open."
    )
    requires_system_checks = CHECKED

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="unwrap every key, to see it open")
        parser.add_argument("--json", action="store_true", help="print the report as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        with told_to_the_operator():
            if options["check"]:
                with (
                    audit.command("key_report", check=True),
                    Progress("Checking", total=needing_keys().count(), unit=" keys") as bar,
                ):
                    lines = key_report.report(check=True, progress=bar.update)
            else:
                lines = key_report.report()
        if options["json"]:
            self.stdout.write(json.dumps({"keys": [_as_json(line) for line in lines]}))
        else:
            self._table(lines, checked=options["check"])
        self._complain(lines)

    def _table(self, lines: list[KeyLine], *, checked: bool) -> None:
        rows = [[*_COLUMNS, *(["unreadable"] if checked else []), "key"]]
        for line in lines:
            cells = [_cell(getattr(line, name)) for name in _COLUMNS.values()]
            if checked:
                cells.append(_cell(_unreadable(line)))
            rows.append([*cells, line.key_id])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = [
                cell.ljust(width) if position in {0, len(row) - 1} else cell.rjust(width)
                for position, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            self.stdout.write("  ".join(cells).rstrip())

    def _complain(self, lines: list[KeyLine]) -> None:
        said = [
            f"Master key {line.key_id} is needed and not configured: add it to MASTER_KEYS again."
            for line in lines
            if line.is_missing
        ]
        for line in lines:
            said += [
                f"The wrapped key of file {file_id} does not open."
                for file_id in line.unreadable or ()
            ]
            if line.unreadable_secrets:
                said.append(
                    f"{line.unreadable_secrets} second factors under {line.key_id} do not open."
                )
        if said:
            page = reverse("admin:files_masterkey_changelist")
            once = f"keys {timezone.now():%Y-%m-%d}"
            notify(Kind.KEY_REPORT, administrators(), path=page, once=once)
            raise CommandError("\n".join(said))


def _unreadable(line: KeyLine) -> int | None:
    if line.unreadable is None:
        return None
    return len(line.unreadable) + (line.unreadable_secrets or 0)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:%Y-%m-%d}" if hasattr(value, "year") else str(value)


def _as_json(line: KeyLine) -> dict[str, Any]:
    return {
        "id": line.key_id,
        "primary": line.is_primary,
        "configured": line.is_configured,
        "missing": line.is_missing,
        "retired_at": line.retired_at and line.retired_at.isoformat(),
        "records": {
            "live": line.live,
            "kept": line.kept,
            "damaged": line.damaged,
            "writing": line.writing,
            "doomed": line.doomed,
        },
        "custody": {"managed": line.managed, "held": line.held},
        "bytes": line.bytes,
        "second_factors": line.secrets,
        "wrapped_before": line.wrapped_before,
        "oldest": line.oldest and line.oldest.isoformat(),
        "unreadable": None if line.unreadable is None else list(map(str, line.unreadable)),
        "unreadable_second_factors": line.unreadable_secrets,
    }
