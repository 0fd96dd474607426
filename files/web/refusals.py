"""What the use cases refuse, as an answer: its status, and its words on a page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from files.errors import (
    IntoItself,
    MayNotAdd,
    MayNotMove,
    NameTaken,
    NoSuchFolder,
    QuotaExceeded,
    TooDeep,
    VaultError,
)
from files.folders.purging import NotInTheTrash
from files.records.names import BadName

Refusal = BadName | VaultError
_STATUS: dict[type[Exception], int] = {
    BadName: 400,
    IntoItself: 400,
    TooDeep: 400,
    MayNotAdd: 403,
    MayNotMove: 403,
    NoSuchFolder: 404,
    NotInTheTrash: 409,
    NameTaken: 409,
    QuotaExceeded: 409,
}
REFUSALS = tuple(_STATUS)
"""What may be refused of a change of the tree."""


def status_of(error: Exception) -> int:
    """The status of the answer that tells of it."""
    return next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 400)


def refused(request: HttpRequest, error: Exception, *, back: str) -> HttpResponse:
    """A page of its own for what was refused, with a way back."""
    context = {"problem": str(error), "back": back}
    return render(request, "folders/refused.html", context, status=status_of(error))
