"""Mails of notices: of one kind and to one person at most one an hour, the first at once.

What comes within the hour is collected in the next. Written when mails are delivered, in a
transaction that takes the person's turn of that kind: two at once never write the same.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import DatabaseError, transaction
from django.db.models import Q, Value
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from notices import mail, readers
from notices.kinds import MANNERS, Kind
from notices.models import Choice, Notice
from notices.sealing import KeyAway
from notices.sentences import sentence
from notices.subjects import Told, tell
from notices.telling import settled
from runtime.clock import Now

log = logging.getLogger(__name__)

EVERY: Final = timedelta(hours=1)
"""Between two mails of one kind to one person."""

LISTED: Final = 50
"""Notices that a mail lists; of more it says how many."""

AT_ONCE: Final = 500
"""Mails that one run writes before it sends what is due."""


def write() -> int:
    """Write the mails that are to be written now; how many there were. Raises KeyAway."""
    waiting = Notice.objects.filter(by_mail=True, mailed_at=None, kind__in=Kind.values)
    pairs = waiting.order_by().values_list("user", "kind").distinct()[:AT_ONCE]
    written = 0
    for person, kind in list(pairs):
        try:
            written += _write(person, kind)
        except (KeyAway, DatabaseError):
            raise
        except Exception:
            # One that cannot be written must never be in the way of the others.
            log.exception("the notices of %s to person %s cannot be mailed", kind, person)
    return written


def _write(person_id: int, kind: str) -> bool:
    with transaction.atomic():
        if not _turn(person_id, kind):
            return False
        rows = Notice.objects.filter(user=person_id, kind=kind, by_mail=True, mailed_at=None)
        notices = list(rows.order_by("id"))
        person = _reader(person_id, kind)
        if person is not None and notices:
            _put(person, Kind(kind), notices)
        Notice.objects.filter(pk__in=[notice.pk for notice in notices]).update(
            mailed_at=timezone.now()
        )
    return person is not None


def _turn(person_id: int, kind: str) -> bool:
    """Whether it is time for a mail of that kind; then it is nobody else's for an hour."""
    mine = Choice.objects.filter(user=person_id, kind=kind)
    if not mine.exists():
        Choice.objects.bulk_create([Choice(user_id=person_id, kind=kind)], ignore_conflicts=True)
    free = Q(mailed_at=None) | Q(mailed_at__lte=Now() - Value(EVERY))
    return bool(mine.filter(free).update(mailed_at=Now()))


def _reader(person_id: int, kind: str) -> Any:
    """Who gets it; None where they are away, have no address, or chose otherwise meanwhile."""
    people = get_user_model()._default_manager.filter(pk=person_id, is_active=True)
    person: Any = people.exclude(email="").first()
    chosen = Choice.objects.filter(user=person_id, kind=kind).first()
    return person if settled(MANNERS[Kind(kind)], chosen)[1] else None


def _put(person: Any, kind: Kind, notices: list[Notice]) -> None:
    with readers.writing_to(person.language, person.time_zone):
        told = tell(person, notices[:LISTED])
        lines = [line_of(one) for one in told]
        context = {
            "title": _title(kind, len(notices)),
            "lines": lines,
            "more": len(notices) - len(lines),
            "all": mail.absolute("/notices/"),
            "choices": "" if MANNERS[kind].always_mailed else mail.absolute("/accounts/#notices"),
            "site": mail.site_name(),
        }
        text = render_to_string("notices/email/notices_message.txt", context)
    mail.put(
        str(context["title"]),
        text,
        kind=kind,
        to=person.email,
        person=person,
        language=person.language,
    )


def _title(kind: Kind, count: int) -> str:
    if count == 1:
        return str(kind.label)
    said = ngettext("%(count)s notice", "%(count)s notices", count) % {"count": count}
    return gettext("%(kind)s: %(said)s") % {"kind": kind.label, "said": said}


def line_of(told: Told) -> dict[str, str]:
    """One notice, as its line of a mail has it."""
    said = sentence(told, names=settings.MAIL_FILE_NAMES)
    at = timezone.localtime(told.notice.at)
    return {
        "said": said,
        "at": f"{at:%Y-%m-%d %H:%M %Z}",
        "link": mail.absolute(told.path) if told.path else "",
    }
