"""The page of a folder, and making one."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from files.access.explaining import access_of
from files.access.principals import Person
from files.errors import MayNotAdd, NoSuchFolder
from files.folders import making
from files.lists import places
from files.lists.filters import Filter
from files.models import Folder
from files.sharing import denials
from files.tree import placing
from files.web.filtering import OF_A_FOLDER
from files.web.forms import NameForm
from files.web.lists import contents_of, query_of, search_page
from files.web.refusals import REFUSALS, refused, status_of
from files.web.requested import denied_folder, may_not, user_of, visible_folder
from files.web.transfers.destinations import BadDestination, way_of


@require_safe
@login_required
def detail(request: HttpRequest, folder_id: uuid.UUID) -> HttpResponse:
    """What is in a folder; the search in it and below."""
    folder = visible_folder(request, folder_id)
    if folder.is_root:
        return redirect("files:list")
    if query := query_of(request):
        return search_page(request, query, within=folder)
    user = user_of(request)
    access = access_of(Person(user), folder)
    if access is None:  # Revoked between the two queries.
        raise Http404
    context = {
        "folder": folder,
        "access": access,
        "way": places.way_to(Person(user), folder.parent_id),
        **contents_of(request, folder, Filter.of(request.GET), OF_A_FOLDER),
    }
    return render(request, "folders/detail.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def new_in_root(request: HttpRequest) -> HttpResponse:
    """Make a folder among one's own files."""
    return _new(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def new(request: HttpRequest, folder_id: uuid.UUID) -> HttpResponse:
    """Make a folder in another one."""
    folder = visible_folder(request, folder_id)
    access = access_of(Person(user_of(request)), folder)
    if access is None or not access.may_add:
        return may_not(request, folder, _("You may not make folders in it"))
    return _new(request, folder)


@login_required
@require_POST
def make_path_in_root(request: HttpRequest) -> HttpResponse:
    """Make the folders of a path among one's own files."""
    return _make_path(request, placing.root_of(user_of(request)))


@require_POST
@login_required
def make_path(request: HttpRequest, folder_id: uuid.UUID) -> HttpResponse:
    """Make the folders of a path below another one."""
    folder = visible_folder(request, folder_id)
    access = access_of(Person(user_of(request)), folder)
    if access is None or not access.may_add:
        denied_folder(request, folder.pk, denials.NO_PERMISSION)
        return _in_words(MayNotAdd())
    return _make_path(request, folder)


def _make_path(request: HttpRequest, below: Folder) -> HttpResponse:
    """204 with its address in `Location`; what is refused in plain words: a script asks."""
    user = user_of(request)
    try:
        way = way_of(request.POST.get("path", ""))
        if not way:
            raise BadDestination("The field `path` is empty: send the names of folders in it.")
        made = making.make_path(below, way, by=Person(user), actor=user)
    except BadDestination as error:
        return _in_words(error)
    except REFUSALS as error:
        return _in_words(error)
    return HttpResponse(status=204, headers={"Location": made.get_absolute_url()})


def _in_words(error: Exception) -> HttpResponse:
    kind = "text/plain; charset=utf-8"
    return HttpResponse(f"{error}\n", status=status_of(error), content_type=kind)


def _new(request: HttpRequest, parent: Folder | None) -> HttpResponse:
    user = user_of(request)
    form = NameForm(request.POST if request.method == "POST" else None)
    back = parent.get_absolute_url() if parent is not None else reverse("files:list")
    status = 200
    if form.is_valid():
        try:
            made = making.create_folder(
                parent or placing.root_of(user),
                form.cleaned_data["name"],
                by=Person(user),
                actor=user,
            )
        except NoSuchFolder as gone:
            return refused(request, gone, back=reverse("files:list"))
        except REFUSALS as error:
            form.add_error("name", str(error))
            status = status_of(error)
        else:
            messages.success(
                request, gettext("The folder “%(name)s” was made.") % {"name": made.name}
            )
            return redirect(back)
    context = {"form": form, "parent": parent, "back": back}
    status = 400 if form.errors and status == 200 else status
    return render(request, "folders/new.html", context, status=status)
