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

from audit.events import label
from audit.models import AuditEvent
from files.models import FileRecord
from files.sharing.denials import DENIED

SOMEBODY = "somebody else"
_COMMAND = "command:"


@dataclass(frozen=True)
class Entry:
    """One event in words. `address` is empty for those who are not told."""

    at: datetime
    what: str
    who: str
    details: str
    address: str


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
        **{("group_id", pk): f"group “{name}”" for pk, name in groups.values_list("pk", "name")},
    }


def _entry(event: AuditEvent, names: Mapping[tuple[str, int], str], *, reads_log: bool) -> Entry:
    who = event.actor_name
    if event.event in DENIED and not reads_log:
        who = SOMEBODY
    elif who.startswith(_COMMAND):
        who = f"the command {who.removeprefix(_COMMAND)}"
    return Entry(
        at=event.at,
        what=label(event.event),
        who=who,
        details=_details(event, names),
        address=event.address if reads_log else "",
    )


def _details(event: AuditEvent, names: Mapping[tuple[str, int], str]) -> str:
    data: Mapping[str, Any] = event.data
    said = []
    for key in ("user_id", "group_id"):
        if isinstance(number := data.get(key), int):
            kind = key.removesuffix("_id")
            said.append(f"for {names.get((key, number), f'a {kind} that is gone')}")
    if level := data.get("level"):
        said.append(f"to {level}" if level != "owner" else "as owner")
    if outcome := data.get("outcome"):
        said.append(str(outcome))
    if isinstance(sent := data.get("bytes"), int):
        said.append(f"{intcomma(sent)} bytes sent")
    elif isinstance(size := data.get("size"), int):
        said.append(f"{intcomma(size)} bytes")
    if reason := data.get("reason"):
        said.append(str(reason))
    return ", ".join(said)
