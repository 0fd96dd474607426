"""AWS in memory (moto), without a server: `s3` is a client of an S3 that holds one empty bucket.

Neither clients nor tables are made anew for each test where the same ones serve as well: to make
them takes longer than most tests. For the same reason parts have two megabytes here, not eight;
integration tests send real ones. This is a pytest plugin: `tests/conftest.py` names it.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
import moto.backend_index
import moto.core.models
import moto.s3.models
import pytest
from moto import mock_aws
from moto.backend_index import backend_url_patterns
from moto.backends import get_backend
from moto.core.base_backend import BaseBackend
from moto.core.models import DEFAULT_ACCOUNT_ID
from pytest_django import Settings

from files.crypto.stream import layout
from files.storage import writer

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

REGION = "us-east-1"

FRAMES = layout.PART_FRAMES
"""Frames of a part, as the site has them."""
FEWER = 8
"""Frames of a part in memory: whole files of two parts cost a quarter."""


def pytest_plugin_registered(plugin: object, manager: pytest.PytestPluginManager) -> None:
    """Choose the size as soon as this is loaded: modules of tests compute with it."""
    if plugin is sys.modules[__name__]:
        config: Any = manager.get_plugin("pytestconfig")
        if "not integration" in config.known_args_namespace.markexpr:
            _parts_of(FEWER, pytest.MonkeyPatch())


def _parts_of(frames: int, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(layout, "PART_FRAMES", frames)
    patch.setattr(writer, "PART_FRAMES", frames)
    # S3 takes no smaller part but the last; nor does this one take any that is smaller than ours.
    patch.setattr(moto.s3.models, "S3_UPLOAD_PART_MIN_SIZE", frames * layout.FRAME_LENGTH)


@pytest.fixture
def real_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of how large parts are."""
    _parts_of(FRAMES, monkeypatch)


@pytest.fixture(autouse=True, scope="session")
def _made_once() -> Iterator[None]:
    """Let all sessions share what they read of the services, and moto its tables of addresses.

    Otherwise each client of a new session reads the service's description again, a megabyte of
    JSON; each request imports the module of S3's addresses anew; and each start of moto makes a
    thousand answers for another library, `requests`, by which nothing here talks to AWS.
    """
    made: dict[type[BaseBackend], Any] = {}
    original = inspect.getattr_static(BaseBackend, "urls")

    def urls(self: BaseBackend) -> Any:
        if type(self) not in made:
            made[type(self)] = original.fget(self)
        return made[type(self)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", cache(botocore.session.create_loader))
        patch.setattr(BaseBackend, "urls", property(urls))
        patch.setattr(moto.core.models, "RESPONSES_METHODS", ())
        # Whose address a request is for is tried one by one, of two hundred services.
        known = sorted(backend_url_patterns, key=lambda service: service[0] not in {"s3", "kms"})
        patch.setattr(moto.backend_index, "backend_url_patterns", known)
        # Parts stay in memory: moto puts each one that is larger than five megabytes into a file.
        patch.setenv("MOTO_S3_DEFAULT_KEY_BUFFER_SIZE", str(2**30))
        yield


@cache
def s3_client() -> S3Client:
    """One client for all tests."""
    return boto3.client("s3", region_name=REGION)


@pytest.fixture
def aws() -> Iterator[None]:
    """An AWS in memory, empty. A test without it has none at all."""
    with mock_aws():
        yield


@pytest.fixture
def new_bucket(aws: None) -> Callable[[str], None]:
    """Makes a bucket of that name, and not by a request, which takes longer than most tests."""

    def make(name: str) -> None:
        get_backend("s3")[DEFAULT_ACCOUNT_ID]["aws"].create_bucket(name, REGION)

    return make


@pytest.fixture
def s3(new_bucket: Callable[[str], None], settings: Settings) -> S3Client:
    """A client of an S3 in memory that holds the configured bucket, empty."""
    new_bucket(settings.S3_BUCKET)
    return s3_client()
