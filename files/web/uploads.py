"""The views under /uploads/: who may, and which method; the rest is `transfers.tus`."""

from __future__ import annotations

import uuid

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.views.decorators.debug import sensitive_variables

from files.access import Permission
from files.web.transfers import tus


def _refuse_others(request: HttpRequest) -> None:
    """Clients of this protocol are programs: they get a status, not a sign-in page."""
    if not request.user.is_authenticated:
        raise tus.Refusal(401, "Sign in first.", WWW_Authenticate="Session")
    if not request.user.has_perm(Permission.UPLOAD):
        raise tus.Refusal(403, "Your account may not upload files.")


@tus.answering
@sensitive_variables()
def collection(request: HttpRequest) -> HttpResponse:
    """`/uploads/`: what the server can do, and new uploads."""
    method = tus.method_of(request)
    if method == "OPTIONS":
        return tus.options()
    _refuse_others(request)
    if method == "POST":
        return tus.create(request)
    return HttpResponseNotAllowed(["OPTIONS", "POST"])


@tus.answering
@sensitive_variables()
def member(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    """`/uploads/<uuid>`: one upload."""
    method = tus.method_of(request)
    if method == "OPTIONS":
        return tus.options()
    _refuse_others(request)
    methods = {"HEAD": tus.head, "PATCH": tus.patch, "DELETE": tus.delete}
    handle = methods.get(method)
    if handle is None:
        return HttpResponseNotAllowed(["OPTIONS", *methods])
    return handle(request, upload_id)
