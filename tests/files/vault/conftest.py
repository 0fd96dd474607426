"""Fixtures of the vault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from moto.s3.exceptions import NoSuchUpload
from moto.s3.models import S3Backend

from accounts.models import User
from files.models import UploadSession
from files.vault import resumable, upload_leases
from tests.files.vault.turns import SIZE

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

from tests.files.vault.faults import StoreTrouble


@pytest.fixture
def trouble(monkeypatch: pytest.MonkeyPatch, s3: S3Client) -> StoreTrouble:
    return StoreTrouble(monkeypatch, s3)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, s3: S3Client) -> None:
    monkeypatch.setattr(upload_leases, "PATIENCE", 0.0)


@pytest.fixture
def moto_as_s3(monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 answers NoSuchUpload for a part of an unknown upload, where moto raises KeyError."""
    upload_part = S3Backend.upload_part

    def checked(self: S3Backend, bucket: str, multipart_id: str, *rest: Any, **more: Any) -> Any:
        if multipart_id not in self.get_bucket(bucket).multiparts:
            raise NoSuchUpload(upload_id=multipart_id)
        return upload_part(self, bucket, multipart_id, *rest, **more)

    monkeypatch.setattr(S3Backend, "upload_part", checked)


@pytest.fixture
def session(alice: User) -> UploadSession:
    return resumable.create(alice, name="file.bin", length=SIZE)
