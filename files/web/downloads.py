"""Downloads: one file, whole or in part, and several as one ZIP. The bytes are `transfers`'."""

from __future__ import annotations

import uuid
from functools import partial

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponseBase,
)
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import User
from files.access.permissions import Permission
from files.access.principals import Person
from files.errors import AccessEnded, FileDamaged, KeyNeeded, WrongFileKey
from files.lists.trees import AT_MOST, tree_of, tree_of_chosen
from files.models import FileRecord
from files.records.names import shortened
from files.sharing import denials
from files.web.chosen import back_of, chosen
from files.web.key_pages import DOWNLOAD, locked
from files.web.requested import (
    denied,
    ids_of,
    is_still_open_to,
    may_not,
    may_not_download,
    user_of,
    visible,
    visible_folder,
)
from files.web.transfers import archive, downloads, unlocking


@require_safe
@login_required
@sensitive_variables()
def download(request: HttpRequest, file_id: uuid.UUID) -> HttpResponseBase:
    """The file's bytes: GET and HEAD, whole or a range."""
    return send(request, visible(request, file_id), then=DOWNLOAD)


@sensitive_variables()
def send(request: HttpRequest, record: FileRecord, *, then: str = "") -> HttpResponseBase:
    """The bytes of a file, or of what it was, that the user has got so far as to ask for.

    `then` goes on the page that asks for a key.
    """
    user = user_of(request)
    if not user.has_perm(Permission.DOWNLOAD):
        return may_not_download(request, record)
    if downloads.is_part_of_a_page(request, record):
        raise PermissionDenied
    key = unlocking.key_of(request, record)
    try:
        return downloads.answer(request, record, partial(_still_allowed, user.pk, record), key)
    except (KeyNeeded, WrongFileKey):
        # A cookie that opens nothing has been overtaken by another key.
        return locked(request, record, then=then)
    except AccessEnded:
        raise Http404 from None
    except FileDamaged:
        return render(request, "files/damaged.html", {"record": record}, status=502)


@require_POST
@login_required
def download_several(request: HttpRequest) -> HttpResponseBase:
    """What the form's `file` and `folder` name, as one ZIP; 404 if one is not visible.

    What cannot be in it is named first; with `anyway` the ZIP comes without it.
    """
    user = user_of(request)
    if not user.has_perm(Permission.DOWNLOAD):
        denied(request, ids_of(request.POST.getlist("file")), denials.NO_PERMISSION)
        raise PermissionDenied
    picked = chosen(request, request.POST)
    back = back_of(request.POST, reverse("files:list"))
    if not picked.items:
        messages.error(request, gettext("Choose at least one file."))
        return redirect(back)
    tree = tree_of_chosen(Person(user), picked.folders, picked.files)
    context = {"tree": tree, "chosen": picked, "back": back, "at_most": AT_MOST}
    if not tree.is_whole:
        return render(request, "files/zip_chosen.html", context, status=400)
    if tree.left_out and not request.POST.get("anyway"):
        # What unlocks a locked file is sent to its own pages alone.
        status = 502 if any(one.is_damaged for _, one, _ in tree.left_out) else 403
        return render(request, "files/zip_chosen.html", context, status=status)
    try:
        return archive.answer(
            archive.members_of_tree(tree), partial(_still_allowed, user.pk), user=user
        )
    except AccessEnded:
        raise Http404 from None
    except FileDamaged:
        # Found just now: the next attempt leaves it out.
        context |= {"changed": True}
        return render(request, "files/zip_chosen.html", context, status=502)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def download_folder(request: HttpRequest, folder_id: uuid.UUID) -> HttpResponseBase:
    """What a ZIP of the folder would have, and would not; POST: the ZIP, with its structure."""
    folder = visible_folder(request, folder_id)
    user = user_of(request)
    if not user.has_perm(Permission.DOWNLOAD):
        return may_not(request, folder, _("You may not download files"))
    tree = tree_of(Person(user), folder)
    context = {"folder": folder, "tree": tree, "at_most": AT_MOST}
    if not tree.is_whole:
        return render(request, "folders/zip.html", context, status=400)
    if request.method != "POST":
        return render(request, "folders/zip.html", context)
    members, allowed = archive.members_of_tree(tree), partial(_still_allowed, user.pk)
    try:
        name = shortened(folder.name or "files", ".zip")
        return archive.answer(members, allowed, user=user, name=name)
    except AccessEnded:
        raise Http404 from None
    except FileDamaged:
        # Found just now: the next attempt leaves it out.
        return render(request, "folders/zip.html", {**context, "changed": True}, status=502)


def _still_allowed(user_id: int, record: FileRecord) -> bool:
    # A fresh copy of the user: it may have been deactivated since.
    fresh = User.objects.filter(pk=user_id).first()
    if fresh is None or not fresh.has_perm(Permission.DOWNLOAD):
        return False
    return is_still_open_to(Person(fresh), record)
