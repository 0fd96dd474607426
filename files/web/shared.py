"""What pages say once something was shared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from files.models import FileRecord
from files.sharing.granting import How, Outcome
from files.sharing.recipients import describe
from runtime import moments


def tell(request: HttpRequest, outcomes: Sequence[Outcome], wanted: datetime | None) -> None:
    """Say with whom it was shared, and who had it before, until when; `wanted` was asked for."""
    items = {one.item.pk for one in outcomes}
    made = _names(outcomes, How.MADE)
    if made and len(items) == 1:
        messages.success(request, _("Shared with %(names)s.") % {"names": made})
    elif made:
        given = {one.item.pk for one in outcomes if one.how is How.MADE}
        text = ngettext(
            "%(count)d of them was shared with %(names)s.",
            "%(count)d of them were shared with %(names)s.",
            len(given),
        )
        messages.success(request, text % {"count": len(given), "names": made})
    if longer := [one for one in outcomes if one.how is How.EXTENDED]:
        text = _("%(names)s could do that already. It was extended: %(until)s.")
        until = _until(*{one.grant.expires_at for one in longer})
        messages.success(request, text % {"names": _names(longer, How.EXTENDED), "until": until})
    if same := [one for one in outcomes if one.how is How.SAME]:
        ends = {one.grant.expires_at for one in same}
        text = _("%(names)s can do that already: %(until)s.")
        told = text % {"names": _names(outcomes, How.SAME), "until": _until(*ends)}
        if ends != {wanted}:
            told += " " + _("To end it sooner, stop sharing first, then share again.")
        messages.warning(request, told)


def tell_of_locked(request: HttpRequest, outcomes: Iterable[Outcome]) -> None:
    """Say of locked files among many that a key goes with each."""
    files = {one.item.pk: one.item for one in outcomes if isinstance(one.item, FileRecord)}
    if locked := [one.name for one in files.values() if one.is_held]:
        text = ngettext(
            "“%(names)s” is locked: whoever is to open it needs its key, too. Send the key by "
            "another way than the address; the file's page says where to get it.",
            "These are locked: %(names)s. Whoever is to open them needs the key of each, too. Send "
            "keys by another way than addresses; each file's page says where to get its key.",
            len(locked),
        )
        messages.warning(request, text % {"names": _some(locked)})


def _names(outcomes: Iterable[Outcome], how: How) -> str:
    found = {
        (type(one.recipient), one.recipient.pk): describe(one.recipient)
        for one in outcomes
        if one.how is how
    }
    return _some(list(found.values()))


def _some(names: Sequence[str], most: int = 10) -> str:
    told = ", ".join(names[:most])
    left = len(names) - most
    more = ngettext("and %(count)d more", "and %(count)d more", left) % {"count": left}
    return f"{told} {more}" if left > 0 else told


def _until(*ends: datetime | None) -> str:
    """Until when, of one end; of several the latest."""
    if None in ends:
        return _("with no end")
    latest = max(end for end in ends if end is not None)
    return _("until %(moment)s") % {"moment": moments.in_words(latest)}
