"""Kills of what people outside and people told depend on: deliveries of mails, downloads by a link.

A campaign is a seed and a number of kills: a sample of it is run with all tests, more of it by
`make soak`. Each kill is SIGKILL, to a process of its own.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from accounts.models import User
from files.models import Link, LinkDownload
from notices import mail
from notices.models import Mail
from tests.integration import mail_server
from tests.integration.count_worker import PART
from tests.integration.mail_server import Killer, Post

ROOT = Path(__file__).parents[2]
SIZE = 64 * PART
"""4 MiB: the first step that is noted ahead is a quarter of it."""


@contextmanager
def process(module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """One that is spoken to by lines, and is gone at the end."""
    started = subprocess.Popen(
        [sys.executable, "-m", f"tests.integration.{module}", *arguments],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with started:
        try:
            yield started
        finally:
            started.kill()


def mails(database: dict[str, Any], seed: int, kills: int) -> None:
    """Senders that are killed at any point: no mail is lost, and none comes more than once too
    often for each that was killed once it was taken."""
    chance = random.Random(seed)  # noqa: S311 - it chooses what is killed.
    for number in range(3 * kills):
        mail.put(f"Number {number}", "Open it.", kind="link", to=f"r{number}@example.org")
    connection.close()
    post, late = Post(), 0
    with mail_server.running(post) as port:
        for _ in range(kills):
            point = chance.choice(mail_server.POINTS)
            post.fails = killer = Killer(point)
            with process("mail_worker", json.dumps(database), str(port)) as sender:
                assert sender.stdout is not None
                assert sender.stdin is not None
                assert sender.stdout.readline() == "ready\n"
                killer.pid = sender.pid
                sender.stdin.close()
                assert sender.wait(timeout=120) == -signal.SIGKILL
            late += point == "taken"
        post.fails = lambda point: ""
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
        call_command("deliver", verbosity=0)
    assert set(post.ids) == set(Mail.objects.values_list("message_id", flat=True))
    assert sum(post.ids.values()) - len(post.ids) <= late
    assert not Mail.objects.exclude(content=None).exists()


def counts(database: dict[str, Any], seed: int, kills: int) -> None:
    """Downloads by a link that are killed anywhere: what went out is never more than was charged,
    nor that more than the bound; and while it is within the bound, somebody gets the whole."""
    chance = random.Random(seed)  # noqa: S311
    maker = User.objects.create_user(f"maker{seed}", f"maker{seed}@example.org")
    link = Link.objects.create(
        file_id=uuid.uuid4(),
        maker=maker,
        digest=f"{seed:064}",
        expires_at=timezone.now() + timedelta(days=1),
        most=kills,
    )
    sent = 0
    for number in range(kills):
        sent += _killed(database, link, f"client {number}", chance.randrange(SIZE // PART))
        link.refresh_from_db()
        assert sent <= link.charged <= (kills + 1) * SIZE
        # Nothing is heard of it any more.
        long_ago = timezone.now() - settings.DOWNLOAD_IDLE - timedelta(minutes=5)
        LinkDownload.objects.filter(link=link).update(seen_at=long_ago)
    sent += _killed(database, link, "the last", None)
    link.refresh_from_db()
    assert link.used == 1
    assert sent <= link.charged <= sent + kills * max(SIZE // 4, SIZE // 8)


def _killed(database: dict[str, Any], link: Link, whose: str, after: int | None) -> int:
    """The bytes that a download handed over until it was killed, or ended."""
    connection.close()
    arguments = (json.dumps(database), str(link.pk), whose, str(SIZE))
    handed = 0
    with process("count_worker", *arguments) as sender:
        assert sender.stdout is not None
        assert sender.stdin is not None
        for number, line in enumerate(sender.stdout):
            if not line.strip().isdigit():
                assert line == "ended\n"
                break
            handed += int(line)
            if number == after:
                sender.kill()
                break
            sender.stdin.write("\n")
            sender.stdin.flush()
    return handed
