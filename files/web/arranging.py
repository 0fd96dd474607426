"""Renaming and moving: files and folders alike."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from accounts.reauthentication import ask, is_recent
from files.access.explaining import access_of
from files.access.principals import Person
from files.access.rule import addable_by, folders_managed_by, folders_visible_to, managed_by
from files.access.statements import reaches
from files.errors import NameTaken, NoSuchFolder
from files.folders import making, moving, several
from files.lists import paging, places
from files.models import Folder, Item
from files.web import undoing
from files.web.chosen import back_of, chosen, refused_some
from files.web.forms import NameForm
from files.web.lists import query_of
from files.web.refusals import REFUSALS, refused, status_of
from files.web.requested import managed, may_not, user_of, visible_folder


class NothingChosen(Exception):
    """The form names no folder to move to."""

    def __init__(self) -> None:
        super().__init__(_("Choose a folder to move it to."))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def rename_file(request: HttpRequest, file_id: uuid.UUID) -> HttpResponse:
    """Give a file another name."""
    return _rename(request, managed(request, file_id))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def rename_folder(request: HttpRequest, folder_id: uuid.UUID) -> HttpResponse:
    """Give a folder another name."""
    folder = visible_folder(request, folder_id)
    if not _manages(request, folder):
        return may_not(request, folder, _("You may not rename it"))
    return _rename(request, folder)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def move_file(request: HttpRequest, file_id: uuid.UUID) -> HttpResponse:
    """Choose where a file goes, and move it there."""
    return _move(request, _Moving.one(managed(request, file_id)))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def move_folder(request: HttpRequest, folder_id: uuid.UUID) -> HttpResponse:
    """Choose where a folder goes, and move it there with all that is in it."""
    folder = visible_folder(request, folder_id)
    if not _manages(request, folder):
        return may_not(request, folder, _("You may not move it"))
    return _move(request, _Moving.one(folder))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def move_several(request: HttpRequest) -> HttpResponse:
    """Choose where several files and folders go, and move all of them there, or none."""
    data = request.POST if request.method == "POST" else request.GET
    picked = chosen(request, data)
    back = back_of(data, reverse("files:list"))
    if not picked.items:
        messages.error(request, _("Choose what to move first."))
        return redirect(back)
    rules: Any = {"files": managed_by, "folders": folders_managed_by}
    if page := refused_some(
        request, picked, _("Some of what you chose you may open, but not move:"), back=back, **rules
    ):
        return page
    moving_all = _Moving(picked.items, back, f"{picked.query}&{urlencode({'back': back})}")
    if request.method == "POST" and "to" not in data:
        # As the list sends it: the choice of the folder is a page that can be turned.
        return redirect(f"{request.path}?{moving_all.query}")
    return _move(request, moving_all)


@dataclass(frozen=True)
class _Moving:
    """What is to be moved, where one goes back to, and how the pages in between name it."""

    items: Sequence[Item]
    back: str
    query: str = ""

    @classmethod
    def one(cls, item: Item) -> _Moving:
        return cls([item], item.get_absolute_url())

    @property
    def container_id(self) -> uuid.UUID | None:
        """Where all of them are now, where that is one folder."""
        places = {item.container_id for item in self.items}
        return places.pop() if len(places) == 1 else None


def _manages(request: HttpRequest, folder: Folder) -> bool:
    access = access_of(Person(user_of(request)), folder)
    return access is not None and access.may_manage and not folder.is_root


def _rename(request: HttpRequest, item: Item) -> HttpResponse:
    user, back = user_of(request), item.get_absolute_url()
    form = NameForm(request.POST if request.method == "POST" else None, initial={"name": item.name})
    status = 400 if form.errors else 200
    if form.is_valid():
        try:
            making.rename(item, form.cleaned_data["name"], by=Person(user), actor=user)
        except NoSuchFolder as gone:
            return refused(request, gone, back=reverse("files:list"))
        except REFUSALS as error:
            form.add_error("name", str(error))
            status = status_of(error)
        else:
            messages.success(request, _("It is called “%(name)s” now.") % {"name": item.name})
            return redirect(back)
    context = {"item": item, "form": form, "back": back, "kind": item.kind}
    return render(request, "folders/rename.html", context, status=status)


def _move(request: HttpRequest, what: _Moving) -> HttpResponse:
    if request.method != "POST":
        return _move_page(request, what)
    user, to = user_of(request), request.POST.get("to", "")
    if not to:
        return _move_page(request, what, NothingChosen())
    target = _chosen(request, to)
    if target is None:
        return _move_page(request, what, NoSuchFolder())
    if _gives(what, target) and not is_recent(request):
        return ask(request, back_to=f"{request.path}?in={target.pk}&{what.query}")
    rename = request.POST.get("conflict") == "rename"
    former = what.container_id
    try:
        moved = several.move(what.items, target, by=Person(user), actor=user, rename=rename)
    except several.NotAll as error:
        return _move_page(request, what, error if what.query else error.why, target)
    undoable = former is not None and not any(one.changed_hands for one in moved)
    messages.success(
        request,
        _told(moved, target, rename=rename),
        extra_tags=undoing.offer_move(request, what.items, former) if undoable else "",
    )
    return redirect(what.back if what.query else target)


def _told(moved: Sequence[moving.Moved], target: Folder, *, rename: bool) -> str:
    """What was done, in words."""
    where = f"“{target.name}”" if target.name else _("your own files")
    told = ngettext(
        "It was moved to %(where)s.", "%(count)s things were moved to %(where)s.", len(moved)
    ) % {"where": where, "count": len(moved)}
    if rename and len(moved) == 1:
        told += " " + _("It is called “%(name)s” there.") % {"name": moved[0].name}
    if any(one.changed_hands for one in moved):
        owner = target.owner.get_username()
        told += " " + ngettext(
            "It belongs to %(owner)s now.", "They belong to %(owner)s now.", len(moved)
        ) % {"owner": owner}
    return told


def _gives(what: _Moving, target: Folder) -> bool:
    return any(moving.changes_hands(item, target) for item in what.items)


def _move_page(
    request: HttpRequest, what: _Moving, error: Exception | None = None, at: Folder | None = None
) -> HttpResponse:
    """The folders to choose from: those in one folder, or those of some name."""
    who = Person(user_of(request))
    at = at or _asked_for(request, what)
    query = query_of(request)
    why = error.why if isinstance(error, several.NotAll) else error
    context: dict[str, Any] = {
        "items": what.items,
        "kept": what.query,
        "problem": error and str(error),
        "taken": isinstance(why, NameTaken),
        "query": query,
        "at": at,
        "tops": places.tops(who),
        "back": what.back,
    }
    if query:
        words = paging.words_of(query)
        context["folders"], context["left_out"] = paging.folders_named(who.user, words, None)
    elif at is not None:
        cursor = request.GET.get("after", "")
        context["folders"], context["more"] = places.folders_in(who, at, cursor=cursor)
        context["way"] = places.way_to(who, at.pk)
        context["may_add"] = reaches(addable_by, who, at.pk)
        context["is_there"] = at.pk == what.container_id
        context["gives_to"] = at.owner if _gives(what, at) else None
    status = status_of(why) if why else 200
    return render(request, "folders/move.html", context, status=status)


def _asked_for(request: HttpRequest, what: _Moving) -> Folder | None:
    """The folder whose folders are shown: one that was asked for, or where they are now."""
    if "in" in request.GET:
        return _chosen(request, request.GET["in"])
    if what.container_id is None:
        return None
    # Nobody asked for this one: that it is not theirs to see is no refusal.
    seen = folders_visible_to(Person(user_of(request))).select_related("owner")
    return seen.filter(pk=what.container_id).first()


def _chosen(request: HttpRequest, text: str) -> Folder | None:
    """The folder that the text names, where the user may see it."""
    try:
        return visible_folder(request, uuid.UUID(text))
    except (ValueError, Http404):
        return None
