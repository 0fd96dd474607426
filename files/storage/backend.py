"""`EncryptedS3Storage`: a Django storage whose objects only ever hold ciphertext.

`save`, `open`, `delete`, `exists` and `size` speak of plaintext and behave as Django documents
them, with two deliberate differences: a saved object always gets a random name, because a name
tells what a file is, and `url()` raises, because a link to ciphertext is of no use to anybody.
"""

from __future__ import annotations

import io
import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn, Protocol, cast
from urllib.parse import urlsplit

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.session import get_session
from django.core.files import File
from django.utils.module_loading import import_string
from storages.backends.s3 import S3Storage

from files.crypto.errors import Damaged
from files.crypto.stream.keys import Context, derive_keys
from files.crypto.stream.layout import TRAILER_LENGTH, object_length
from files.storage.body import send_small_at_once
from files.storage.errors import (
    ObjectMissing,
    StoreError,
    StoreUnavailable,
    is_missing,
    store_errors,
)
from files.storage.object_requests import discard
from files.storage.progress import Progress, SealedObject
from files.storage.ranges import get_range
from files.storage.reader import ObjectReader
from files.storage.shortcuts import AnswerParsers, shorten
from files.storage.writer import ObjectWriter
from runtime.aws_errors import has_no_words

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

log = logging.getLogger(__name__)

CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True, repr=False)
class ObjectKey:
    """What opens one object: its DEK (32 bytes), context, plaintext size and commitment."""

    dek: bytes
    context: Context
    size: int
    commitment: bytes


class Unfinished(NamedTuple):
    """A multipart upload that the store has, and when it was begun by the store's clock."""

    name: str
    upload_id: str
    begun_at: datetime


class Listed(NamedTuple):
    """An object as a listing shows it: bytes of the object, and the store's time of writing."""

    name: str
    size: int
    written_at: datetime


class KeySource(Protocol):
    """Where the storage's own `save` and `open` get keys. The vault provides the real one."""

    def issue(self, name: str) -> tuple[bytes, Context]:
        """A new DEK and context for an object about to be written; on record when it returns."""

    def seal(self, sealed: SealedObject) -> None:
        """The object is complete and verified."""

    def find(self, name: str) -> ObjectKey:
        """The key of a sealed object. Raises FileNotFoundError."""

    def forget(self, name: str) -> None:
        """The object is gone, or was never finished."""


def as_bytes(chunk: bytes | str) -> bytes:
    """A chunk of a Django file, which may be text."""
    return chunk.encode() if isinstance(chunk, str) else chunk


def is_on_this_machine(endpoint_url: str | None) -> bool:
    """Whether a store is reached over the loopback interface, by its address."""
    try:
        return ip_address(urlsplit(endpoint_url or "").hostname or "").is_loopback
    except ValueError:
        return False


def random_object_name() -> str:
    """A name for an object: 128 random bits, spread over 256 folders. It says nothing."""
    name = secrets.token_hex(16)
    return f"{name[:2]}/{name[2:]}"


class EncryptedS3Storage(S3Storage):
    """Stream format 1 on any S3 store, over one thread-safe client per process."""

    # Set from STORAGES["default"]["OPTIONS"] by the base class.
    bucket_name: str
    endpoint_url: str | None
    connect_timeout: int
    read_timeout: int
    max_attempts: int
    keys: KeySource | str | None

    def __init__(self, **settings: Any) -> None:
        self._client_lock = threading.Lock()
        self._client: S3Client | None = None
        super().__init__(**settings)
        custom_endpoint = self.endpoint_url is not None
        checksums: Literal["when_required", "when_supported"] = (
            "when_required" if custom_endpoint else "when_supported"
        )
        s3: Any = {"addressing_style": "path" if custom_endpoint else "auto"}
        if is_on_this_machine(self.endpoint_url):
            # The hash of a body protects it on the wire; where there is none, it costs a tenth of
            # an upload's time and protects nothing.
            s3["payload_signing_enabled"] = False
        self.client_config = Config(
            signature_version="s3v4",
            s3=s3,
            connect_timeout=self.connect_timeout,
            read_timeout=self.read_timeout,
            retries={"mode": "standard", "total_max_attempts": self.max_attempts},
            max_pool_connections=64,
            tcp_keepalive=True,
            # botocore's own has the versions of Python and of the system in it, and is written
            # anew twice for each request.
            user_agent="Securestore",
            # Newer botocore adds checksum trailers that S3-compatible stores refuse.
            request_checksum_calculation=checksums,
            response_checksum_validation=checksums,
        )

    def get_default_settings(self) -> dict[str, Any]:
        return {
            **super().get_default_settings(),
            "file_overwrite": False,
            "default_acl": None,
            "gzip": False,
            "connect_timeout": 5,
            "read_timeout": 30,
            "max_attempts": 3,
            "keys": None,
        }

    @property
    def client(self) -> S3Client:
        """The process's S3 client. A client may be shared between threads, a resource not."""
        with self._client_lock:
            if self._client is None:
                self._client = self._new_client(self.client_config)
            return self._client

    def anonymous_client(self) -> S3Client:
        """A client without credentials, to see what strangers may do. The caller closes it."""
        return self._new_client(self.client_config.merge(Config(signature_version=UNSIGNED)))

    def _new_client(self, config: Config) -> S3Client:
        client = self._create_session().client(
            "s3",
            region_name=self.region_name,
            use_ssl=self.use_ssl,
            endpoint_url=self.endpoint_url,
            config=config,
            verify=self.verify,
        )
        # After botocore's own, which add what this takes away.
        client.meta.events.register_last("before-call.s3", send_small_at_once)
        if self.endpoint_url is not None:
            shorten(client)
        return client

    def _create_session(self) -> boto3.Session:
        """As its base class's, of a session whose clients read answers by `AnswerParsers`."""
        botocore_session = get_session()
        botocore_session.register_component("response_parser_factory", AnswerParsers())
        if self.session_profile:
            return boto3.Session(
                profile_name=self.session_profile, botocore_session=botocore_session
            )
        return boto3.Session(
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            aws_session_token=self.security_token,
            botocore_session=botocore_session,
        )

    # What the vault uses: keys come with the call

    def writer(
        self,
        name: str,
        *,
        dek: bytes,
        context: Context,
        size: int | None = None,
        exact: bool = False,
        on_multipart: Callable[[str], None] | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        resume: Progress | None = None,
        whole: bool = True,
    ) -> ObjectWriter:
        """A writer for a new object, or for one to `resume`; no object until it has committed."""
        return ObjectWriter(
            self.client,
            self.bucket_name,
            name,
            dek=dek,
            context=context,
            size=size,
            exact=exact,
            on_multipart=on_multipart,
            on_progress=on_progress,
            resume=resume,
            whole=whole,
        )

    def reader(self, name: str, key: ObjectKey) -> ObjectReader:
        """A reader of a sealed object. Raises WrongKey before anything is fetched."""
        keys = derive_keys(key.dek, key.context)
        keys.check(key.commitment)
        return ObjectReader(
            self.client,
            self.bucket_name,
            name,
            keys=keys,
            context=key.context,
            size=key.size,
            attempts=self.max_attempts,
            patience=self.max_attempts * self.read_timeout,
        )

    def check_from_outside(
        self, name: str, *, context: Context, commitment: bytes, size: int
    ) -> str:
        """Check what can be checked of an object without its key; return its ETag.

        That it is there, that its length is exact, and that its trailer is this stream's. Raises
        ObjectMissing, Damaged, StoreUnavailable, StoreRefused.
        """
        end = object_length(size)
        start = end - TRAILER_LENGTH
        with get_range(self.client, self.bucket_name, name, start, end) as answer:
            answer.expect_total(end)
            if answer.read_exactly(TRAILER_LENGTH) != context.encode() + commitment:
                raise Damaged("the trailer is not this stream's")
        return answer.etag

    def discard(self, name: str, multipart_id: str = "") -> bool:
        """Remove every trace of `name`; whether the store confirmed it. Never raises.

        What a killed process began without noting it is found by the name that it begins with.
        """
        try:
            uploads = {found.upload_id for found in self.multiparts(name) if found.name == name}
            gone = self.discard_tails(name)
        except StoreError as error:
            log.warning("left for the sweep: %s (%s)", name, error)
            return False
        for unnoted_id in uploads - {multipart_id}:
            gone &= discard(self.client, self.bucket_name, name, unnoted_id, whole=False)
        return gone & discard(self.client, self.bucket_name, name, multipart_id, whole=True)

    def discard_tails(self, name: str) -> bool:
        """Delete what suspended writers left beside `name`; whether the store confirmed it."""
        with store_errors("list tails"):
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket_name, Prefix=f"{name}."
            )
            tails = [found["Key"] for page in pages for found in page.get("Contents", [])]
        # Every one is tried, whatever became of the one before.
        return not [tail for tail in tails if not self.discard_one(tail)]

    def discard_one(self, name: str) -> bool:
        """Delete one object and nothing beside it; whether the store confirmed it."""
        return discard(self.client, self.bucket_name, name, "", whole=True)

    def multiparts(self, prefix: str = "") -> Iterator[Unfinished]:
        """The unfinished multipart uploads, in no order to rely on. Raises StoreError."""
        with store_errors("list multipart uploads"):
            for page in self.client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self.bucket_name, Prefix=prefix
            ):
                for upload in page.get("Uploads", []):
                    yield Unfinished(upload["Key"], upload["UploadId"], upload["Initiated"])

    def abort_multipart(self, name: str, upload_id: str) -> bool:
        """Abort one multipart upload and nothing else; whether the store confirmed it."""
        return discard(self.client, self.bucket_name, name, upload_id, whole=False)

    def objects(self, prefix: str = "") -> Iterator[Listed]:
        """Everything in the bucket, in the order of names, a page at a time. Raises StoreError."""
        with store_errors("list the bucket"):
            for page in self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket_name, Prefix=prefix
            ):
                for found in page.get("Contents", []):
                    yield Listed(found["Key"], found["Size"], found["LastModified"])

    def ensure_bucket(self) -> bool:
        """Create the bucket where there is none; whether it did. Raises StoreError."""
        try:
            self.check()
        except ObjectMissing:
            with store_errors("create the bucket"):
                self.client.create_bucket(Bucket=self.bucket_name)
            return True
        return False

    def check(self) -> datetime | None:
        """One cheap call: raises StoreError unless the bucket answers; returns the store's time."""
        with store_errors("reach the bucket"):
            try:
                answer = self.client.head_bucket(Bucket=self.bucket_name)
            except ClientError as error:
                if has_no_words(error) and not is_missing(error):
                    self.client.list_objects_v2(Bucket=self.bucket_name, MaxKeys=1)
                raise
        with suppress(KeyError, ValueError):
            return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        return None

    # Django's storage interface

    @property
    def _keys(self) -> KeySource:
        if isinstance(self.keys, str):
            self.keys = cast("KeySource", import_string(self.keys)())
        if self.keys is None:
            raise ValueError("EncryptedS3Storage needs a `keys` option to save and open by name")
        return self.keys

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """A random name, whatever was asked for."""
        return random_object_name()

    def get_alternative_name(self, file_root: str, file_ext: str) -> str:
        return random_object_name()

    def _save(self, name: str, content: File[bytes]) -> str:
        dek, context = self._keys.issue(name)
        writer = self.writer(name, dek=dek, context=context)
        sealed: SealedObject | None = None
        try:
            for chunk in content.chunks(CHUNK):
                writer.write(as_bytes(chunk))
            sealed = writer.commit()
            self._keys.seal(sealed)
        except BaseException:
            if writer.abort() if sealed is None else self.discard(name):
                self._keys.forget(name)
            raise
        return name

    def _open(self, name: str, mode: str = "rb") -> File[bytes]:
        if set(mode) - set("rb") or "r" not in mode:
            raise ValueError("an encrypted object is opened with mode 'rb'; write with save()")
        reader = self.reader(name, self._keys.find(name))
        file = File(io.BufferedReader(reader, CHUNK), name)
        file.size = reader.size
        return file

    def delete(self, name: str) -> None:
        """Delete the object; one that does not exist is not an error. Raises StoreError."""
        if not name:
            raise ValueError("The name must be given to delete().")
        if not self.discard(name):
            raise StoreUnavailable("delete an object: the store did not confirm it")
        self._keys.forget(name)

    def exists(self, name: str) -> bool:
        try:
            self.object_size(name)
        except ObjectMissing:
            return False
        return True

    def size(self, name: str) -> int:
        """Bytes of plaintext. Raises FileNotFoundError."""
        return self._keys.find(name).size

    def object_size(self, name: str) -> int:
        """Bytes of the object, as the store says. Raises ObjectMissing."""
        with store_errors("look at an object"):
            return self.client.head_object(Bucket=self.bucket_name, Key=name)["ContentLength"]

    def url(self, name: str, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError("Encrypted objects have no URL: downloads go through the vault.")
