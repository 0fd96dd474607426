"""Mails in tests: what waits in the queue is sent, and lies in Django's box of tests."""

from __future__ import annotations

from django.core import mail
from django.core.mail import EmailMessage

from notices import queue


def delivered() -> list[EmailMessage]:
    """Send all that is due; every mail of this test so far, the oldest first."""
    queue.deliver()
    return mail.outbox
