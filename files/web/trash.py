"""Into the trash, and out of it again: files and folders alike."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from accounts.reauthentication import recently_authenticated
from files.access.principals import Person
from files.access.rule import (
    folders_removable_by,
    folders_visible_to,
    removable_by,
    trashed_files_of,
    trashed_folders_of,
)
from files.access.statements import reaches
from files.errors import NoSuchFolder, TooDeep
from files.folders import purging, several, trash
from files.models import Item
from files.web import undoing
from files.web.chosen import back_of, chosen, chosen_in_trash, refused_some
from files.web.forms import ForGoodForm
from files.web.refusals import refused
from files.web.requested import (
    may_not,
    removable,
    trashed,
    trashed_folder,
    user_of,
    visible_folder,
)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def delete_file(request: HttpRequest, file_id: uuid.UUID) -> HttpResponseBase:
    """Ask, then put a file into the trash; what its owner has there already, delete for good."""
    user = user_of(request)
    in_trash = trashed_files_of(Person(user)).filter(owner=user, pk=file_id)
    if record := in_trash.select_related("owner", "current").first():
        return _for_good(request, record)
    return _put_away(request, removable(request, file_id))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def delete_folder(request: HttpRequest, folder_id: uuid.UUID) -> HttpResponseBase:
    """The same for a folder, with all that is in it."""
    user = user_of(request)
    in_trash = trashed_folders_of(Person(user)).filter(owner=user, pk=folder_id)
    if gone := in_trash.select_related("owner").first():
        return _for_good(request, gone)
    folder = visible_folder(request, folder_id)
    own = folders_removable_by(Person(user)).filter(pk=folder.pk)
    if folder.is_root or not own.exists():
        return may_not(request, folder, _("You may not delete it"))
    return _put_away(request, folder)


@require_POST
@login_required
def delete_several(request: HttpRequest) -> HttpResponse:
    """Put several files and folders into the trash, all or none; the next page can undo it."""
    picked = chosen(request, request.POST)
    back = back_of(request.POST, reverse("files:list"))
    if not picked.items:
        messages.error(request, _("Choose what to delete first."))
        return redirect(back)
    rules: Any = {"files": removable_by, "folders": folders_removable_by}
    if page := refused_some(
        request,
        picked,
        _("Some of what you chose you may open, but not delete:"),
        back=back,
        **rules,
    ):
        return page
    user = user_of(request)
    try:
        done = several.put_away(picked.items, by=Person(user), actor=user)
    except several.NotAll as error:
        return refused(request, error, back=back)
    told = ngettext(
        "One thing is in the <a href='{trash}'>trash</a>.",
        "{count} things are in the <a href='{trash}'>trash</a>.",
        len(done),
    )
    text = format_html(told, trash=reverse("trash"), count=len(done))
    messages.success(request, text, extra_tags=undoing.offer_put_away(request, done))
    return redirect(back)


@require_POST
@login_required
def restore_several(request: HttpRequest) -> HttpResponse:
    """Bring several files and folders back out of the trash, all or none."""
    picked = chosen_in_trash(request, request.POST)
    if not picked.items:
        messages.error(request, _("Choose what to bring back first."))
        return redirect("trash")
    user = user_of(request)
    try:
        done = several.restore(picked.items, by=Person(user), actor=user)
    except several.NotAll as error:
        return refused(request, error, back=reverse("trash"))
    elsewhere = sum(one.moved for one in done)
    told = ngettext("One thing is back.", "%(count)s things are back.", len(done))
    told %= {"count": len(done)}
    if elsewhere:
        told += " " + ngettext(
            "One went to the files of its owner: the folder that it was in is gone.",
            "%(count)s went to the files of their owners: the folders that they were in are gone.",
            elsewhere,
        ) % {"count": elsewhere}
    messages.success(request, told)
    return redirect(back_of(request.POST, reverse("trash")))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def restore_file(request: HttpRequest, file_id: uuid.UUID) -> HttpResponse:
    """Bring a file back out of the trash."""
    return _restore(request, trashed(request, file_id))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def restore_folder(request: HttpRequest, folder_id: uuid.UUID) -> HttpResponse:
    """Bring a folder back out of the trash, with all that went into it with the folder."""
    return _restore(request, trashed_folder(request, folder_id))


def _put_away(request: HttpRequest, item: Item) -> HttpResponse:
    user = user_of(request)
    if request.method != "POST":
        context = {"item": item, "kind": item.kind, "back": item.get_absolute_url()}
        return render(request, "folders/delete.html", context)
    parent = item.container
    try:
        trash.put_away(item, by=Person(user), actor=user)
    except NoSuchFolder as gone:
        return refused(request, gone, back=reverse("files:list"))
    text = _("“{}” is in the <a href='{}'>trash</a>, and can be brought back from there.")
    undoable = undoing.offer_put_away(request, [item])
    messages.success(request, format_html(text, item.name, reverse("trash")), extra_tags=undoable)
    if parent is not None and reaches(folders_visible_to, Person(user), parent.pk):
        return redirect(parent)
    return redirect("files:list")


def _restore(request: HttpRequest, item: Item) -> HttpResponse:
    user, name = user_of(request), item.name
    if request.method != "POST":
        return render(request, "folders/restore.html", {"item": item, "kind": item.kind})
    try:
        done = trash.restore(item, by=Person(user), actor=user)
    except (NoSuchFolder, TooDeep) as error:
        return refused(request, error, back=reverse("trash"))
    where = f"“{done.folder.name}”" if done.folder.name else _("the files of its owner")
    text = _("“%(name)s” is back in %(where)s.")
    if done.moved:
        text = _("“%(name)s” is now in %(where)s: the folder that it was in is not there any more.")
    text %= {"name": name, "where": where}
    if done.name != name:
        now = _("It is called “%(name)s” now: something else has its name.")
        text += " " + now % {"name": done.name}
    messages.success(request, text)
    return redirect(item)


@recently_authenticated
def _for_good(request: HttpRequest, item: Item) -> HttpResponse:
    user = user_of(request)
    form = ForGoodForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        context = {"item": item, "form": form, "kind": item.kind}
        status = 400 if form.errors else 200
        return render(request, "folders/delete_for_good.html", context, status=status)
    try:
        purging.delete_for_good(item, by=Person(user), actor=user)
    except purging.NotInTheTrash as error:
        return refused(request, error, back=reverse("trash"))
    messages.success(request, _("“%(name)s” was deleted for good.") % {"name": item.name})
    return redirect("trash")
