"""A client of tus, and what its requests are made of."""

from __future__ import annotations

import base64
import hashlib
from typing import Any, cast

from django.http import HttpResponse
from django.test import Client

from accounts.models import User
from files.crypto.digests import digest_all
from files.crypto.stream.layout import FRAME_PAYLOAD, frames_per_part
from files.models import FileRecord, StoredObject
from files.vault import opening
from files.web.transfers import structured
from files.web.transfers.tus import protocol

CONTENT = b"The quick brown fox. " * 40

PART = frames_per_part(None) * FRAME_PAYLOAD

BYTES = {"content_type": protocol.CONTENT_TYPE}


class Tus:
    """A client of one person's, which says by itself what every request must say."""

    def __init__(self, user: User | None, **options: Any) -> None:
        self.http = Client(**options)
        if user is not None:
            self.http.force_login(user)

    def request(self, method: str, path: str, body: bytes = b"", **options: Any) -> HttpResponse:
        headers = {"Tus-Resumable": "1.0.0", **options.pop("headers", {})}
        kept = {name: value for name, value in headers.items() if value is not None}
        # Not an argument: the test client forgets the type of an empty body.
        kept["Content-Type"] = options.pop("content_type", "")
        answer = self.http.generic(method, path, body, headers=kept, **options)
        return cast("HttpResponse", answer)

    def create(self, body: bytes = b"", /, **headers: str | None) -> HttpResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        options = BYTES if body else {}
        return self.request("POST", "/uploads/", body, headers=named, **options)

    def begin(self, length: int = len(CONTENT), **headers: str | None) -> str:
        answer = self.create(Upload_Length=str(length), **headers)
        assert answer.status_code == 201
        return answer["Location"]

    def patch(self, url: str, body: bytes, offset: int = 0, **headers: str) -> HttpResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        headers = {"Upload-Offset": str(offset), **named}
        return self.request("PATCH", url, body, headers=headers, **BYTES)

    def head(self, url: str) -> HttpResponse:
        return self.request("HEAD", url)


def content_of(answer: HttpResponse) -> bytes:
    record = FileRecord.objects.select_related("current").get(pk=answer["Securestore-File"])
    return b"".join(opening.open_file(record).chunks())


def the_row() -> StoredObject:
    return StoredObject.objects.get()


def metadata(**values: str) -> str:
    return ",".join(f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in values.items())


def checksum(data: bytes, algorithm: str = "sha1") -> str:
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"


BIG = hashlib.shake_128(b"big").digest(PART + 2 * FRAME_PAYLOAD + 700)


def chain(content: bytes) -> str:
    return structured.byte_sequence(digest_all([content]).chain)
