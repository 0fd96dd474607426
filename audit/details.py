"""The details of an event as a person reads them: words and names, sizes and moments.

What an event holds is exact and stays so (`audit.models`); this is how a page shows it. Must never
look up a name itself: whoever shows events knows which names the reader may see.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.contrib.humanize.templatetags.humanize import intcomma
from django.template.defaultfilters import filesizeformat
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from runtime import moments

LONGEST = 60
"""Characters of one value that are shown; all of it is in its title."""

WORDS = {
    "access_request": _("request for access"),
    "abandoned": _("abandoned"),
    "aborted": _("aborted"),
    "active": _("active"),
    "actor": _("actor"),
    "again": _("again"),
    "asked_from": _("asked from"),
    "backups_until": _("in backups until"),
    "by_code": _("by a code"),
    "by_token": _("by the token"),
    "bytes": _("sent"),
    "change": _("change"),
    "chosen_by": _("chosen by"),
    "complete": _("complete"),
    "confirmed": _("confirmed"),
    "content_type": _("content type"),
    "created": _("created"),
    "custody": _("who keeps the key"),
    "damaged": _("damaged"),
    "door": _("page"),
    "email": _("address"),
    "exists": _("exists"),
    "expires_at": _("until"),
    "export": _("export"),
    "factor": _("factor"),
    "fields": _("fields"),
    "file": _("file"),
    "file_id": _("file id"),
    "file_request_id": _("request for files"),
    "files": _("files"),
    "fingerprint": _("fingerprint"),
    "folder_id": _("folder"),
    "folders": _("folders"),
    "format": _("format"),
    "former": _("former"),
    "from_user_id": _("former owner"),
    "grant_id": _("grant id"),
    "group": _("group"),
    "group_id": _("group"),
    "group_ids": _("group ids"),
    "groups": _("groups"),
    "held": _("held"),
    "invitation": _("invitation"),
    "label": _("called"),
    "last_of_this_hour": _("last of this hour"),
    "left_out": _("left out"),
    "level": _("may"),
    "link_id": _("link"),
    "managed": _("managed"),
    "master_key_id": _("master key id"),
    "master_keys": _("master keys"),
    "may": _("permissions"),
    "meant": _("meant"),
    "modified_at": _("modified at"),
    "most": _("downloads at most"),
    "move": _("move"),
    "ms": _("milliseconds"),
    "networks": _("addresses"),
    "new": _("new"),
    "other": _("other"),
    "outcome": _("outcome"),
    "owner_id": _("owner"),
    "parent_id": _("in"),
    "permissions": _("permissions"),
    "phase": _("phase"),
    "place": _("place"),
    "previous": _("before"),
    "primary": _("primary"),
    "protected_by": _("protected by"),
    "purged": _("purged"),
    "ranges": _("requests"),
    "reason": _("reason"),
    "rewrapped": _("rewrapped"),
    "scopes": _("scopes"),
    "seconds": _("seconds"),
    "secrets": _("secrets"),
    "sender": _("sender"),
    "session_address": _("session address"),
    "session_agent": _("session agent"),
    "size": _("size"),
    "staff": _("staff"),
    "starts_at": _("from"),
    "superuser": _("superuser"),
    "tails": _("tails"),
    "to": _("to"),
    "to_id": _("to id"),
    "to_user_id": _("new owner"),
    "token": _("token"),
    "token_id": _("token id"),
    "unknown_deleted": _("unknown deleted"),
    "unreachable": _("unreachable"),
    "unreadable": _("unreadable"),
    "unreadable_secrets": _("unreadable secrets"),
    "upload": _("upload"),
    "uploader": _("uploader"),
    "user": _("user"),
    "user_id": _("person"),
    "username": _("person"),
    "version": _("version"),
    "versions": _("versions"),
    "well": _("well"),
    "wrapped_by": _("wrapped by"),
}
"""What a detail is called. One that is not here is called as in the event."""

VALUES = {
    "custody": {"managed": _("the server"), "held": _("the owner")},
    "change": {
        "added": _("added"),
        "changed": _("changed"),
        "confirmed": _("confirmed"),
        "made primary": _("made primary"),
        "no longer primary": _("no longer primary"),
        "of the account": _("of the account"),
        "removed": _("removed"),
        "unconfirmed": _("unconfirmed"),
    },
    "fields": {
        "full name": _("full name"),
        "language": _("language"),
        "time zone": _("time zone"),
    },
    "level": {"download": _("download"), "add": _("add"), "manage": _("manage")},
    "outcome": {
        "complete": _("complete"),
        "failed": _("failed"),
        "running": _("running"),
        "stopped": _("stopped"),
    },
    "phase": {"ended": _("ended"), "started": _("started")},
    "reason": {
        "address": _("the address may have no code"),
        "age": _("signed in for too long"),
        "code": _("wrong code"),
        "password": _("wrong password"),
        "idle": _("unused for too long"),
        "no permission": _("no permission"),
        "not visible": _("not visible"),
        "password changed": _("password changed"),
    },
}
"""What events say in words of their own, which are those of the log whatever the language."""

SIZES = frozenset({"bytes", "size"})
TOLD_BY = {
    "user_id": "username",
    "group_id": "group",
    "group_ids": "groups",
    "by_token_id": "by_token",
    "token_id": "label",
}
"""Details that say nothing more where another one has the name."""

KINDS = {
    "folder_id": "folder",
    "from_user_id": "user",
    "group_id": "group",
    "owner_id": "user",
    "parent_id": "folder",
    "to_user_id": "user",
    "user_id": "user",
}
"""Details that are an id, and of what."""

Names = Mapping[tuple[str, str], str]
"""Names by kind and id."""


def ids_in(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The kinds and ids of which a name would be shown."""
    for name, value in data.items():
        if name in KINDS and value is not None and TOLD_BY.get(name) not in data:
            yield KINDS[name], str(value)


def shown(data: Mapping[str, Any], names: Names | None = None) -> str:
    """All details in one line, each with its word. `names` are those that the reader may see."""
    parts = []
    for name, value in data.items():
        if value is None or value == "" or TOLD_BY.get(name) in data:
            continue
        whole = _value(name, value, names or {})
        short = whole if len(whole) <= LONGEST else f"{whole[: LONGEST - 1]}…"
        word = WORDS.get(name, name.replace("_", " "))
        parts.append((word, whole if short != whole else "", short))
    lines = format_html_join("", '<span><b>{}:</b> <bdi title="{}">{}</bdi></span>', parts)
    return format_html('<p class="details-of">{}</p>', lines)


def _value(name: str, value: Any, names: Names) -> str:
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if (kind := KINDS.get(name)) is not None:
        return names.get((kind, str(value)), str(value))
    if name in SIZES and isinstance(value, int):
        return filesizeformat(value)
    if isinstance(value, int):
        return intcomma(value)
    text = str(value)
    if (words := VALUES.get(name)) is not None:
        return ", ".join(str(words.get(one, one)) for one in text.split(", "))
    return _moment(text) or text


def _moment(text: str) -> str:
    """A moment as events hold it (ISO 8601), in words; empty where it is none."""
    if len(text) < len("2026-01-01T00:00"):
        return ""
    try:
        moment: datetime | None = parse_datetime(text)
    except ValueError:
        return ""
    if moment is None or moment.tzinfo is None:
        return ""
    return moments.in_words(moment)
