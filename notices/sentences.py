"""What is said of each kind, on the page and by mail: one sentence, in the reader's language.

A name is said only where the reader can see it now, and by mail only where `MAIL_FILE_NAMES` allows
it: mail is read by others on its way.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.utils.formats import number_format
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from notices.kinds import Kind
from notices.subjects import Told
from runtime import moments

FACTORS = {
    "added": gettext_lazy("One was added to your account."),
    "removed": gettext_lazy("One was removed from your account."),
    "regenerated": gettext_lazy("New recovery codes were made; the former ones work no more."),
    "used": gettext_lazy("A recovery code was used, and works no more."),
}


def sentence(told: Told, *, names: bool) -> str:
    """Plain text, for a mail. `names`: whether it may name the file."""
    return _say(told, _in_general(told) if not names else _name(told), str)


def as_html(told: Told) -> SafeString:
    """The same for a page, with each name set apart."""
    return mark_safe(_say(told, _name(told), _set_apart))  # noqa: S308 - every value is escaped.


def _set_apart(value: Any) -> str:
    return format_html("<bdi>{}</bdi>", value)


def _name(told: Told) -> str:
    return told.subject.name if told.subject else _in_general(told)


def _in_general(told: Told) -> str:
    if told.subject is None and told.about is not None:
        return _("something that you cannot see any more")
    is_folder = told.subject.is_folder if told.subject else told.notice.folder_id is not None
    return _("a folder") if is_folder else _("a file")


def _say(told: Told, what: str, of: Callable[[Any], str]) -> str:
    """The sentence, with each value as `of` makes it; `escape` keeps what is around it text."""
    notice, details = told.notice, told.notice.details
    around = str if of is str else escape
    values = {"what": of(what), "who": of(told.actor)}
    count = int(details.get("count") or 1)
    text = _words(Kind(notice.kind), bool(told.actor), details, count)
    values["count"] = of(number_format(count))
    for name in ("address", "browser"):
        values[name] = of(details.get(name, ""))
    values["until"] = of(_moment(details.get("until")))
    return str(around(text)) % values


def _words(kind: Kind, named: bool, details: dict[str, Any], count: int) -> str:
    match kind:
        case Kind.SHARED_WITH_YOU if named:
            return _("%(who)s shares with you: %(what)s")
        case Kind.SHARED_WITH_YOU:
            return _("Shared with you: %(what)s")
        case Kind.GRANT_ENDS:
            return _("Shared with you until %(until)s: %(what)s")
        case Kind.LINK_OPENED:
            return _("Your link was opened: %(what)s")
        case Kind.FILE_DOWNLOADED if named:
            return _("Downloaded by %(who)s: %(what)s")
        case Kind.FILE_DOWNLOADED:
            return _("Downloaded: %(what)s")
        case Kind.UPLOADED_TO_REQUEST:
            return ngettext(
                "%(count)s file arrived by your request: %(what)s",
                "%(count)s files arrived by your request: %(what)s",
                count,
            )
        case Kind.ACCESS_REQUESTED:
            return _("%(who)s asks you for access: %(what)s")
        case Kind.ACCESS_GRANTED:
            return _("You are given the access that you asked for: %(what)s")
        case Kind.NEW_SIGN_IN:
            return _("Somebody signed in with your account: %(browser)s, from %(address)s.")
        case Kind.FACTOR_CHANGED:
            return (
                _("Your second factors changed.")
                + " "
                + str(FACTORS.get(details.get("change", ""), ""))
            )
        case Kind.PASSWORD_CHANGED:
            return _("The password of your account was changed.")
        case Kind.KEY_REPORT:
            return _("Master keys need you: some files have none that opens them.")
        case Kind.DAMAGE_FOUND:
            return _("Files were found damaged: the store no longer returns what was written.")


def _moment(text: Any) -> str:
    """A moment of `details`, as its reader writes it; as it stands, where it is none."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return str(text or "")
    return moments.in_words(moment)
