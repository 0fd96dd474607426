"""`manage.py deliver`: send the mails that wait, once or until it is told to stop."""

from __future__ import annotations

import json
import logging
import signal
import threading
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError, close_old_connections

import audit
from notices import queue
from notices.models import Mail
from notices.queue import Delivered, Outcome
from runtime.commands import CHECKED

log = logging.getLogger(__name__)

PAUSE = 2.0
"""Seconds between two looks: as long as somebody waits for a code at most."""

AWAY = 15.0
"""Seconds until a mail server or a database that was away is asked again."""

NOTED = 60.0
"""Seconds between two notes that it runs, which `doctor` and the metrics read."""


class Command(BaseCommand):
    help = (
        "Send the mails that wait in the database. What the mail server does not take now is tried "
        "again later, after 1 minute, then 2, 4 and so on up to an hour; what it refuses for good "
        "is kept with its words. Any number may run at once. Run it every minute, or all the time "
        "with --watch. Exit code 1: the mail server, or the key service, is away."
    )
    requires_system_checks = CHECKED

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--watch", action="store_true", help="go on until SIGTERM or SIGINT, looking every 2 s"
        )
        parser.add_argument("--json", action="store_true", help="print what was done as JSON lines")

    def handle(self, *args: Any, **options: Any) -> None:
        self._json = options["json"]
        self._speaks = options["verbosity"] > 1
        if options["watch"]:
            self._watch()
            return
        try:
            done = self._run(threading.Event())
            note(done)
        except (DatabaseError, InterfaceError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise CommandError(
                f"The database did not answer ({reason}). No mail is lost: run it again."
            ) from None
        if self._json:
            self.stdout.write(json.dumps({"event": "run", **asdict(done)}))
        elif done.sent or done.later or done.ended or self._speaks:
            self.stdout.write(f"{done.sent} sent, {done.later} put off, {done.ended} given up.")
        if done.away:
            raise CommandError(f"The mail server is away: {done.away}")

    def _run(self, stop: threading.Event) -> Delivered:
        return queue.deliver(stopping=stop.is_set, told=self._told)

    def _told(self, mail: Mail, outcome: Outcome, words: str) -> None:
        if self._json:
            said = {"event": "mail", "id": mail.message_id, "kind": mail.kind}
            self.stdout.write(json.dumps({**said, "outcome": outcome, "words": words}))
        elif self._speaks:
            self.stdout.write(f"{outcome}: {mail.kind} {mail.message_id} {words}".strip())

    def _watch(self) -> None:
        """Look again and again. A signal ends the pause at once, and a mail that is on its way is
        finished first: cut off, it would be sent twice."""
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        log.info("delivering mails")
        total, since_note = Delivered(), NOTED
        while not stop.is_set():
            pause = PAUSE
            try:
                close_old_connections()
                done = self._run(stop)
                _add(total, done)
                if since_note >= NOTED:
                    note(total)
                    total, since_note = Delivered(), 0.0
                pause = AWAY if done.away else PAUSE
            except (DatabaseError, InterfaceError) as error:
                log.error("mails are not delivered, the database fails: %s", error)
                pause = AWAY
            since_note += pause
            stop.wait(pause)
        log.info("no more mails are delivered: stopped")


def note(done: Delivered) -> None:
    """Keep when it ran last, and what that came to. Raises DatabaseError."""
    outcome = "failed" if done.away else "complete"
    audit.note_run("deliver", outcome, sent=done.sent, later=done.later, ended=done.ended)


def _add(total: Delivered, done: Delivered) -> None:
    total.sent += done.sent
    total.later += done.later
    total.ended += done.ended
    total.away = done.away
