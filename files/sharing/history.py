"""What happened to one file, for its owner and those who manage it: a page of the audit log.

Newest first, by keyset; costs the same whatever the length of the log. Addresses and programs are
for those who may read the log itself, and so are the names of people who were refused: who has a
file is no reason to learn who else is here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit import Event
from audit.events import label
from audit.models import AuditEvent
from files.models import FileRecord
from files.sharing.denials import DENIED

SOMEBODY = gettext_lazy("somebody else")
_COMMAND = "command:"

_WORDS: Mapping[str, str | Promise] = {
    Event.FILE_UPLOADED: gettext_lazy("Uploaded"),
    Event.FILE_DOWNLOADED: gettext_lazy("Downloaded"),
    Event.DOWNLOAD_DENIED: gettext_lazy("Download refused"),
    Event.ACCESS_DENIED: gettext_lazy("Page refused"),
    Event.DOWNLOAD_FAILED: gettext_lazy("Download failed"),
    Event.WRONG_KEY: gettext_lazy("Wrong key given"),
    Event.FILE_UNLOCKED: gettext_lazy("Unlocked"),
    Event.KEY_SHOWN: gettext_lazy("Key shown again"),
    Event.KEY_SAVED: gettext_lazy("Key saved"),
    Event.PASSPHRASE_SET: gettext_lazy("Passphrase set"),
    Event.FILE_DELETED: gettext_lazy("Deleted for good"),
    Event.OWNERSHIP_TRANSFERRED: gettext_lazy("Given to another owner"),
    Event.RENAMED: gettext_lazy("Renamed"),
    Event.MOVED: gettext_lazy("Moved"),
    Event.PUT_AWAY: gettext_lazy("Put into the trash"),
    Event.RESTORED: gettext_lazy("Brought back"),
    Event.VERSION_ADDED: gettext_lazy("New version"),
    Event.VERSION_RESTORED: gettext_lazy("Former version made current"),
    Event.VERSION_DELETED: gettext_lazy("Version deleted"),
    Event.GRANT_CREATED: gettext_lazy("Shared"),
    Event.GRANT_CHANGED: gettext_lazy("Sharing changed"),
    Event.GRANT_REVOKED: gettext_lazy("Sharing stopped"),
    Event.SELF_GRANTED: gettext_lazy("Shared with oneself"),
    Event.ACCESS_ASKED: gettext_lazy("Access asked for"),
    Event.ACCESS_REQUEST_GRANTED: gettext_lazy("Request for access answered by sharing"),
    Event.ACCESS_REQUEST_DECLINED: gettext_lazy("Request for access declined"),
    Event.FILE_REENCRYPTED: gettext_lazy("Encrypted anew"),
    Event.DAMAGE_FOUND: gettext_lazy("Damage found"),
    Event.DAMAGE_CLEARED: gettext_lazy("Read completely again"),
}
"""The events of a file in the words of its page; others go by their names."""

_LEVELS: Mapping[str, str | Promise] = {
    "download": gettext_lazy("to open and download"),
    "add": gettext_lazy("to add files and folders"),
    "manage": gettext_lazy("to share and delete, too"),
    "owner": gettext_lazy("as owner"),
}


@dataclass(frozen=True)
class Entry:
    """One event in words. `address` is empty for those who are not told."""

    at: datetime
    what: str
    who: str
    details: str
    address: str
    number: int = 0
    event: str = ""
    token: str = ""
    """What its person calls the token of the program that did it, where it was one."""


@dataclass(frozen=True)
class Page:
    """Some entries, and the number before which the next page begins; 0 on the last."""

    entries: Sequence[Entry]
    before: int


def page_of(record: FileRecord, *, before: int | None, length: int, reads_log: bool) -> Page:
    """A page of the file's history. `reads_log` says that the reader may see the whole log.

    Three queries.
    """
    events = AuditEvent.objects.filter(file_id=record.pk).order_by("-id")
    if before is not None:
        events = events.filter(id__lt=before)
    found = list(events[: length + 1])
    shown = found[:length]
    names = _recipients(shown)
    entries = [_entry(event, names, reads_log=reads_log) for event in shown]
    return Page(entries, shown[-1].id if len(found) > length else 0)


def _recipients(events: Iterable[AuditEvent]) -> Mapping[tuple[str, int], str]:
    """The names of the people and groups that events speak of by id."""
    ids: dict[str, set[int]] = {"user_id": set(), "group_id": set()}
    for event in events:
        for key, wanted in ids.items():
            if isinstance(value := event.data.get(key), int):
                wanted.add(value)
    users = get_user_model().objects.filter(pk__in=ids["user_id"] or {0})
    groups = Group.objects.filter(pk__in=ids["group_id"] or {0})
    return {
        **{("user_id", pk): name for pk, name in users.values_list("pk", "username")},
        **{
            ("group_id", pk): _("group “%(name)s”") % {"name": name}
            for pk, name in groups.values_list("pk", "name")
        },
    }


def _entry(event: AuditEvent, names: Mapping[tuple[str, int], str], *, reads_log: bool) -> Entry:
    who, token = event.actor_name, str(event.data.get("by_token", ""))
    if event.event in DENIED and not reads_log:
        # What they call their token may say who they are.
        who, token = str(SOMEBODY), ""
    elif who.startswith(_COMMAND):
        who = _("the command %(name)s") % {"name": who.removeprefix(_COMMAND)}
    return Entry(
        at=event.at,
        what=str(_WORDS.get(event.event) or label(event.event)),
        who=who,
        details=_details(event, names, token),
        address=event.address if reads_log else "",
        number=event.id,
        event=event.event,
        token=token,
    )


def _details(event: AuditEvent, names: Mapping[tuple[str, int], str], token: str) -> str:
    data: Mapping[str, Any] = event.data
    said = []
    for key in ("user_id", "group_id"):
        if isinstance(number := data.get(key), int):
            gone = _("a group that is gone") if key == "group_id" else _("a person who is gone")
            said.append(_("for %(name)s") % {"name": names.get((key, number), gone)})
    if level := data.get("level"):
        said.append(str(_LEVELS.get(str(level), level)))
    if outcome := data.get("outcome"):
        said.append(str(outcome))
    if isinstance(sent := data.get("bytes"), int):
        said.append(_("%(count)s bytes sent") % {"count": intcomma(sent)})
    elif isinstance(size := data.get("size"), int):
        said.append(_("%(count)s bytes") % {"count": intcomma(size)})
    if reason := data.get("reason"):
        said.append(str(reason))
    if (sender := data.get("sender")) and event.event not in DENIED:
        said.append(_("from outside: %(name)s") % {"name": sender})
    if token:
        said.append(_("by the token “%(name)s”") % {"name": token})
    return ", ".join(said)
