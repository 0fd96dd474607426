"""`manage.py move_database`: all of the database goes into another one, and this one is closed."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from audit import context
from files.recovery import database_closing, database_move, other_database
from runtime.commands import CHECKED
from runtime.configuration import is_exposed
from runtime.progress import Progress

MOST = 4096
"""Characters of a URL."""


class Command(BaseCommand):
    help = (
        "Move all but the sessions into another database, SQLite or PostgreSQL, which may hold "
        "nothing. This one is closed to writers first, and marked as moved for good once every row "
        "has been compared: never are both in service. Safe to stop and to run again: it goes on."
    )
    requires_system_checks = CHECKED

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument(
            "--to",
            metavar="URL",
            help="the other database, as for DATABASE_URL. Arguments are seen by every account of "
            "this host: leave the password out (PGPASSWORD, PGPASSFILE), or use --to-file",
        )
        what.add_argument(
            "--to-file",
            metavar="FILE",
            help="a file of mode 0600 with the URL; - for standard input",
        )
        what.add_argument(
            "--reopen",
            action="store_true",
            help="give up a move that has not come to its end: this database is in service again",
        )
        parser.add_argument("--json", action="store_true", help="print the outcome as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        with context.active(context.Context(actor_name="command:move_database")):
            try:
                if options["reopen"]:
                    database_closing.reopen()
                    self.stdout.write(
                        "In service again. What was copied is of no use: a later move takes an "
                        "empty database."
                    )
                    return
                self._move(options)
            except database_closing.MoveFailed as error:
                raise CommandError(str(error)) from None
            except DatabaseError as error:
                reason = (str(error).splitlines() or [type(error).__name__])[0]
                raise CommandError(
                    f"A database does not answer, or refuses ({reason}). Run it again: it goes on."
                ) from None
            finally:
                other_database.forget()

    def _move(self, options: dict[str, Any]) -> None:
        named = options["to"]
        url = named if named is not None else self._read(options["to_file"])
        if named is not None and other_database.has_password(url):
            self.stderr.write(
                "The password stood in the arguments, which every account of this host can read: "
                "change it afterwards, and use --to-file."
            )
        other = other_database.connect(url)
        with Progress("Moving", unit="rows", shown=not options["json"]) as bar:
            moved = database_move.move(
                other,
                say=self._say if not options["json"] else lambda line: None,
                progress=bar.update,
                expect=bar.expect,
            )
        if options["json"]:
            found = {"rows": moved.rows, "files": moved.files, "events": moved.events}
            self.stdout.write(json.dumps({"to": other, "already": moved.already, **found}))
            return
        self.stdout.write(
            f"It was moved to {other} before."
            if moved.already
            else f"Moved to {other}: {moved.rows} rows, {moved.files} files, {moved.events} "
            "events; every row compared, the log verified, files read from there."
        )
        self.stdout.write(
            "Now set DATABASE_URL to it, on every host, for the service and for its timers, and "
            "restart the service. Everybody signs in anew. This database is never used again: keep "
            "it until a backup of the new one has passed its drill, then delete it."
        )

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def _read(self, name: str) -> str:
        if name == "-":
            return sys.stdin.readline(MOST).strip()
        path = Path(name)
        if is_exposed(path):
            raise CommandError(f"{path} holds a password, and others may read it.")
        try:
            return path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise CommandError(f"{path} cannot be read ({reason}).") from None
