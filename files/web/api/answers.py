"""Which answers an operation may give, for the schema; and a creation that is asked for twice.

With `Idempotency-Key`, what was made once is not made again: the answer of the first request is
given once more, for a day. Never with a secret: of an answer that had one, status and id are kept.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from ninja import Schema
from ninja.responses import Status

from files.models import KeptAnswer
from files.models.answers import KEPT
from files.records import clock
from files.web.api import shapes
from files.web.api.entrance import token_of
from files.web.api.problems import Problem

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotent-Replay"
ALWAYS: Final = (400, 401, 403, 429, 503)
_KEY = re.compile(r"[!-~]{1,255}")


def answers(ok: dict[int, Any], *refused: int) -> dict[int, Any]:
    """The answers of an operation: what it gives, and the statuses of its problems."""
    return {**ok, **dict.fromkeys(sorted({*ALWAYS, *refused}), shapes.Problem)}


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
    request: HttpRequest, status: int, make: Callable[[], Schema]
) -> Status[Schema] | HttpResponseBase:
    """Make something, unless this very request was answered before.

    What it makes and what is kept stand together, or neither. Raises Problem, and as `make` does.
    """
    key = key_of(request)
    if key is None:
        return Status(status, make())
    asked = _digest_of(request)
    if (kept := replay(request, key, asked)) is not None:
        return kept
    try:
        with transaction.atomic():
            row = _begin(request, key, asked, status)
            made = make()
            KeptAnswer.objects.filter(pk=row.pk).update(body=made.model_dump(mode="json"))
    except IntegrityError:
        # Another one with the same key was faster.
        if (kept := replay(request, key, asked)) is not None:
            return kept
        raise
    return Status(status, made)


def key_of(request: HttpRequest) -> str | None:
    """What stands for the key that the request has; None without one. Raises Problem."""
    text = request.headers.get(HEADER)
    if text is None:
        return None
    if not _KEY.fullmatch(text):
        raise Problem("invalid", f"{HEADER} takes 1 to 255 characters of ASCII, and no blank.")
    return hashlib.sha256(text.encode()).hexdigest()


def _digest_of(request: HttpRequest) -> str:
    return digest_of(request, request.body)


def digest_of(request: HttpRequest, about: bytes) -> str:
    """What stands for a request: its method, its address, and what it is about."""
    parts = (request.method or "", request.get_full_path())
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass"))
    digest.update(b"\0" + about)
    return digest.hexdigest()


def replay(request: HttpRequest, key: str, asked: str) -> HttpResponse | None:
    """The answer that was given to that key before. Raises Problem for another request's."""
    since = clock.now() - KEPT
    token = token_of(request)
    KeptAnswer.objects.filter(token_id=token.pk, key=key, made_at__lt=since).delete()
    found = KeptAnswer.objects.filter(token_id=token.pk, key=key).first()
    if found is None:
        return None
    if found.request != asked:
        raise Problem("idempotency_key_reused", "Use another key for another request.")
    response = JsonResponse(found.body, status=found.status)
    response[REPLAYED] = "true"
    return response


def _begin(request: HttpRequest, key: str, asked: str, status: int) -> KeptAnswer:
    return KeptAnswer.objects.create(
        token_id=token_of(request).pk, key=key, request=asked, status=status, made_at=clock.now()
    )


def keep(request: HttpRequest, key: str, asked: str, status: int, body: dict[str, Any]) -> None:
    """Keep an answer. For the transaction that makes what it tells of."""
    row = _begin(request, key, asked, status)
    KeptAnswer.objects.filter(pk=row.pk).update(body=body)


def id_alone(file_id: UUID) -> dict[str, Any]:
    """What is kept of an answer that had a secret."""
    return {"id": str(file_id)}
