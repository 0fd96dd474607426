"""A mail server of a test's own, which keeps what it took, and fails or kills as it is told."""

from __future__ import annotations

import email
import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from launcher.ports import free_port

POINTS = ("connect", "mail", "receiver", "taken")
"""Where it can fail: at the greeting, at the sender, at the receiver, after it took the mail."""


class Post:
    """Its handler. `fails` is asked at each point, and says how that one fails."""

    def __init__(self, fails: Callable[[str], str] = lambda point: "") -> None:
        self.fails = fails
        self.took: list[EmailMessage] = []
        self.refused = Counter[str]()

    @property
    def ids(self) -> Counter[str]:
        """How often each message came."""
        return Counter(str(message["Message-ID"]) for message in self.took)

    def _failing(self, point: str, server: SMTP) -> str:
        how = self.fails(point)
        self.refused[how] += bool(how)
        if how == "cut":
            transport: Any = server.transport
            transport.abort()
        return how

    async def handle_EHLO(  # noqa: N802 - the library's name
        self, server: SMTP, session: Session, envelope: Envelope, name: str, answers: list[str]
    ) -> list[str]:
        session.host_name = name
        return ["421 later"] if self._failing("connect", server) else answers

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._failing("mail", server):
            return "451 later"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("nobody@"):
            return "550 no such user here"
        if self._failing("receiver", server):
            return "451 greylisted"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        message: Any = email.message_from_bytes(envelope.content, policy=default)
        self.took.append(message)
        return "452 no room after all" if self._failing("taken", server) else "250 OK"


@contextmanager
def running(post: Post) -> Iterator[int]:
    """The port of a server on loopback."""
    server = Controller(post, hostname="127.0.0.1", port=free_port())
    server.start()
    try:
        yield server.port
    finally:
        server.stop()


def by_seed(seed: int, rate: float) -> Callable[[str], str]:
    """That part of deliveries fails, each at one of the points, by an answer or a cut."""
    chance = random.Random(seed)  # noqa: S311 - the same failures in every run

    def fails(point: str) -> str:
        if chance.random() >= rate / len(POINTS):
            return ""
        return chance.choice(["cut", "answer"])

    return fails


class Killer:
    """Kills a process at one point of a delivery, once."""

    def __init__(self, point: str) -> None:
        self.pid = 0
        self._point = point

    def __call__(self, point: str) -> str:
        if point != self._point or not self.pid:
            return ""
        pid, self.pid = self.pid, 0
        os.kill(pid, signal.SIGKILL)
        # Whoever started it waits for it as well, and may have been told first.
        with suppress(ChildProcessError):
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        return ""
