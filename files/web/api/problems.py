"""Refusals as RFC 9457 has them: a problem with a status, a title, words, and a stable code.

A program decides by `code` and never by the words, which are for people and in their language.
Codes are never renamed; `CODES` is the list that docs/api.md shows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.http import Http404, HttpResponse

from accounts.limits import LimitReached
from files import errors
from files.errors import VaultError
from files.folders.purging import NotInTheTrash
from files.records.names import BadName
from files.sharing import asking
from files.web.transfers import bodies

CONTENT_TYPE: Final = "application/problem+json"

CODES: Final[Mapping[str, tuple[int, str]]] = MappingProxyType(
    {
        "not_understood": (400, "The request is none that is taken here"),
        "invalid": (400, "Some of what was sent makes no sense"),
        "name_not_usable": (400, "That name cannot be used as it is"),
        "path_not_usable": (400, "That path cannot be used"),
        "into_itself": (400, "A folder cannot be moved into itself"),
        "too_deep": (400, "Folders would stand too deep"),
        "body_incomplete": (400, "The body ended before it was complete"),
        "digest_mismatch": (400, "The body is not what its digest says"),
        "not_a_key": (400, "That is no key"),
        "token_missing": (401, "A token is needed"),
        "token_invalid": (401, "The token is not valid here"),
        "scope_missing": (403, "The token may not do that"),
        "no_permission": (403, "The account may not do that"),
        "second_factor_missing": (403, "The account needs a second factor, set up in the browser"),
        "may_not": (403, "That is not yours to do here"),
        "may_not_add": (403, "Nothing may be added there"),
        "may_not_move": (403, "It may not be moved there"),
        "person_needed": (403, "A person has to confirm that, in the browser"),
        "key_needed": (403, "The file has a key of its own"),
        "wrong_key": (403, "The key does not open the file"),
        "forbidden": (403, "That is not allowed"),
        "not_found": (404, "Nothing is there"),
        "method_not_allowed": (405, "The method is not offered here"),
        "too_slow": (408, "The body came too slowly"),
        "name_taken": (409, "The name is taken"),
        "is_a_folder": (409, "There is a folder"),
        "not_a_folder": (409, "A file is in the way"),
        "folder_missing": (409, "A folder of the path is missing"),
        "gone": (409, "It is no longer there"),
        "not_in_the_trash": (409, "It is not in the trash"),
        "upload_lost": (409, "The upload was given up"),
        "length_required": (411, "The length of the body is missing"),
        "precondition_failed": (412, "The condition does not hold"),
        "too_large": (413, "It is too large"),
        "quota_exceeded": (413, "The storage is used up"),
        "unsupported_media_type": (415, "The body is of a kind that is not taken"),
        "range_not_satisfiable": (416, "No such bytes"),
        "expectation_failed": (417, "The expectation cannot be met"),
        "idempotency_key_reused": (422, "The Idempotency-Key was used for another request"),
        "too_many_attempts": (429, "Too many attempts"),
        "too_many_uploads": (429, "Too many unfinished uploads"),
        "too_many_transfers": (429, "Too many transfers at once"),
        "server_error": (500, "A fault of the server's"),
        "not_implemented": (501, "That is not implemented"),
        "damaged": (502, "The file is damaged"),
        "unavailable": (503, "Not available at the moment"),
    }
)
"""Every code, its status and its title."""

_OF_STATUS: Final[Mapping[int, str]] = MappingProxyType(
    {
        400: "not_understood",
        401: "token_missing",
        403: "forbidden",
        404: "not_found",
        405: "method_not_allowed",
        408: "too_slow",
        411: "length_required",
        412: "precondition_failed",
        413: "too_large",
        415: "unsupported_media_type",
        416: "range_not_satisfiable",
        417: "expectation_failed",
        429: "too_many_attempts",
        500: "server_error",
        501: "not_implemented",
        502: "damaged",
        503: "unavailable",
    }
)
"""The code for what was refused before any operation of the API."""


class Problem(Exception):
    """The request is refused with that code; `members` say more, to programs."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        self.code = code
        self.status, self.title = CODES[code]
        self.detail = detail or f"{self.title}."
        self.headers = dict(headers or {})
        self.members = members
        super().__init__(self.detail)

    def response(self) -> HttpResponse:
        """As an answer."""
        body = {
            "type": f"urn:securestore:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            **self.members,
        }
        response = HttpResponse(
            json.dumps(body, default=str), status=self.status, content_type=CONTENT_TYPE
        )
        for name, value in self.headers.items():
            response[name] = value
        return response


def of_status(status: int, detail: str = "") -> Problem:
    """What was refused elsewhere, with that status."""
    problem = Problem(
        _OF_STATUS.get(status, "server_error" if status >= 500 else "invalid"), detail
    )
    problem.status = status
    return problem


def _named(code: str) -> Callable[[Any], Problem]:
    return lambda error: Problem(code, str(error), name=error.name)


_REFUSALS: Final[list[tuple[type[Exception], str | Callable[[Any], Problem]]]] = [
    (asking.Answered, "gone"),
    (asking.TooManyRequests, "too_many_attempts"),
    (errors.NotAFolder, _named("not_a_folder")),
    (errors.NameTaken, _named("name_taken")),
    (errors.ItemGone, "gone"),
    (errors.NoSuchFolder, "gone"),
    (errors.NoSuchVersion, "not_found"),
    (errors.MayNotAdd, "may_not_add"),
    (errors.MayNotMove, "may_not_move"),
    (errors.IntoItself, "into_itself"),
    (errors.TooDeep, "too_deep"),
    (NotInTheTrash, "not_in_the_trash"),
    (
        errors.QuotaExceeded,
        lambda error: Problem("quota_exceeded", str(error), left=error.limit, trash=error.trash),
    ),
    (errors.FileTooLarge, lambda error: Problem("too_large", str(error), limit=error.limit)),
    (errors.TooManyUploads, lambda error: Problem("too_many_uploads", str(error))),
    (errors.UploadLost, "upload_lost"),
    (errors.KeyNeeded, "key_needed"),
    (errors.WrongFileKey, "wrong_key"),
    (errors.NotAKey, "not_a_key"),
    (errors.FileDamaged, "damaged"),
    (errors.AccessEnded, "not_found"),
    (BadName, "name_not_usable"),
    (Http404, lambda error: Problem("not_found")),
    (PermissionDenied, "forbidden"),
    (bodies.Refused, lambda error: of_status(error.status, str(error))),
    (BadRequest, "not_understood"),
    (ValidationError, lambda error: Problem("invalid", " ".join(error.messages))),
    (
        LimitReached,
        lambda error: Problem(
            "too_many_attempts", str(error), headers={"Retry-After": str(error.wait)}
        ),
    ),
]


def of(error: Exception) -> Problem | None:
    """What a use case refused, as a problem; None where it is none, but a failure."""
    if isinstance(error, Problem):
        return error
    for kind, how in _REFUSALS:
        if isinstance(error, kind):
            return Problem(how, str(error)) if isinstance(how, str) else how(error)
    if isinstance(error, VaultError) and not isinstance(error, errors.KeysMissing | errors.TooBusy):
        return Problem("not_understood", str(error))
    return None
