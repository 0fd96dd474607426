"""Writing a mail: it is put into the queue with what it tells of, or not at all.

Nothing here speaks to a mail server, so none that is away holds a page up or makes it fail. What a
person typed never becomes a header: subjects are one line of constants.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from email.utils import make_msgid, parseaddr
from typing import Any
from urllib.parse import urljoin

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from audit import context
from notices import readers, sealing
from notices.models import Mail
from notices.readers import Person
from notices.sealing import Letter
from runtime.clock import Now

PREFIX = "[Securestore]"


@sensitive_variables()
def enqueue(
    template: str,
    told: Mapping[str, Any],
    *,
    kind: str,
    to: str = "",
    person: Person | None = None,
    language: str | None = None,
    useful_for: timedelta | None = None,
) -> Mail:
    """Write `<template>_subject.txt` and `<template>_message.txt`, and let it wait to be sent.

    To `to`, or to the address of `person`, whose language and zone it is in; `language` is for who
    has no account. After `useful_for` it is not sent any more. What it says is encrypted until it
    was sent, and may hold secrets. Raises KeyAway.
    """
    language = language or (person.language if person else "")
    with readers.writing_to(language, person.time_zone if person else ""):
        full = {"site": site_name(), **told}
        subject = render_to_string(f"{template}_subject.txt", full)
        text = render_to_string(f"{template}_message.txt", full)
    return put(
        subject,
        text,
        kind=kind,
        to=to or (person.email if person else ""),
        person=person,
        language=language,
        useful_for=useful_for,
    )


@sensitive_variables()
def put(
    subject: str,
    text: str,
    *,
    kind: str,
    to: str,
    person: Person | None = None,
    language: str = "",
    useful_for: timedelta | None = None,
    site: str = "",
) -> Mail:
    """Let a mail wait whose words there are; `site` is where its links lead.

    Raises ValueError without a receiver; KeyAway.
    """
    if not to:
        raise ValueError("a mail needs a receiver")
    line = " ".join(subject.split())
    letter = Letter(
        message_id=make_msgid(domain=_domain()),
        to=to,
        subject=line if line.startswith(PREFIX) else f"{PREFIX} {line}",
        text=text.strip() + "\n",
        origin=site or origin(),
    )
    sealed = sealing.seal(letter)
    return Mail.objects.create(
        message_id=letter.message_id,
        to=to,
        user_id=person.pk if person else None,
        kind=kind,
        language=readers.language_for(language),
        content=sealed.content,
        wrapped_key=sealed.wrapped_key,
        master_key_id=sealed.master_key_id,
        due_at=Now(),
        useful_until=timezone.now() + useful_for if useful_for else None,
    )


def origin() -> str:
    """How readers of mails reach this site: `SITE_URL`, or as the request at hand was sent."""
    return str(settings.SITE_URL or context.origin() or _guess()).rstrip("/")


def absolute(path: str) -> str:
    """The address of a path of this site, for a mail."""
    return urljoin(f"{origin()}/", path)


def site_name() -> str:
    """What the site is called in mails: its host."""
    return origin().partition("://")[2]


def _guess() -> str:
    """Where nobody has said it, and no request is at hand: the first host that may be asked for."""
    named = [host for host in settings.ALLOWED_HOSTS if host and host[0] not in ".*"]
    return f"{'https' if settings.HTTPS else 'http'}://{named[0] if named else 'localhost'}"


def _domain() -> str:
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
