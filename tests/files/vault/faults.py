"""A store that fails or lies, and files that are read through the vault."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import pytest
from botocore.exceptions import EndpointConnectionError

from files.crypto.stream.layout import FRAME_PAYLOAD, frames_per_part
from files.models import FileRecord
from files.vault import opening, stored_objects

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

PART = frames_per_part(None) * FRAME_PAYLOAD
"""Bytes of plaintext in one part: with one more, the upload is a multipart one."""


class StoreTrouble:
    """Makes the store fail, from the n-th call of one S3 operation on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, s3: S3Client) -> None:
        self._patch = monkeypatch
        self.calls: list[str] = []
        self._failing: dict[str, int] = {}
        client = stored_objects.storage().client
        original = client._make_api_call  # type: ignore[attr-defined]

        def call(operation: str, parameters: dict[str, Any]) -> Any:
            self.calls.append(operation)
            first = self._failing.get(operation) or self._failing.get("*")
            made = self.calls.count(operation) if operation in self._failing else len(self.calls)
            if first is not None and made >= first:
                raise EndpointConnectionError(endpoint_url="http://store.invalid")
            return original(operation, parameters)

        monkeypatch.setattr(client, "_make_api_call", call)

    def begin(self, operation: str = "*", call: int = 1) -> Self:
        self._failing[operation] = call
        return self

    def end(self) -> None:
        self._failing.clear()


def read(record: FileRecord, start: int = 0, stop: int | None = None) -> bytes:
    opened = opening.open_file(FileRecord.objects.select_related("current").get(pk=record.pk))
    return b"".join(opened.chunks(start, stop))


def flip(s3: S3Client, bucket: str, name: str, at: int) -> None:
    raw = bytearray(s3.get_object(Bucket=bucket, Key=name)["Body"].read())
    raw[at] ^= 1
    s3.put_object(Bucket=bucket, Key=name, Body=bytes(raw))


def cut(s3: S3Client, bucket: str, name: str) -> None:
    raw = s3.get_object(Bucket=bucket, Key=name)["Body"].read()
    s3.put_object(Bucket=bucket, Key=name, Body=raw[:-1])


@contextmanager
def store_fails(call: int) -> Iterator[list[str]]:
    """From the n-th call on, the store cannot be reached."""
    made: list[str] = []
    client = stored_objects.storage().client

    def refuse(model: Any, **_: Any) -> None:
        made.append(model.name)
        if len(made) >= call:
            raise EndpointConnectionError(endpoint_url="http://store.invalid")

    client.meta.events.register("before-call.s3", refuse)
    try:
        yield made
    finally:
        client.meta.events.unregister("before-call.s3", refuse)
