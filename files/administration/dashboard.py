"""The front page of the administration: what needs attention, in words, with the list that has it.

Each part is for who may see that list, and is not even asked for on behalf of others. The facts are
`files.upkeep.attention`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts import invitations
from files.models import FileRequest, Link
from files.sharing import requests
from files.sharing.links import listing
from files.upkeep import attention
from notices import state as queue

NAMED = 3
"""Of people who were locked out, so many are named."""

NAMES = {
    "verify_files": gettext_lazy("Verification of files"),
    "verify_audit": gettext_lazy("Verification of the audit log"),
    "backup": gettext_lazy("Backup"),
    "restore_drill": gettext_lazy("Restore drill"),
    "sweep": gettext_lazy("Sweep"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that needs attention: in words, what to do, and where it is."""

    text: str
    advice: str
    url: str
    grave: bool = False
    """Whether something may be lost already."""


@dataclass(frozen=True, slots=True)
class Line:
    """Recurring work: when it last succeeded, and how that is to be judged."""

    name: str
    succeeded_at: datetime | None
    state: str
    well: bool
    url: str


@dataclass(frozen=True, slots=True)
class Dashboard:
    """What one member of staff may know of it."""

    entries: list[Entry]
    work: list[Line]


def of(user: Any) -> Dashboard | None:
    """What needs attention, of what that person may see; None for who may see none of it.

    Eleven queries of its own at most.
    """
    now = timezone.now()
    entries: list[Entry] = []
    work: list[Line] = []
    may_look = False
    for permitted, found in (
        (user.has_perm("files.view_filerecord"), _damaged),
        (user.has_perm("files.view_grant"), _ending),
        (user.has_perm("audit.view_auditevent"), _locked_out),
        (_sees_invitations(user), _invitations),
        (user.has_perm("notices.view_mail"), _mails),
        (user.has_perm("files.view_link"), _links),
        (user.has_perm("files.view_filerequest"), _requests),
    ):
        if permitted:
            may_look = True
            entries += found(now)
    sees_runs = user.has_perm("audit.view_auditevent")
    sees_keys = user.has_perm("files.view_masterkey")
    if sees_runs or sees_keys:
        may_look = True
        runs = attention.runs(now)
        if sees_keys:
            entries += _rotation(runs)
        if sees_runs:
            entries += (_overdue(one) for one in runs.work if one.needs_attention)
            work = [_line(one) for one in runs.work]
    entries.sort(key=lambda entry: not entry.grave)
    return Dashboard(entries, work) if may_look else None


def _damaged(_now: datetime) -> Iterator[Entry]:
    if count := attention.damaged():
        yield Entry(
            ngettext("%(n)s damaged file", "%(n)s damaged files", count) % {"n": _shown(count)},
            ngettext(
                "Restore it from a copy of the bucket while there is one.",
                "Restore them from a copy of the bucket while there is one.",
                count,
            ),
            _list("files_filerecord", state="damaged"),
            grave=True,
        )


def _ending(now: datetime) -> Iterator[Entry]:
    if count := attention.ending(now):
        days = attention.ENDING.days
        yield Entry(
            ngettext(
                "%(n)s share ends within %(days)s days",
                "%(n)s shares end within %(days)s days",
                count,
            )
            % {"n": _shown(count), "days": days},
            _("Give those more time who still need it."),
            _list("files_grant", status="expiring"),
        )


def _locked_out(now: datetime) -> Iterator[Entry]:
    if names := attention.locked_out(now):
        some = ", ".join(names[:NAMED])
        more = len(names) - NAMED
        if more > 0:
            some = _("%(some)s and %(more)s more") % {"some": some, "more": more}
        yield Entry(
            ngettext(
                "%(n)s person locked out since yesterday: %(some)s",
                "%(n)s people locked out since yesterday: %(some)s",
                len(names),
            )
            % {"n": len(names), "some": some},
            ngettext(
                "It ends by itself. Ask whether it was that person who tried.",
                "It ends by itself. Ask them whether it was they who tried.",
                len(names),
            ),
            _list(
                "audit_auditevent",
                **{
                    "event": "locked_out",
                    "from": f"{localtime(now - attention.LOCKED_OUT_FOR):%Y-%m-%d}",
                },
            ),
        )


def _sees_invitations(user: Any) -> bool:
    return invitations.may_invite(user) or user.has_perm("accounts.view_invitation")


def _invitations(_now: datetime) -> Iterator[Entry]:
    if count := attention.unused_invitations():
        yield Entry(
            ngettext("%(n)s unused invitation", "%(n)s unused invitations", count)
            % {"n": _shown(count)},
            ngettext(
                "Send it again, or take it back.", "Send them again, or take them back.", count
            ),
            _list("accounts_invitation", state="waiting"),
        )


def _mails(now: datetime) -> Iterator[Entry]:
    found = queue.read(now)
    if found.is_still(now):
        yield Entry(
            ngettext("%(n)s mail waits", "%(n)s mails wait", found.waiting) % {"n": found.waiting},
            _("Nobody sends them: see to it that deliver runs."),
            _list("notices_mail", state="waiting"),
            grave=True,
        )
    elif count := found.failing + found.given_up:
        yield Entry(
            ngettext("%(n)s mail was not sent", "%(n)s mails were not sent", count) % {"n": count},
            _("The list says what the mail server said."),
            _list("notices_mail", state="failing" if found.failing else "given up"),
        )


def _links(_now: datetime) -> Iterator[Entry]:
    if count := attention.count(listing.beyond_bounds(Link.objects.all())):
        text = ngettext(
            "%(n)s link goes beyond the bounds of today",
            "%(n)s links go beyond the bounds of today",
            count,
        )
        advice = _("They were made before. End those that must not go on.")
        yield Entry(text % {"n": _shown(count)}, advice, _list("files_link", bounds="beyond"))


def _requests(_now: datetime) -> Iterator[Entry]:
    if count := attention.count(requests.beyond_bounds(FileRequest.objects.all())):
        text = ngettext(
            "%(n)s request goes beyond the bounds of today",
            "%(n)s requests go beyond the bounds of today",
            count,
        )
        advice = _("They were made before. End those that must not go on.")
        yield Entry(
            text % {"n": _shown(count)}, advice, _list("files_filerequest", bounds="beyond")
        )


def _rotation(runs: attention.Runs) -> Iterator[Entry]:
    if keys := attention.unfinished_rotation(runs.rotation):
        yield Entry(
            ngettext(
                "Key rotation is not finished: %(keys)s is still in use",
                "Key rotation is not finished: %(keys)s are still in use",
                len(keys),
            )
            % {"keys": ", ".join(keys)},
            _("Run rotate_master_key: it says when nothing is left under another key."),
            reverse("admin:files_masterkey_changelist"),
        )


def _overdue(work: attention.Work) -> Entry:
    name = NAMES[work.name]
    if work.failed:
        text = _("%(work)s: the last run did not succeed") % {"work": name}
    elif work.succeeded_at is None:
        text = _("%(work)s: never done") % {"work": name}
    else:
        text = _("%(work)s: overdue") % {"work": name}
    advice = _("Run %(command)s, and see to it that a timer does.") % {"command": work.name}
    return Entry(text, advice, _events(work), grave=work.name == "backup")


def _line(work: attention.Work) -> Line:
    if work.failed:
        state = _("the last run did not succeed")
    elif work.outcome == "running":
        state = _("running now")
    elif work.late:
        state = _("overdue") if work.succeeded_at else _("never done")
    else:
        state = _("well")
    well = not work.needs_attention
    return Line(str(NAMES[work.name]), work.succeeded_at, state, well, _events(work))


def _events(work: attention.Work) -> str:
    """The runs in the log."""
    return _list("audit_auditevent", user=f"command:{work.name}")


def _list(model: str, **query: str) -> str:
    return f"{reverse(f'admin:{model}_changelist')}?{urlencode(query)}"


def _shown(count: int) -> str:
    return f"{count:,}+" if count >= attention.MOST else str(count)
