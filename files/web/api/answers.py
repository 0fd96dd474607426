"""Which answers an operation may give, for the schema; and a change that is asked for twice.

With `Idempotency-Key`, what was done once is not done again: the answer of the first request is
given once more, for a day. Never with a secret: of an answer that had one, status and id are kept.

Which request it was is known by a digest of all of it, its body too. The digest tells nobody what
was in a file: it is made with the site's secret, and with the key as the program wrote it, which is
kept nowhere.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any, Final, TypeVar
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.crypto import salted_hmac
from ninja import Schema
from ninja.responses import Status

from files.errors import VaultError
from files.models import KeptAnswer
from files.models.answers import KEPT
from files.web.api.entrance import token_of
from files.web.api.problems import Problem
from files.web.api.shapes import common
from runtime import clock

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotent-Replay"
ALWAYS: Final = (400, 401, 403, 429, 503)
_KEY = re.compile(r"[!-~]{1,255}")

Found = TypeVar("Found")
"""What is there, and is to be changed."""


def answers(ok: dict[int, Any], *refused: int) -> dict[int, Any]:
    """The answers of an operation: what it gives, and the statuses of its problems."""
    return {**ok, **dict.fromkeys(sorted({*ALWAYS, *refused}), common.Problem)}


def going_on(after: str, position: object) -> str:
    """The cursor of the next page, which has a position in the list that is asked.

    The first page in its place would have a program begin anew, for ever. Raises Problem.
    """
    if after and position is None:
        raise Problem(
            "invalid",
            "“after” is no “next” of this list in this order. Say what the page before said, with "
            "the same “sort”; or nothing, to begin anew.",
        )
    return after


IDEMPOTENT: Final = {
    "parameters": [
        {
            "in": "header",
            "name": HEADER,
            "required": False,
            "schema": {"type": "string", "pattern": r"^[!-~]{1,255}$"},
            "description": "The same key again within a day: done once, answered alike.",
        }
    ]
}


def once(
    request: HttpRequest,
    status: int,
    make: Callable[[], Schema],
    *,
    keeping: set[str] | None = None,
) -> Status[Schema | None] | HttpResponseBase:
    """Make something, unless this very request was answered before.

    `keeping` are the fields of the answer that are kept, where it has a secret. What it makes and
    what is kept stand together, or neither. Raises Problem, and as `make` does.
    """
    return once_found(request, status, lambda: None, lambda _nothing: make(), keeping=keeping)


def once_found(
    request: HttpRequest,
    status: int,
    find: Callable[[], Found],
    change: Callable[[Found], Schema | None],
    *,
    keeping: set[str] | None = None,
) -> Status[Schema | None] | HttpResponseBase:
    """As `once`, of a change to what is there: `change` is given what `find` finds.

    What this very request has put away or renamed may not be found any more: it is looked for only
    where the request was not answered before. It is looked for before the transaction begins, which
    would take back with it what the log says of a refusal. `change` gives None where an answer has
    no body. Raises Problem, and as both do.
    """
    asked = Asked.of(request)
    if asked is None:
        return Status(status, change(find()))
    asked.update(request.body)
    if (before := replay(request, asked)) is not None:
        return before
    try:
        found = find()
        with transaction.atomic():
            row = _begin(request, asked, status)
            made = change(found)
            if made is not None:
                body = made.model_dump(mode="json", include=keeping)
                KeptAnswer.objects.filter(pk=row.pk).update(body=body)
    except (IntegrityError, Http404, Problem, VaultError):
        # Another one with the same key was faster: what it has done is in the way now.
        if (before := replay(request, asked)) is not None:
            return before
        raise
    return Status(status, made)


Keep = Callable[[Schema], None]
"""Keeps what is answered, in the transaction that makes what it tells of."""


def once_stored(
    request: HttpRequest, status: int, store: Callable[[Keep], Schema]
) -> Status[Schema] | HttpResponseBase:
    """As `once`, of what takes several transactions: bytes. Its last one keeps the answer.

    Nothing of the answer may be a secret. Raises Problem, and as `store` does.
    """
    asked = Asked.of(request)
    if asked is None:
        return Status(status, store(lambda _made: None))
    asked.update(request.body)
    if (before := replay(request, asked)) is not None:
        return before

    def kept(made: Schema) -> None:
        keep(request, asked, status, made.model_dump(mode="json"))

    try:
        return Status(status, store(kept))
    except (IntegrityError, Problem, VaultError):
        # Another one with the same key was faster: what it made is in the way now.
        if (before := replay(request, asked)) is not None:
            return before
        raise


class Asked:
    """A request that has an `Idempotency-Key`: which one it is, once all of its body was seen."""

    def __init__(self, request: HttpRequest, key: str) -> None:
        self.key = hashlib.sha256(key.encode()).hexdigest()
        about = (key, request.method or "", request.get_full_path())
        # The address may have characters that are none: what arrives is told as it is.
        text = "\0".join(about).encode("utf-8", "surrogatepass")
        self._digest = salted_hmac("files.web.api.answers", text, algorithm="sha256")
        self.seen = 0
        """Bytes of its body so far."""

    @classmethod
    def of(cls, request: HttpRequest) -> Asked | None:
        """None where it has no such header. Raises Problem."""
        text = request.headers.get(HEADER)
        if text is None:
            return None
        if not _KEY.fullmatch(text):
            raise Problem("invalid", f"{HEADER} takes 1 to 255 characters of ASCII, and no blank.")
        return cls(request, text)

    def update(self, data: bytes) -> None:
        """See more of the body."""
        self._digest.update(data)
        self.seen += len(data)

    @property
    def request(self) -> str:
        """What stands for the request and its body so far, in hex."""
        return self._digest.hexdigest()


def is_answered(request: HttpRequest, asked: Asked) -> bool:
    """Whether a request with that key was answered within a day, whatever it was."""
    return _kept(request, asked) is not None


def _kept(request: HttpRequest, asked: Asked) -> KeptAnswer | None:
    found = _all_kept(request, asked).filter(made_at__gte=clock.now() - KEPT)
    return found.first()


def _all_kept(request: HttpRequest, asked: Asked) -> QuerySet[KeptAnswer]:
    return KeptAnswer.objects.filter(token_id=token_of(request).pk, key=asked.key)


def replay(request: HttpRequest, asked: Asked) -> HttpResponse | None:
    """The answer that was given to that key before. Raises Problem for another request's."""
    found = _kept(request, asked)
    if found is None:
        return None
    if found.request != asked.request:
        raise Problem("idempotency_key_reused", "Use another key for another request.")
    response: HttpResponse
    if found.status == 204:
        response = HttpResponse(status=204)
    else:
        response = JsonResponse(found.body, status=found.status)
    response[REPLAYED] = "true"
    return response


def _begin(request: HttpRequest, asked: Asked, status: int) -> KeptAnswer:
    # One that is over is not asked for any more, and must not stand in the way.
    _all_kept(request, asked).filter(made_at__lt=clock.now() - KEPT).delete()
    return KeptAnswer.objects.create(
        token_id=token_of(request).pk,
        key=asked.key,
        request=asked.request,
        status=status,
        made_at=clock.now(),
    )


def keep(request: HttpRequest, asked: Asked, status: int, body: dict[str, Any]) -> None:
    """Keep an answer. For the transaction that makes what it tells of."""
    row = _begin(request, asked, status)
    KeptAnswer.objects.filter(pk=row.pk).update(body=body)


def id_alone(file_id: UUID) -> dict[str, Any]:
    """What is kept of an answer that had a secret."""
    return {"id": str(file_id)}
