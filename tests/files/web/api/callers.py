"""A program that asks, as tests of the API have it."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from django.test import Client

from accounts.models import Token, User
from tests.accounts.test_tokens import made

ALL = list(Token.Scope.values)
V1 = "/api/v1"


class Caller:
    """A program with a token of somebody's."""

    def __init__(self, user: User, *scopes: str, **fields: Any) -> None:
        self.made = made(user, scopes=list(scopes) or ALL, **fields)
        self.client = Client()
        self.headers = {"Authorization": f"Bearer {self.made.text}"}

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The answer; `headers` have `_` for `-`."""
        given = {**self.headers, **{name.replace("_", "-"): text for name, text in headers.items()}}
        if body is None:
            return self.client.generic(method, V1 + path, headers=given)
        if isinstance(body, bytes):
            kind = given.pop("Content-Type", "text/plain")
            return self.client.generic(method, V1 + path, body, kind, headers=given)
        return self.client.generic(
            method, V1 + path, json.dumps(body), "application/json", headers=given
        )

    def get(self, path: str, **headers: str) -> Any:
        return self.ask("GET", path, **headers)

    def put(self, path: str, body: bytes, **headers: str) -> Any:
        return self.ask("PUT", path, body, **headers)


def whole(answer: Any) -> bytes:
    """The bytes of an answer that is streamed."""
    return b"".join(answer.streaming_content)


def problem(answer: Any) -> tuple[int, str]:
    """The status and the code of a refusal, in the form that all have."""
    assert answer["Content-Type"] == "application/problem+json", answer.content
    told = answer.json()
    assert {"type", "title", "status", "code", "detail"} <= told.keys()
    assert told["type"] == f"urn:securestore:problem:{told['code']}"
    assert told["status"] == answer.status_code
    return answer.status_code, told["code"]


def digest(data: bytes) -> str:
    """The digest of a body, as `Repr-Digest` says it."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"
