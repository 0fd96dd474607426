"""Fixtures of the tus protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from accounts.models import User
from files.vault import upload_leases
from tests.files.web.transfers.tus.clients import Tus

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch, s3: S3Client) -> None:
    """Nobody else ends a turn within these tests: do not wait for it."""
    monkeypatch.setattr(upload_leases, "PATIENCE", 0.0)


@pytest.fixture
def client(alice: User) -> Tus:
    return Tus(alice)
