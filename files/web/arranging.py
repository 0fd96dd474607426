"""Renaming and moving: files and folders alike."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts.reauthentication import ask, is_recent
from files.access import Person, access_of, addable_by
from files.errors import NameTaken, NoSuchFolder
from files.folders import making, moving
from files.lists import paging, places
from files.models import Folder, Item
from files.web.forms import NameForm
from files.web.lists import query_of
from files.web.refusals import REFUSALS, refused, status_of
from files.web.requested import managed, may_not, user_of, visible_folder


class NothingChosen(Exception):
    """The form names no folder to move to."""

    def __init__(self) -> None:
        super().__init__("Choose a folder to move it to.")


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
        return may_not(request, folder, "rename it")
    return _rename(request, folder)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def move_file(request: HttpRequest, file_id: uuid.UUID) -> HttpResponse:
    """Choose where a file goes, and move it there."""
    return _move(request, managed(request, file_id))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def move_folder(request: HttpRequest, folder_id: uuid.UUID) -> HttpResponse:
    """Choose where a folder goes, and move it there with all that is in it."""
    folder = visible_folder(request, folder_id)
    if not _manages(request, folder):
        return may_not(request, folder, "move it")
    return _move(request, folder)


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
            messages.success(request, f"It is called “{item.name}” now.")
            return redirect(back)
    context = {"item": item, "form": form, "back": back, "kind": item.kind}
    return render(request, "folders/rename.html", context, status=status)


def _move(request: HttpRequest, item: Item) -> HttpResponse:
    if request.method != "POST":
        return _move_page(request, item)
    user, to = user_of(request), request.POST.get("to", "")
    if not to:
        return _move_page(request, item, NothingChosen())
    target = _chosen(request, to)
    if target is None:
        return _move_page(request, item, NoSuchFolder())
    if moving.changes_hands(item, target) and not is_recent(request):
        return ask(request, back_to=f"{request.path}?in={target.pk}")
    rename = request.POST.get("conflict") == "rename"
    try:
        moved = moving.move(item, target, by=Person(user), actor=user, rename=rename)
    except REFUSALS as error:
        return _move_page(request, item, error, target)
    where = f"“{target.name}”" if target.name else "your own files"
    now = f" It is called “{moved.name}” there." if rename else ""
    hands = f" It belongs to {target.owner.get_username()} now." if moved.changed_hands else ""
    messages.success(request, f"It was moved to {where}.{now}{hands}")
    return redirect(target)


def _move_page(
    request: HttpRequest, item: Item, error: Exception | None = None, at: Folder | None = None
) -> HttpResponse:
    """The folders to choose from: those in one folder, or those of some name."""
    who = Person(user_of(request))
    parent_id = item.container_id
    at = at or _chosen(request, request.GET.get("in", str(parent_id)))
    query = query_of(request)
    context: dict[str, Any] = {
        "item": item,
        "kind": item.kind,
        "problem": error and str(error),
        "taken": isinstance(error, NameTaken),
        "query": query,
        "at": at,
        "tops": places.tops(who),
        "back": item.get_absolute_url(),
    }
    if query:
        words = paging.words_of(query)
        context["folders"], context["left_out"] = paging.folders_named(who.user, words, None)
    elif at is not None:
        cursor = request.GET.get("after", "")
        context["folders"], context["more"] = places.folders_in(who, at, cursor=cursor)
        context["way"] = places.way_to(who, at.pk)
        context["may_add"] = addable_by(who).filter(pk=at.pk).exists()
        context["is_there"] = at.pk == parent_id
        context["gives_to"] = at.owner if moving.changes_hands(item, at) else None
    status = status_of(error) if error else 200
    return render(request, "folders/move.html", context, status=status)


def _chosen(request: HttpRequest, text: str) -> Folder | None:
    """The folder that the text names, where the user may see it."""
    try:
        return visible_folder(request, uuid.UUID(text))
    except (ValueError, Http404):
        return None
