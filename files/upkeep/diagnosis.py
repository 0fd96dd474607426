"""What `doctor` looks at in the store and in the keyring.

Whatever the vault relies on is tried out for real, on scratch objects under a name of their own,
which are removed again. No file's object is touched.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from files.crypto import lanes
from files.crypto.errors import CryptoError, KeyServiceError, KeyServiceRefused
from files.errors import VaultError
from files.keys import wrapping
from files.keys.master_keys import keyring
from files.models import MasterKey
from files.storage import ObjectMissing, StoreError, StoreRefused
from files.storage.errors import PreconditionFailed, store_errors
from files.vault import stored_objects
from runtime.findings import Level, Line, Probe, reason

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

PREFIX = "doctor/"
SKEW, TOO_SKEW = 60, 300
"""Seconds that the clocks may differ, before it is a warning, and a failure."""


def probes() -> Iterator[tuple[str, Probe]]:
    """Everything that this module looks at. Of a store that is not reached, no more than that."""
    yield "keyring", check_keyring
    yield "master keys", check_master_keys
    yield "lanes", check_lanes
    visit = _Visit()
    yield "store", visit.check_reached
    if not visit.reached:
        return
    try:
        yield "store clock", visit.check_clock
        yield "store privacy", visit.check_private
        yield "store versions", visit.check_versioning
        yield "store writes", visit.check_conditional_writes
        yield "store reads", visit.check_conditional_reads
        yield "store ranges", visit.check_ranges
        yield "store multipart", visit.check_multipart
        yield "store abort", visit.check_abort
        yield "store missing", visit.check_missing
        yield "store listing", visit.check_listing
    finally:
        left = not visit.clean_up()
    if left:
        yield "store scratch", visit.tell_what_is_left


def check_lanes() -> Iterator[Line]:
    """Which way are frames sealed and opened, and why?"""
    taken = lanes.choice()
    if taken.refused:
        remedy = "Set CRYPTO_LANES=auto, or run `make lanes`."
        yield Line(Level.FAIL, "lanes", f"{taken.said}.", remedy)
        return
    yield Line(Level.OK, "lanes", f"frames are sealed and opened {taken.said}.")


def check_keyring() -> Iterator[Line]:
    """Does it wrap, and open what it wrapped?"""
    try:
        ring = keyring()
        token = ring.wrap_secret(b"doctor", "doctor")
        good = ring.unwrap_secret(token, "doctor") == b"doctor"
    except (CryptoError, KeyServiceError, ImproperlyConfigured) as error:
        advised = error.remedy if isinstance(error, KeyServiceRefused) else ""
        remedy = advised or "See to MASTER_KEYS, or to the key service and its credentials."
        yield Line(Level.FAIL, "keyring", reason(error), remedy)
        return
    others = f", also {', '.join(ring.ids[1:])}" if ring.ids[1:] else ""
    said = f"the primary is {ring.primary_id}{others}."
    if not good:
        remedy = "Put a key first that does, and report this."
        yield Line(Level.FAIL, "keyring", f"{said} It does not open what it wrapped.", remedy)
        return
    yield Line(Level.OK, "keyring", said)


def check_master_keys() -> Iterator[Line]:
    """Is every key there that files need, and none that was retired?"""
    ring = keyring()
    try:
        wrapping.check_keyring()
    except VaultError as error:
        yield Line(Level.FAIL, "master keys", str(error), "Change MASTER_KEYS accordingly.")
    except KeyServiceError as error:
        advised = error.remedy if isinstance(error, KeyServiceRefused) else ""
        remedy = advised or "See to the key service, and to the rights of its credentials."
        yield Line(Level.FAIL, "master keys", reason(error), remedy)
    else:
        yield Line(Level.OK, "master keys", "every file's is configured.")
    retired = MasterKey.objects.filter(pk__in=ring.ids, retired_at__isnull=False)
    for key_id in retired.values_list("pk", flat=True):
        remedy = "Remove it from MASTER_KEYS, unless an old backup is being restored."
        yield Line(Level.WARN, "master keys", f"{key_id} was retired and is configured.", remedy)


class _Visit:
    """One look at the store, with scratch objects under a prefix of its own."""

    def __init__(self) -> None:
        self.reached = False
        self._storage = stored_objects.storage()
        self._prefix = f"{PREFIX}{secrets.token_hex(8)}/"
        self._date: datetime | None = None
        self._asked = timezone.now()

    @property
    def _client(self) -> S3Client:
        return self._storage.client

    def _at(self, name: str) -> dict[str, Any]:
        return {"Bucket": self._storage.bucket_name, "Key": self._prefix + name}

    def _put(self, name: str, body: bytes, **conditions: str) -> str:
        with store_errors("put a scratch object"):
            return self._client.put_object(Body=body, **self._at(name), **conditions)["ETag"]  # type: ignore[arg-type]

    def _get(self, name: str, **conditions: str) -> bytes:
        with store_errors("get a scratch object"):
            return self._client.get_object(**self._at(name), **conditions)["Body"].read()  # type: ignore[arg-type]

    def check_reached(self) -> Iterator[Line]:
        """Does the bucket answer?"""
        bucket, began = self._storage.bucket_name, time.monotonic()
        self._asked = timezone.now()
        try:
            self._date = self._storage.check()
        except ObjectMissing:
            said, remedy = f"there is no bucket {bucket}.", "Run `manage.py setup_vault`."
            yield Line(Level.FAIL, "store", said, remedy)
            return
        except StoreRefused as error:
            remedy = error.remedy or "See to the AWS_* credentials, their rights, and S3_BUCKET."
            yield Line(Level.FAIL, "store", f"it refuses us ({error}).", remedy)
            return
        except StoreError as error:
            remedy = "See to S3_ENDPOINT_URL, and that the store runs."
            yield Line(Level.FAIL, "store", f"not reached ({error}).", remedy)
            return
        self.reached = True
        milliseconds = round((time.monotonic() - began) * 1000)
        yield Line(Level.OK, "store", f"bucket {bucket} answers in {milliseconds} ms.")

    def check_clock(self) -> Iterator[Line]:
        """Do its clock and ours agree?"""
        if self._date is None:
            remedy = "Compare the clocks by hand: beyond 15 minutes a store refuses requests."
            yield Line(Level.WARN, "store clock", "it does not tell its time.", remedy)
            return
        skew = round(abs((self._date.astimezone(UTC) - self._asked).total_seconds()))
        level = Level.FAIL if skew > TOO_SKEW else Level.WARN if skew > SKEW else Level.OK
        remedy = "" if level == Level.OK else "Let a time service set both clocks."
        yield Line(level, "store clock", f"it and ours differ by {skew} s.", remedy)

    def check_private(self) -> Iterator[Line]:
        """Are strangers refused?"""
        self._put("private", b"doctor")
        stranger = self._storage.anonymous_client()
        try:
            open_to = [
                what
                for what, ask in (
                    ("read", lambda: stranger.get_object(**self._at("private"))),
                    ("list", lambda: stranger.list_objects_v2(Bucket=self._storage.bucket_name)),
                )
                if _lets(ask)
            ]
        finally:
            stranger.close()
        if open_to:
            said = f"strangers may {' and '.join(open_to)} it."
            remedy = "Block all public access to the bucket."
            yield Line(Level.FAIL, "store privacy", said, remedy)
            return
        yield Line(Level.OK, "store privacy", "strangers are refused.")

    def check_versioning(self) -> Iterator[Line]:
        """Does it keep what is deleted? Only a key is gone then, and not the bytes."""
        with store_errors("put a scratch object"):
            version = self._client.put_object(Body=b"doctor", **self._at("kept")).get("VersionId")
        if version and version != "null":
            said = "the bucket is versioned: what is deleted stays there, without its key."
            remedy = "Turn versioning off, or let a lifecycle rule expire what is not current."
            yield Line(Level.WARN, "store versions", said, remedy)
            return
        yield Line(Level.OK, "store versions", "what is deleted is not kept by the bucket.")

    def check_conditional_writes(self) -> Iterator[Line]:
        """Does it refuse to overwrite, as every write of ours demands?"""
        self._put("once", b"first", IfNoneMatch="*")
        with suppress(PreconditionFailed):
            self._put("once", b"second", IfNoneMatch="*")
            said, remedy = "it overwrites despite If-None-Match.", "Use a store that honours it."
            yield Line(Level.WARN, "store writes", said, remedy)
            return
        if self._get("once") != b"first":
            said, remedy = "it refused, and overwrote all the same.", "Use another store."
            yield Line(Level.FAIL, "store writes", said, remedy)
            return
        yield Line(Level.OK, "store writes", "nothing is overwritten (If-None-Match).")

    def check_conditional_reads(self) -> Iterator[Line]:
        """Does it tell one version of an object from another?"""
        etag = self._put("version", b"first")
        if self._get("version", IfMatch=etag) != b"first":
            yield Line(Level.FAIL, "store reads", "it returns other bytes.", "Use another store.")
            return
        self._put("version", b"second")
        with suppress(PreconditionFailed):
            self._get("version", IfMatch=etag)
            said = "it ignores If-Match: a replaced object is found out later, by its bytes."
            yield Line(Level.WARN, "store reads", said, "Use a store that honours it.")
            return
        yield Line(Level.OK, "store reads", "versions are told apart (If-Match).")

    def check_ranges(self) -> Iterator[Line]:
        """Does it send what was asked for, and say so?"""
        self._put("range", bytes(range(100)))
        with store_errors("get a range"):
            answer = self._client.get_object(**self._at("range"), Range="bytes=10-19")
            body = answer["Body"].read()
        told = answer.get("ContentRange")
        if (body, told) != (bytes(range(10, 20)), "bytes 10-19/100"):
            said = f"it sent {len(body)} bytes for 10, and said {told}."
            yield Line(Level.FAIL, "store ranges", said, "Use a store that honours ranges.")
            return
        yield Line(Level.OK, "store ranges", "right to the byte.")

    def check_multipart(self) -> Iterator[Line]:
        """Do parts become an object, and does a part that is sent again take the first's place?"""
        upload = self._begin("parts")
        with store_errors("complete a scratch upload"):
            self._part("parts", upload, b"first")
            etag = self._part("parts", upload, b"again")
            self._client.complete_multipart_upload(
                **self._at("parts"),
                UploadId=upload,
                MultipartUpload={"Parts": [{"ETag": etag, "PartNumber": 1}]},
            )
        if (got := self._get("parts")) != b"again":
            said = f"of a part that was sent twice it kept {len(got)} bytes, not the second."
            remedy = "Use another store: resumed uploads would be refused."
            yield Line(Level.FAIL, "store multipart", said, remedy)
            return
        yield Line(Level.OK, "store multipart", "it works, also with a part that is sent again.")

    def check_abort(self) -> Iterator[Line]:
        """Does an upload that is given up leave nothing?"""
        upload = self._begin("given-up")
        with store_errors("abort a scratch upload"):
            self._part("given-up", upload, b"?")
        confirmed = self._storage.abort_multipart(self._prefix + "given-up", upload)
        if not confirmed or list(self._storage.multiparts(self._prefix + "given-up")):
            said = "an upload that was aborted is still there."
            remedy = "See to the right s3:AbortMultipartUpload."
            yield Line(Level.FAIL, "store abort", said, remedy)
            return
        yield Line(Level.OK, "store abort", "an upload that is given up leaves nothing.")

    def check_missing(self) -> Iterator[Line]:
        """Does it say of a missing object that it is missing?"""
        try:
            self._get("never-written")
        except ObjectMissing:
            yield Line(Level.OK, "store missing", "it says so of an object that is not there.")
        except StoreError as error:
            said = f"a missing object looks like an outage ({error})."
            yield Line(Level.WARN, "store missing", said, "Give the right s3:ListBucket.")
        else:
            yield Line(Level.FAIL, "store missing", "it makes objects up.", "Use another store.")

    def check_listing(self) -> Iterator[Line]:
        """May a sweep see what there is?"""
        self._put("listed", b"doctor")
        try:
            names = {found.name for found in self._storage.objects(self._prefix)}
            list(self._storage.multiparts(self._prefix))
        except StoreError as error:
            remedy = "Give the rights s3:ListBucket and s3:ListBucketMultipartUploads."
            yield Line(Level.FAIL, "store listing", f"not allowed ({error}).", remedy)
            return
        if self._prefix + "listed" not in names:
            said = "an object that was just written is not listed."
            yield Line(Level.WARN, "store listing", said, "A sweep may report it as missing.")
            return
        yield Line(Level.OK, "store listing", "objects and unfinished uploads are listed.")

    def clean_up(self) -> bool:
        """Remove every trace of this visit; whether the store confirmed it. Never raises."""
        try:
            uploads = list(self._storage.multiparts(self._prefix))
            names = [found.name for found in self._storage.objects(self._prefix)]
        except StoreError:
            return False
        gone = [self._storage.abort_multipart(found.name, found.upload_id) for found in uploads]
        return all([*gone, *map(self._storage.discard_one, names)])

    def tell_what_is_left(self) -> Iterator[Line]:
        """Of scratch objects that could not be removed."""
        said = f"objects under {self._prefix} could not be removed."
        yield Line(Level.WARN, "store scratch", said, "See to the right s3:DeleteObject.")

    def _begin(self, name: str) -> str:
        with store_errors("begin a scratch upload"):
            return self._client.create_multipart_upload(**self._at(name))["UploadId"]

    def _part(self, name: str, upload: str, body: bytes) -> str:
        return self._client.upload_part(**self._at(name), UploadId=upload, PartNumber=1, Body=body)[
            "ETag"
        ]


def _lets(ask: Callable[[], object]) -> bool:
    """Whether the store answers a stranger. Raises StoreUnavailable."""
    try:
        with store_errors("ask as a stranger"):
            ask()
    except (StoreRefused, ObjectMissing):
        return False
    return True
