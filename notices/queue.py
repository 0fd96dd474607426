"""The queue of mails: what is due is claimed, handed to the mail server, and erased.

A row is claimed under a lease before its mail is sent, and settled after: two that deliver at once
never send the same one, and a mail whose sender was killed in between is sent once more, under the
same Message-ID. An attempt is cut off long before its lease ends. Nothing is given up while it is
of use but what the server refuses for good, and then the row says in words what it said.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime, parseaddr
from enum import StrEnum
from smtplib import (
    SMTPDataError,
    SMTPException,
    SMTPNotSupportedError,
    SMTPRecipientsRefused,
    SMTPResponseException,
)
from typing import Any, Final

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet, Value
from django.utils import timezone
from django.utils.translation import gettext, gettext_noop

from notices import digests, finders, sealing
from notices.html import as_html
from notices.models import Mail
from notices.sealing import Altered, KeyAway, Sealed
from runtime import clock, leases
from runtime.clock import Now

log = logging.getLogger(__name__)

LONGEST: Final = timedelta(minutes=4)
"""After which an attempt is cut off, however slowly its server goes on answering."""

LEASE: Final = timedelta(minutes=10)
"""For which a row is its sender's, unless that is known to be dead."""

WAITS: Final = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 4, 8, 16, 32, 60))
"""Until the second try, the third, and so on: then once an hour."""

PATIENCE: Final = timedelta(days=5)
"""For which a receiver is asked for again whose server says: later (RFC 5321, section 4.5.4.1)."""

TAKEN_OVER: Final = gettext_noop(
    "Another process sends it: this one stood still for longer than its lease."
)
TOO_LATE: Final = gettext_noop("It was not sent in the time for which it was of use.")
ALTERED: Final = gettext_noop("It is not sent, for %(why)s: see docs/operations.md, Mail.")


class Outcome(StrEnum):
    """What became of a mail that was claimed."""

    SENT = "sent"
    LATER = "later"
    ENDED = "ended"
    AWAY = "away"  # As LATER, and no other mail would fare better now.


@dataclass(slots=True)
class Delivered:
    """What a run came to."""

    sent: int = 0
    later: int = 0
    ended: int = 0
    # What the mail server or the key service said that is away; empty: nothing was.
    away: str = ""

    def count(self, outcome: Outcome) -> None:
        self.sent += outcome is Outcome.SENT
        self.ended += outcome is Outcome.ENDED
        self.later += outcome in (Outcome.LATER, Outcome.AWAY)


# --- The rows ------------------------------------------------------------------------------------


def waiting() -> QuerySet[Mail]:
    """Mails that are neither sent nor given up."""
    return Mail.objects.filter(sent_at=None, ended_at=None)


def due() -> QuerySet[Mail]:
    """Those whose time has come, and which nobody is sending."""
    free = Q(lease="") | Q(leased_until__lte=Now())
    return waiting().filter(free, due_at__lte=Now()).order_by("due_at", "pk")


def claim() -> Mail | None:
    """The next mail, for this process alone; None where nothing is due."""
    if not due().exists():
        # SQLite would take everybody's turn to write, to find that.
        return None
    with transaction.atomic():
        rows = due()
        if connection.features.has_select_for_update_skip_locked:
            rows = rows.select_for_update(skip_locked=True, no_key=True)
        mail = rows.first()
        if mail is None:
            return None
        mail.lease = leases.new_lease()
        mail.attempts += 1
        Mail.objects.filter(pk=mail.pk).update(
            lease=mail.lease,
            leased_until=Now() + Value(LEASE),
            attempts=F("attempts") + 1,
        )
    return mail


def free_the_dead() -> int:
    """Take the leases of senders that are known to be dead: their mails are due again."""
    held = waiting().exclude(lease="").values_list("pk", "lease")
    dead = [(pk, lease) for pk, lease in held if leases.is_dead(lease)]
    return sum(
        Mail.objects.filter(pk=pk, lease=lease).update(lease="", leased_until=None)
        for pk, lease in dead
    )


def _settle(mail: Mail, **changes: Any) -> bool:
    """Write what became of a mail, unless another has taken it over meanwhile."""
    if _mine(mail).update(lease="", leased_until=None, **changes):
        return True
    log.warning("mail %s was taken over by another process", mail.message_id)
    return False


def _mine(mail: Mail) -> QuerySet[Mail]:
    return waiting().filter(pk=mail.pk, lease=mail.lease)


ERASED: Final[dict[str, Any]] = {"content": None, "wrapped_key": None, "master_key_id": ""}


# --- Sending -------------------------------------------------------------------------------------


def deliver(
    *,
    stopping: Callable[[], bool] = lambda: False,
    told: Callable[[Mail, Outcome, str], object] = lambda mail, outcome, words: None,
) -> Delivered:
    """Send what is due, one after the other, until nothing is or the mail server is away.

    Before that, whoever is to be told of something by now is told.

    `told` is given each mail, what became of it and what the server said. A connection is kept for
    as many as it takes. Raises DatabaseError.
    """
    done = Delivered()
    finders.tell()
    free_the_dead()
    try:
        digests.write()
    except KeyAway as away:
        done.away = str(away)
    server = Server()
    try:
        while not stopping() and (mail := claim()) is not None:
            outcome, words = send(mail, server)
            done.count(outcome)
            told(mail, outcome, words)
            if outcome is not Outcome.SENT:
                log.error("mail %s (%s): %s", mail.message_id, mail.kind, words)
            if outcome is Outcome.AWAY:
                done.away = words
                break
    finally:
        server.close()
    return done


def send(mail: Mail, server: Server) -> tuple[Outcome, str]:
    """Send a claimed mail; what became of it, and the words of what went wrong."""
    if not _mine(mail).exists():
        return Outcome.LATER, TAKEN_OVER
    if mail.useful_until is not None and mail.useful_until <= timezone.now():
        return _end(mail, TOO_LATE)
    try:
        message = _message(mail)
    except Altered as altered:
        return _end(mail, ALTERED % {"why": altered})
    except KeyAway as away:
        return _later(mail, str(away), Outcome.AWAY)
    try:
        server.open()
    except (SMTPException, OSError) as error:
        return _later(mail, in_words(error), Outcome.AWAY)
    try:
        server.send(message)
    except Exception as error:
        # Of whatever kind: one mail that cannot be sent must never be in the way of the others.
        server.close()
        if not isinstance(error, SMTPException | OSError):
            log.exception("mail %s cannot be sent", mail.message_id)
        if _is_final(error) or _patience_is_over(mail, error):
            return _end(mail, in_words(error))
        return _later(mail, in_words(error), Outcome.LATER)
    _settle(mail, sent_at=clock.now(), last_error="", **ERASED)
    return Outcome.SENT, ""


def _end(mail: Mail, words: str) -> tuple[Outcome, str]:
    _settle(mail, ended_at=clock.now(), last_error=words[:500], **ERASED)
    return Outcome.ENDED, words


def _later(mail: Mail, words: str, outcome: Outcome) -> tuple[Outcome, str]:
    wait = WAITS[min(mail.attempts, len(WAITS)) - 1]
    _settle(mail, due_at=Now() + Value(wait), last_error=words[:500])
    return outcome, words


def _is_final(error: Exception) -> bool:
    """Whether asking again would be refused again: of this receiver, or of this mail.

    Not where the server refuses us (our name, our sender): that is mended in the configuration.
    """
    if isinstance(error, SMTPRecipientsRefused):
        return all(500 <= code < 600 for code, _ in error.recipients.values())
    if isinstance(error, SMTPDataError):
        return 500 <= error.smtp_code < 600
    # An address that the server's software cannot take at all, or that is none.
    return isinstance(error, SMTPNotSupportedError | ValueError)


def _patience_is_over(mail: Mail, error: Exception) -> bool:
    refused = isinstance(error, SMTPRecipientsRefused | SMTPDataError)
    return refused and timezone.now() - mail.made_at > PATIENCE


def in_words(error: Exception) -> str:
    """What went wrong, for administrators: the server's own words, and no line break."""
    if isinstance(error, SMTPRecipientsRefused):
        said = "; ".join(
            f"{address}: {code} {_text(answer)}"
            for address, (code, answer) in error.recipients.items()
        )
    elif isinstance(error, SMTPResponseException):
        said = f"{error.smtp_code} {_text(error.smtp_error)}"
    else:
        said = f"{type(error).__name__}: {error}"
    return " ".join(said.split())


def said(words: str) -> str:
    """What a mail's row says of it, for who reads it now: our own sentences in their language, and
    those of servers as they are."""
    if words in {TAKEN_OVER, TOO_LATE}:
        return gettext(words)
    for why in (sealing.REWRITTEN, sealing.OTHER_KEY, sealing.OF_ANOTHER):
        if words == ALTERED % {"why": why}:
            return gettext(ALTERED) % {"why": gettext(why)}
    return words


def _text(answer: bytes | str) -> str:
    return answer.decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer)


def _message(mail: Mail) -> EmailMultiAlternatives:
    """The mail as it goes out, the same at every try. Raises Altered, KeyAway."""
    sealed = Sealed(mail.master_key_id, bytes(mail.wrapped_key or b""), bytes(mail.content or b""))
    letter = sealing.open_(sealed, message_id=mail.message_id, to=mail.to)
    message = EmailMultiAlternatives(
        letter.subject,
        letter.text,
        settings.DEFAULT_FROM_EMAIL,
        [letter.to],
        headers={
            "Message-ID": letter.message_id,
            "Date": format_datetime(mail.made_at),
            # No answering machine answers it (RFC 3834, section 5).
            "Auto-Submitted": "auto-generated",
            "Content-Language": mail.language,
        },
    )
    html = as_html(letter.text, origin=letter.origin, language=mail.language, title=letter.subject)
    message.attach_alternative(html, "text/html")
    return message


class Server:
    """The mail server, as the settings name it, over a connection that serves several mails."""

    def __init__(self) -> None:
        self._connection: Any = None

    def open(self) -> None:
        """Raises SMTPException or OSError."""
        if self._connection is None:
            made = get_connection()
            with _bounded(made):
                made.open()
            self._connection = made

    def send(self, message: EmailMultiAlternatives) -> None:
        """Raises SMTPException, OSError; ValueError where it cannot be a mail at all.

        Software of mail reads more in a text than one address: comments, names, lists. Nobody gets
        a mail but whom its row names.
        """
        if any(parseaddr(to)[1] != to for to in message.to):
            raise ValueError("the receiver is not one mail address")
        with _bounded(self._connection):
            self._connection.send_messages([message])

    def close(self) -> None:
        """Let the connection go, whatever state it is in."""
        if self._connection is not None:
            with suppress(SMTPException, OSError), _bounded(self._connection):
                self._connection.close()
            self._connection = None


@contextmanager
def _bounded(backend: Any) -> Iterator[None]:
    """Cut the connection off when what is within takes too long: its lease must not end before.

    Each wait for the server is bounded by `EMAIL_TIMEOUT`, but there may be any number of them.
    """

    def cut() -> None:
        socket = getattr(getattr(backend, "connection", None), "sock", None)
        if socket is not None:
            with suppress(OSError):
                socket.shutdown(2)

    timer = threading.Timer(LONGEST.total_seconds(), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
