"""A file's bytes by its path, `PUT`, `GET` and `HEAD`; and by its id, `GET` and `HEAD`.

Who asks for what, and where a path leads; the rest is done by `sending` and `storing`.
"""

from __future__ import annotations

import uuid
from typing import cast

from django.http import (
    Http404,
    HttpRequest,
    HttpResponseBase,
    HttpResponseNotAllowed,
)
from django.views.decorators.csrf import csrf_exempt

from files.access.principals import Scope
from files.errors import NoSuchVersion
from files.models import Folder
from files.tree import placing
from files.vault import versions
from files.web.api import paths
from files.web.api.content.sending import send
from files.web.api.content.storing import put
from files.web.api.entrance import answering, enter, user_of
from files.web.api.problems import Problem
from files.web.requested import (
    rereadable,
    visible,
    visible_folder,
)


@csrf_exempt
@answering
def by_path(request: HttpRequest, path: str) -> HttpResponseBase:
    """`/content/<path>`: from the root of one's own files."""
    scope = _scope_of(request)
    if scope is None:
        return _not_allowed()
    enter(request, scope)
    names = paths.segments_of(request, path)
    root = placing.root_of(user_of(request))
    root.owner = user_of(request)
    return _content(request, root, names)


@csrf_exempt
@answering
def by_folder_and_path(request: HttpRequest, folder_id: uuid.UUID, path: str) -> HttpResponseBase:
    """`/folders/<uuid>/content/<path>`: from a folder that one may reach."""
    scope = _scope_of(request)
    if scope is None:
        return _not_allowed()
    enter(request, scope)
    names = paths.segments_of(request, path)
    return _content(request, visible_folder(request, folder_id), names)


@csrf_exempt
@answering
def by_id(request: HttpRequest, file_id: uuid.UUID) -> HttpResponseBase:
    """`/files/<uuid>/content`: the bytes of a file."""
    if request.method not in {"GET", "HEAD"}:
        return HttpResponseNotAllowed(["GET", "HEAD"])
    enter(request, Scope.READ)
    return send(request, visible(request, file_id))


@csrf_exempt
@answering
def by_version(request: HttpRequest, file_id: uuid.UUID, version: uuid.UUID) -> HttpResponseBase:
    """`/files/<uuid>/versions/<uuid>/content`: the bytes of a former version."""
    if request.method not in {"GET", "HEAD"}:
        return HttpResponseNotAllowed(["GET", "HEAD"])
    enter(request, Scope.READ)
    try:
        record = versions.find(rereadable(request, file_id), version)
    except NoSuchVersion:
        raise Http404 from None
    return send(request, record)


def _scope_of(request: HttpRequest) -> Scope | None:
    scopes = {"GET": Scope.READ, "HEAD": Scope.READ, "PUT": Scope.ADD}
    return scopes.get(request.method or "")


def _not_allowed() -> HttpResponseBase:
    return HttpResponseNotAllowed(["GET", "HEAD", "PUT"])


def _content(request: HttpRequest, base: Folder, names: list[str]) -> HttpResponseBase:
    if request.method == "PUT":
        return put(request, base, names)
    reached = paths.follow(request, base, names)
    entry = reached.entry if len(reached.missing) == 1 else None
    if entry is None:
        raise Http404
    if entry.folder is not None:
        raise Problem("is_a_folder", "There is a folder of that name, and no file.")
    return send(request, visible(request, cast("uuid.UUID", entry.file_id)))
