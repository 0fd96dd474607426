"""Mails reach a real server, whatever fails and whoever is killed: none is lost, none sent for fun.

On both databases. Each comes at least once, and at most once more for each kill, under one id.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoDbBlocker, Settings

from notices import mail
from notices.models import Mail
from tests.audit.databases import as_default
from tests.integration import mail_server, prepared
from tests.integration.mail_server import Killer, Post
from tests.integration.postgresql import server

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Any]]:
    """One of each kind for all tests here: to migrate it takes longer than most of them."""
    with ExitStack() as stack:
        if request.param == "postgresql":
            made = stack.enter_context(server(migrated=True))
        else:
            path = tmp_path_factory.mktemp("mails") / "db.sqlite3"
            prepared.database(path)
            made = prepared.sqlite(path)
        yield made


@pytest.fixture
def queue(database: dict[str, Any], django_db_blocker: DjangoDbBlocker) -> Iterator[dict[str, Any]]:
    """A database with an empty queue, which is this process's own as well."""
    with django_db_blocker.unblock(), as_default(database):
        Mail.objects.all().delete()
        yield database
        connection.close()


def put(count: int) -> None:
    for number in range(count):
        mail.put(f"Number {number}", f"Open {number}.", kind="link", to=f"r{number}@example.org")


def due_now() -> None:
    Mail.objects.filter(sent_at=None).update(due_at=timezone.now() - timedelta(seconds=5))


@contextmanager
def worker(configuration: dict[str, Any], port: int, *options: str) -> Iterator[Any]:
    """A process that delivers as soon as its input ends."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.integration.mail_worker"),
            *(json.dumps(configuration), str(port), *options),
        ],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()


@pytest.mark.parametrize("rate", [0.02, 0.3])
def test_all_arrive_though_deliveries_fail(
    queue: dict[str, Any], rate: float, settings: Settings
) -> None:
    put(150)
    post = Post(mail_server.by_seed(7, rate))
    with mail_server.running(post) as port:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
        for _ in range(150):
            with suppress(CommandError):  # The server was away.
                call_command("deliver", verbosity=0)
            if not Mail.objects.filter(sent_at=None).exists():
                break
            due_now()
    known = set(Mail.objects.values_list("message_id", flat=True))
    assert set(post.ids) == known
    assert sum(post.refused.values()) > (0 if rate < 0.1 else 20)
    # Twice came only what was taken, and whose answer was lost or said otherwise.
    assert sum(post.ids.values()) - len(known) <= sum(post.refused.values())
    assert not Mail.objects.exclude(content=None).exists()
    assert {str(message["To"]) for message in post.took} == {
        f"r{number}@example.org" for number in range(150)
    }


def test_two_at_once_send_nothing_twice(queue: dict[str, Any]) -> None:
    put(60)
    connection.close()
    post = Post()
    with (
        mail_server.running(post) as port,
        worker(queue, port) as first,
        worker(queue, port) as second,
    ):
        for process in (first, second):
            process.stdin.close()
        for process in (first, second):
            assert process.wait(timeout=120) == 0
    assert set(post.ids.values()) == {1}
    assert len(post.ids) == 60


@pytest.mark.parametrize("point", mail_server.POINTS)
def test_a_killed_sender_loses_none_and_repeats_one_at_most(
    queue: dict[str, Any], point: str, settings: Settings
) -> None:
    put(3)
    connection.close()
    killer = Killer(point)
    post = Post(killer)
    with mail_server.running(post) as port:
        with worker(queue, port) as process:
            killer.pid = process.pid
            process.stdin.close()
            assert process.wait(timeout=60) == -signal.SIGKILL
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
        # Its lease is that of a dead process: nobody waits for it to end.
        call_command("deliver", verbosity=0)
    assert len(post.ids) == 3
    assert sorted(post.ids.values()) == [1, 1, 2 if point == "taken" else 1]
    assert Mail.objects.exclude(sent_at=None).count() == 3


def test_watching_sends_at_once_and_ends_at_once(queue: dict[str, Any]) -> None:
    post = Post()
    with mail_server.running(post) as port, worker(queue, port, "--watch") as process:
        process.stdin.close()
        put(2)
        deadline = time.monotonic() + 60
        while len(post.took) < 2:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        begun = timezone.now()
        process.terminate()
        assert process.wait(timeout=30) == 0
        assert timezone.now() - begun < timedelta(seconds=10)


def test_a_receiver_who_is_not_there_ends_with_the_servers_words(
    queue: dict[str, Any], settings: Settings
) -> None:
    mail.put("A", "B", kind="link", to="nobody@example.org")
    put(1)
    with mail_server.running(Post()) as port:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
        call_command("deliver", verbosity=0)
    row = Mail.objects.get(to="nobody@example.org")
    assert (row.state, row.last_error) == (
        "given up",
        "nobody@example.org: 550 no such user here",
    )
    assert Mail.objects.get(to="r0@example.org").state == "sent"


@pytest.mark.django_db
def test_a_scanner_that_follows_every_link_changes_nothing(
    client: Client, alice: Any, root: Any, settings: Settings
) -> None:
    """Programs that look through mail fetch what it names, by GET and HEAD."""
    from allauth.account.models import EmailAddress
    from django.core import mail as box
    from django.urls import reverse

    from accounts.models import Invitation
    from notices import queue as queued

    client.force_login(root)
    client.post(reverse("admin:accounts_invitation_add"), {"email": "eve@example.org"})
    client.force_login(alice)
    client.post(reverse("account_email"), {"action_add": "", "email": "second@example.org"})
    Client().post(reverse("account_reset_password"), {"email": alice.email})
    queued.deliver()
    links = {
        link
        for message in box.outbox
        for text in [message.body]
        for link in re.findall(r"http://testserver(/[^\s\"<]+)", str(text))
    }
    assert len(links) >= 3
    password = alice.password
    for _ in range(2):
        for link in links:
            for method in ("get", "head"):
                getattr(Client(), method)(link, follow=True)
    alice.refresh_from_db()
    assert alice.password == password
    assert not EmailAddress.objects.filter(email="second@example.org", verified=True).exists()
    assert Invitation.objects.get().accepted_at is None
    assert Client().get(reverse("account_login")).status_code == 200
