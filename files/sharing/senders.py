"""Who comes with a request: let in under a name or by a code, and given a receipt of what came.

Must never tell whether a token ever was, nor what somebody else has sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, OuterRef, QuerySet
from django.utils import timezone

import audit
from accounts.models import User
from accounts.outside import Door, capability, codes
from audit import Event
from files.errors import RequestFull, RequestOver
from files.models import FileRequest, Received, Sender
from files.models.requests import MAX_SENDER
from files.records.names import clean_folder_name
from files.sharing.requests import summed, usual_end
from files.vault import opening, outside
from notices import mail


def open_by(token: str) -> FileRequest | None:
    """The request that has this token, if one may send through it now; None in every other case.

    As much is asked of a token that never was.
    """
    found = FileRequest.objects.filter(token_digest=capability.digest_of(token))
    one = found.select_related("folder__owner", "maker").first()
    nobody = FileRequest(pk=0, maker=User(pk=0), folder_id=UUID(int=0), expires_at=usual_end())
    may = outside.is_open(one or nobody)
    return one if may else None


def admit(request: FileRequest, *, name: str, email: str = "") -> Sender:
    """Somebody who will send through it, under their name; with an address, whoever has it.

    Raises BadName, RequestFull where no sender more may come, RequestOver.
    """
    # What is cut off may leave an end that no name has.
    name = clean_folder_name(clean_folder_name(name)[:MAX_SENDER])
    outside.require_open(request)
    with transaction.atomic():
        locked = FileRequest.objects.select_for_update(no_key=True).filter(pk=request.pk).first()
        if locked is None:
            raise RequestOver
        senders = Sender.objects.filter(request=request.pk)
        if email and (known := senders.filter(email=email.lower()).first()) is not None:
            return known
        if locked.most_senders is not None and senders.count() >= locked.most_senders:
            raise RequestFull
        if senders.count() >= MOST_SENDERS:
            raise RequestFull
        sender = Sender.objects.create(request=request, name=name, email=email.lower())
        audit.record(
            Event.SENDER_ADMITTED,
            file_request_id=request.pk,
            folder_id=str(request.folder_id),
            sender=name,
            email=email.lower(),
        )
    return sender


MOST_SENDERS = 10_000
"""Of one request, whatever its maker allows: each is a row, and costs nothing to become."""


def send_code(request: FileRequest, door: Door, email: str, *, language: str) -> None:
    """Send a code to an address that may have one; nothing, and the same answer, for any other."""

    def queue(code: str) -> None:
        mail.enqueue(
            "files/email/request_code",
            {"code": code, "minutes": codes.LASTS.seconds // 60, "title": request.title},
            to=email,
            language=language,
            kind="request_code",
            useful_for=codes.LASTS,
        )

    codes.send(door, email, allowed=may_have_code(request, email), mail=queue)


def may_have_code(request: FileRequest, email: str) -> bool:
    """Whether that address was named, or is of a domain that was and is allowed still."""
    named = codes.within(request.addresses, settings.REQUEST_MAIL_DOMAINS)
    return codes.is_among(email, named)


def note_wrong_code(request: FileRequest, email: str) -> None:
    """Remember that somebody tried a code that is not taken: who made the request sees how many."""
    with transaction.atomic():
        FileRequest.objects.filter(pk=request.pk).update(
            wrong_codes=F("wrong_codes") + 1, wrong_at=timezone.now()
        )
        audit.record(Event.SENDER_REFUSED, file_request_id=request.pk, email=email)


def senders_of(request: FileRequest) -> QuerySet[Sender]:
    """Who came to send through it, the newest first, with how many files each has sent."""
    received = Received.objects.filter(sender=OuterRef("pk")).order_by()
    of_each: QuerySet[Any, Any] = received.values("sender")
    senders = Sender.objects.filter(request=request.pk).order_by("-pk")
    return senders.annotate(files_n=summed(of_each, Count("pk")))


@dataclass(frozen=True)
class Line:
    """One file on a sender's receipt; the digest in hexadecimal, empty where it is not known."""

    name: str
    size: int
    at: datetime
    sha256: str


ON_A_RECEIPT = 500
"""Files, the newest: each digest is opened for it."""


def mark_browser(sender: Sender, browser: str) -> None:
    """What has just come from a sender was sent by that browser, whose receipt it is on."""
    Received.objects.filter(sender=sender.pk, browser="").update(browser=browser)


def receipt(sender: Sender, browser: str) -> list[Line]:
    """What a browser has sent, with the digests of exactly these bytes.

    Who sent them knows them. Of a file that is another version by now, or gone, it has no digest.
    """
    rows = Received.objects.filter(sender=sender.pk, browser=browser).select_related(
        "file__current"
    )
    found = list(rows.order_by("-pk")[:ON_A_RECEIPT])
    return [Line(one.name, one.size, one.at, _digest(one)) for one in reversed(found)]


def _digest(one: Received) -> str:
    if one.file is None or one.file.uploaded_at is not None or one.file.is_held:
        return ""
    digests = opening.digests_of(one.file.current)
    return digests.sha256.hex() if digests is not None and digests.sha256 else ""
