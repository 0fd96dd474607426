"""The door of the API: a token, the scope that an operation takes, and who asks then.

A cookie is never looked at here. A token that is not taken is one 401, whatever the reason: which
it was is in the log alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.debug import sensitive_variables

from accounts.limits import LimitReached
from accounts.models import Token, User
from files.access.permissions import Permission
from files.access.principals import Program, Scope
from files.web.api import problems
from files.web.api.problems import Problem
from files.web.transfers import bodies

P = ParamSpec("P")


class Needs:
    """Lets through who presents a token with that scope; without one, any token."""

    openapi_security_schema = {"type": "http", "scheme": "bearer"}

    def __init__(self, scope: Scope | None) -> None:
        self.scope = scope

    def __call__(self, request: HttpRequest) -> Program:
        return enter(request, self.scope)


def enter(request: HttpRequest, scope: Scope | None = None) -> Program:
    """Who asks. Raises Problem, LimitReached, and Refused for a condition that nobody would ask."""
    bodies.check_conditions(request)
    token = token_of(request)
    if scope is not None and scope not in token.scope_set:
        raise Problem(
            "scope_missing",
            f"This token lacks the scope “{scope}”: make one that has it.",
            scope=str(scope),
            headers={
                "WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"',
            },
        )
    return Program.of(token)


def token_of(request: HttpRequest) -> Token:
    """The token that the request came with. Raises Problem and LimitReached."""
    refused = getattr(request, "token_refused", None)
    if isinstance(refused, LimitReached):
        raise refused
    if refused is not None:
        raise Problem(
            "token_invalid",
            str(refused),
            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )
    token: Token | None = getattr(request, "token", None)
    if token is None:
        raise Problem(
            "token_missing",
            "Send a token as Authorization: Bearer. One is made under Account, Tokens for "
            "programs.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return token


def program_of(request: HttpRequest) -> Program:
    """Who was let in."""
    return Program.of(token_of(request))


def user_of(request: HttpRequest) -> User:
    """The person whose token it is."""
    return cast("User", request.user)


def require(request: HttpRequest, *permissions: Permission | str) -> None:
    """Raise Problem where the person's account may not use the function at all."""
    user = user_of(request)
    if not all(user.has_perm(permission) for permission in permissions):
        raise Problem("no_permission", "Your account may not do that: ask an administrator.")


def require_unbound(request: HttpRequest) -> None:
    """Raise Problem for a token of one folder: what is asked for is of all of them."""
    if token_of(request).folder_id is not None:
        raise Problem("may_not", "This token is for one folder, and that is not of one folder.")


def answering(
    view: Callable[Concatenate[HttpRequest, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Turn what is refused into problems, in a view of bytes."""

    @wraps(view)
    @sensitive_variables()
    def answered(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except Exception as error:
            problem = problems.of(error)
            if problem is None:
                raise
            return problem.response()

    return answered


def on_error(request: HttpRequest, error: Any) -> HttpResponse:
    """The same of an operation with a schema."""
    problem = problems.of(error)
    if problem is None:
        raise error
    return problem.response()
