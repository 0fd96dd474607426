"""Every mail that the site sends, as it is written: for the pictures, and for what holds of each.

Nothing is asked of a database: what a mail tells of is made up here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from django.template.loader import render_to_string
from django.utils.translation import override

from notices import digests
from notices.html import as_html
from notices.kinds import MANNERS, Kind
from notices.models import Notice
from notices.subjects import Subject, Told

ORIGIN: Final = "https://files.example.org"
TEMPLATES: Final = Path(__file__).parents[1] / "templates"
AT: Final = datetime(2026, 11, 30, 14, 5, tzinfo=UTC)
KEY: Final = "c2VjcmV0LW9mLXRoaXMtbGluaw"

AROUND: Final[dict[str, Any]] = {
    "current_site": SimpleNamespace(domain="files.example.org"),
    "host": "files.example.org",
    "site": "files.example.org",
    "user": SimpleNamespace(get_username="paula"),
    "username": "paula",
    "actor": SimpleNamespace(get_username="root"),
    "email": "paula@example.org",
    "timestamp": AT,
    "ip": "198.51.100.7",
    "user_agent": "Firefox on Linux",
    "from_email": "paula@old.example",
    "to_email": "paula@example.org",
    "deleted_email": "paula@old.example",
    "activate_url": f"{ORIGIN}/accounts/confirm-email/{KEY}/",
    "password_reset_url": f"{ORIGIN}/accounts/password/reset/key/{KEY}/",
    "reset_hours": 3,
    "link": f"{ORIGIN}/accounts/invitation/{KEY}/",
    "invitation": SimpleNamespace(expires_at=AT + timedelta(days=7)),
    "code": "4711 0815",
    "minutes": 10,
    "title": "Your application",
}

DETAILS: Final[dict[Kind, dict[str, Any]]] = {
    Kind.GRANT_ENDS: {"until": (AT + timedelta(days=3)).isoformat()},
    Kind.UPLOADED_TO_REQUEST: {"count": 3},
    Kind.NEW_SIGN_IN: {"address": "198.51.100.7", "browser": "Firefox on Linux"},
    Kind.FACTOR_CHANGED: {"change": "added"},
}


@dataclass(frozen=True)
class Letter:
    """A mail: its subject, its text, and the same as HTML."""

    name: str
    subject: str
    text: str
    html: str


def written() -> list[str]:
    """The templates of mails, without their endings; not those of notices, which are all one."""
    found = {path for path in TEMPLATES.glob("*/email/*_message.txt") if "base_" not in path.name}
    names = (str(path.relative_to(TEMPLATES)).removesuffix("_message.txt") for path in found)
    return sorted(name for name in names if not name.startswith("notices/"))


def letters(language: str = "en-gb") -> Iterator[Letter]:
    """Every mail, in that language."""
    with override(language):
        for template in written():
            name = template.rpartition("/")[2].replace("_", "-")
            subject = render_to_string(f"{template}_subject.txt", AROUND)
            text = render_to_string(f"{template}_message.txt", AROUND)
            yield _letter(name, subject, text, language)
        for kind in Kind:
            yield _of_notices(kind, language)


def _of_notices(kind: Kind, language: str) -> Letter:
    """One of that kind, named and with its link."""
    notice = Notice(kind=kind, at=AT, details=DETAILS.get(kind, {}), path="/notices/")
    told = Told(notice, Subject("Plan.pdf", "/files/", is_folder=False), "olga")
    line = digests.line_of(told)
    context = {
        "lines": [{**line, "link": f"{ORIGIN}/files/"}],
        "more": 0,
        "choices": "" if MANNERS[kind].always_mailed else f"{ORIGIN}/accounts/#notices",
        "site": AROUND["site"],
    }
    text = render_to_string("notices/email/notices_message.txt", context)
    return _letter(f"notice-{kind.replace('_', '-')}", str(kind.label), text, language)


def _letter(name: str, subject: str, text: str, language: str) -> Letter:
    title = f"[Securestore] {' '.join(subject.split())}"
    text = text.strip() + "\n"
    html = as_html(text, origin=ORIGIN, language=language, title=title)
    return Letter(name, title, text, html)
