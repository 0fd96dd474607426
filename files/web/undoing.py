"""Taking back what was done last: what was put into the trash, or moved.

The session remembers one act, by the ids of what it was about, until it is taken back or another
takes its place. Taking it back is the opposite act, through the same use cases: they ask again who
may. Must never be the only way back: the trash keeps what is in it, what was moved can be moved.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.crypto import get_random_string
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from files.access.principals import Person
from files.access.rule import folders_visible_to
from files.errors import NoSuchFolder
from files.folders import several
from files.models import Item
from files.web.chosen import back_of, chosen, chosen_in_trash
from files.web.refusals import refused
from files.web.requested import user_of

KEPT = "undo"
"""Under this the session has it, and a message is tagged with it that offers to take it back."""

AT_MOST = 200
"""Things of one act that can be taken back: the session has their ids."""


def offer_put_away(request: HttpRequest, items: Collection[Item]) -> str:
    """Remember that these were put away; the tag of the message that says so."""
    return _offer(request, items, {})


def offer_move(request: HttpRequest, items: Collection[Item], former: uuid.UUID | None) -> str:
    """Remember that these were moved out of one folder; the tag of the message that says so."""
    return _offer(request, items, {"to": str(former)})


def _offer(request: HttpRequest, items: Collection[Item], act: dict[str, Any]) -> str:
    if not 0 < len(items) <= AT_MOST:
        return ""
    named = [(item.kind, str(item.pk)) for item in items]
    request.session[KEPT] = {**act, "id": get_random_string(12), "items": named}
    return KEPT


@login_required
@require_POST
def undo(request: HttpRequest) -> HttpResponse:
    """Take back what was done last, if that is still what the form is about."""
    back = back_of(request.POST, reverse("files:list"))
    act = request.session.get(KEPT)
    if act is None or act["id"] != request.POST.get("act"):
        messages.error(
            request, _("This cannot be taken back any more: something else was done since.")
        )
        return redirect(back)
    del request.session[KEPT]
    named = QueryDict(mutable=True)
    for kind, pk in act["items"]:
        named.appendlist(kind, pk)
    try:
        done = _move_back(request, named, act["to"]) if "to" in act else _restore(request, named)
    except several.NotAll as error:
        return refused(request, error, back=back)
    messages.success(
        request,
        ngettext("It is back where it was.", "%(count)s things are back where they were.", done)
        % {"count": done},
    )
    return redirect(back)


def _restore(request: HttpRequest, named: QueryDict) -> int:
    user, picked = user_of(request), chosen_in_trash(request, named)
    return len(several.restore(picked.items, by=Person(user), actor=user))


def _move_back(request: HttpRequest, named: QueryDict, to: str) -> int:
    user, picked = user_of(request), chosen(request, named)
    target = folders_visible_to(Person(user)).select_related("owner").filter(pk=to).first()
    if target is None:
        raise several.NotAll(picked.items[0], NoSuchFolder())
    moved = several.move(picked.items, target, by=Person(user), actor=user, rename=True)
    return len(moved)
