"""The views under /uploads/: who may, and which method; the rest is `transfers.tus`."""

from __future__ import annotations

import uuid

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.utils.translation import gettext
from django.views.decorators.debug import sensitive_variables

from accounts.limits import LimitReached
from accounts.models import Token
from files.access.permissions import Permission
from files.access.principals import Scope
from files.web.transfers.tus import operations, protocol


def _refuse_others(request: HttpRequest) -> None:
    """Clients of this protocol are programs: they get a status, not a sign-in page."""
    refused = getattr(request, "token_refused", None)
    if isinstance(refused, LimitReached):
        raise protocol.Refusal(429, str(refused), Retry_After=str(refused.wait))
    if refused is not None:
        raise protocol.Refusal(401, str(refused), WWW_Authenticate='Bearer error="invalid_token"')
    if not request.user.is_authenticated:
        raise protocol.Refusal(401, gettext("Sign in first."), WWW_Authenticate="Session")
    token: Token | None = getattr(request, "token", None)
    if token is not None and Scope.ADD not in token.scope_set:
        raise protocol.Refusal(
            403,
            gettext("This token may not upload: it lacks the scope “add”."),
            WWW_Authenticate='Bearer error="insufficient_scope", scope="add"',
        )
    if not request.user.has_perm(Permission.UPLOAD):
        raise protocol.Refusal(403, gettext("Your account may not upload files."))


@protocol.answering
@sensitive_variables()
def collection(request: HttpRequest) -> HttpResponse:
    """`/uploads/`: what the server can do, and new uploads."""
    method = protocol.method_of(request)
    if method == "OPTIONS":
        return protocol.options()
    _refuse_others(request)
    if method == "POST":
        return operations.create(request)
    return HttpResponseNotAllowed(["OPTIONS", "POST"])


@protocol.answering
@sensitive_variables()
def member(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    """`/uploads/<uuid>`: one upload."""
    method = protocol.method_of(request)
    if method == "OPTIONS":
        return protocol.options()
    _refuse_others(request)
    methods = {"HEAD": operations.head, "PATCH": operations.patch, "DELETE": operations.delete}
    handle = methods.get(method)
    if handle is None:
        return HttpResponseNotAllowed(["OPTIONS", *methods])
    return handle(request, upload_id)
