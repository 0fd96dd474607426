"""The pages of who has read a file, or what is in a folder, and who has not."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from files.access.principals import Person
from files.access.rule import folders_accounted_to
from files.models import Folder, Item
from files.sharing.read_by import table
from files.sharing.read_by.of_file import of_file as readers_of_file
from files.sharing.read_by.of_folder import files_of, person_in
from files.sharing.read_by.of_folder import of_folder as readers_of_folder
from files.web.requested import ROW_NUMBER, may_not, rereadable, user_of, visible_folder


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def of_file(request: HttpRequest, file_id: uuid.UUID) -> HttpResponseBase:
    """Who has read a file, and who has not; posted, as a table for a spreadsheet."""
    record = rereadable(request, file_id)
    if request.method == "POST":
        return _table(request, record)
    after = request.GET.get("after", "")
    length = settings.READERS_PER_PAGE
    shown = readers_of_file(record, asker=user_of(request), after=after, length=length)
    context = {"item": record, "readers": shown, "after": after}
    return render(request, "files/read_by.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def of_folder(request: HttpRequest, folder_id: uuid.UUID) -> HttpResponseBase:
    """Who has read how much of what is in a folder, or what one `person` (a number) has read.

    Posted, as a table for a spreadsheet.
    """
    folder = visible_folder(request, folder_id)
    if not folders_accounted_to(Person(user_of(request))).filter(pk=folder.pk).exists():
        return may_not(request, folder, _("You may not see who has read what is in it"))
    if request.method == "POST":
        return _table(request, folder)
    if number := request.GET.get("person"):
        return _of_person(request, folder, number)
    after = request.GET.get("after", "")
    length = settings.READERS_PER_PAGE
    shown = readers_of_folder(folder, asker=user_of(request), after=after, length=length)
    context = {"item": folder, "readers": shown, "after": after}
    return render(request, "folders/read_by.html", context)


def _of_person(request: HttpRequest, folder: Folder, number: str) -> HttpResponse:
    """Which files in a folder one person has read, and which not."""
    if not ROW_NUMBER.fullmatch(number):
        raise Http404
    person = person_in(folder, int(number), asker=user_of(request))
    if person is None:
        raise Http404
    after = request.GET.get("after", "")
    shown = files_of(folder, person, after=after, length=settings.READERS_PER_PAGE)
    context = {"folder": folder, "shown": shown, "after": after}
    return render(request, "folders/read_by_person.html", context)


def _table(request: HttpRequest, item: Item) -> StreamingHttpResponse:
    lines = table.export(item, asker=user_of(request))
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    # No name of a file goes into the name of a table that is kept who knows where.
    name = f"read-by-{item.pk}-{timezone.localdate().isoformat()}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
