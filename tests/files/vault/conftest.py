"""Fixtures of the vault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

from tests.files.vault.faults import StoreTrouble


@pytest.fixture
def trouble(monkeypatch: pytest.MonkeyPatch, s3: S3Client) -> StoreTrouble:
    return StoreTrouble(monkeypatch, s3)
