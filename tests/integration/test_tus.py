"""Resumable uploads over real connections to the real server, on the real store.

Two clients that do not trust each other: tuspy, and raw sockets that are cut at random bytes.
"""

from __future__ import annotations

import io
import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError

from accounts.models import User
from files.crypto.stream.layout import FRAME_PAYLOAD, frames_per_part
from files.models import FileRecord, StoredObject, UploadSession
from files.upkeep import sweeping
from files.vault import continuing, opening, resumable, stored_objects
from tests.conftest import Weed
from tests.integration.cutting import CuttingProxy
from tests.integration.tus import Client, Server, upload_with_cuts
from tests.integration.tuspy_client import upload_through

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

PART = frames_per_part(None) * FRAME_PAYLOAD


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, weed: Weed) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("tus"), weed)
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def client(server: Server) -> Client:
    return Client(server.port).sign_in()


def bytes_of(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)  # noqa: S311  the same in every run


@pytest.mark.parametrize(("seed", "size"), [(1, 700_000), (2, 9_000_000), (3, 20_000_000)])
def test_cut_connections_lose_nothing(client: Client, seed: int, size: int) -> None:
    content = bytes_of(seed, size)
    chance = random.Random(seed)  # noqa: S311  the same in every run
    done = upload_with_cuts(client, content, 4, chance)
    assert done.cuts == 4
    assert client.download(done.file_id) == content


@pytest.mark.parametrize(
    ("size", "chunk"), [(0, 10), (1, 1), (50, 1), (3000, 700), (20_000_000, 3_000_000)]
)
def test_tuspy_uploads(client: Client, size: int, chunk: int) -> None:
    content = bytes_of(size, size)
    path = _with_tuspy(client, content, chunk)
    offset, file_id = client.head(path)
    assert offset == size
    assert file_id is not None
    assert client.download(file_id) == content


def _with_tuspy(client: Client, content: bytes, chunk: int, *, stop_at: int | None = None) -> str:
    uploader = TusClient(client.url, headers=client.headers).uploader(
        file_stream=io.BytesIO(content), chunk_size=chunk, metadata={"filename": "tuspy.bin"}
    )
    uploader.upload(stop_at=stop_at)
    return "/uploads/" + str(uploader.url).rpartition("/")[2]


def test_tuspy_goes_on_where_a_cut_left_off(client: Client) -> None:
    content = bytes_of(7, 12_000_000)
    path = _with_tuspy(client, content, 1_000_000, stop_at=3_000_000)
    client.patch_cut(path, content[3_000_000:], 3_000_000, 2_500_000, reset=True)
    uploader = TusClient(client.url, headers=client.headers).uploader(
        file_stream=io.BytesIO(content),
        chunk_size=5_000_000,
        url=client.url + path.rpartition("/")[2],
        retries=3,
        retry_delay=1,
    )
    assert uploader.offset >= 3_000_000
    uploader.upload()
    _, file_id = client.head(path)
    assert file_id is not None
    assert client.download(file_id) == content


def test_tuspy_comes_through_cuts(server: Server, client: Client) -> None:
    """A sample of the campaign in tests/soak."""
    chance = random.Random(9)  # noqa: S311  the same in every run
    with CuttingProxy(server.port, chance, cuts=8, least=200, most=12_000_000) as proxy:
        for size in (400, 500_000, 18_000_000):
            content = bytes_of(size, size)
            assert client.download(upload_through(proxy, client, content, chance)) == content
    assert proxy.cuts > 3


def test_tuspy_is_told_of_a_lost_upload(client: Client) -> None:
    path = client.create(10)
    assert client.request("DELETE", path)[0].status == 204
    with pytest.raises(TusCommunicationError) as caught:
        TusClient(client.url, headers=client.headers).uploader(
            file_stream=io.BytesIO(bytes(10)), url=client.url + path.rpartition("/")[2]
        )
    assert caught.value.status_code == 404


def test_a_clean_cut_keeps_every_byte(client: Client) -> None:
    content = bytes_of(8, 2_000_000)
    path = client.create(len(content))
    client.patch_cut(path, content, 0, 1_234_567, reset=False)
    deadline = time.monotonic() + 30
    while not (offset := client.head(path)[0]) and time.monotonic() < deadline:
        pass  # The server has not come to that request yet.
    assert offset == 1_234_567


def test_a_killed_server_goes_on_where_it_was_safe(server: Server, client: Client) -> None:
    content = bytes_of(9, 3 * PART + 5000)
    path = client.create(len(content))
    assert client.patch(path, content[:1000], 0).status == 204
    sent = 2 * PART + 3 * FRAME_PAYLOAD
    begun = client.patch_begun(path, content[1000:], 1000, sent)
    with begun:
        at, deadline = 1000 + sent, time.monotonic() + 60
        while client.head(path)[0] < PART:  # HEAD itself waits, for the turn to end.
            assert time.monotonic() < deadline, "the first part was never told to be safe"
            # A part is told to be safe when bytes arrive after it.
            begun.sendall(content[at : at + FRAME_PAYLOAD])
            at += FRAME_PAYLOAD
        server.kill()
        server.start()
    # At once: the lease of the killed process holds nobody up.
    offset, _ = client.head(path)
    assert offset >= PART
    answer = client.patch(path, content[offset:], offset)
    assert answer.status == 204
    assert client.download(answer.headers["Securestore-File"]) == content


def _wait_for_writer(server: Server, path: str) -> None:
    """Return when a request holds the lease of the upload: only then is another one the second."""
    asked = (
        "SELECT o.lease FROM files_storedobject o JOIN files_uploadsession s ON s.object_id = o.id"
        " WHERE s.id = ?"
    )
    deadline = time.monotonic() + 30
    with closing(sqlite3.connect(server.database)) as database:
        while not database.execute(asked, [path.rpartition("/")[2].replace("-", "")]).fetchone()[0]:
            assert time.monotonic() < deadline, "the first request never began to write"
            threading.Event().wait(0.02)


def test_the_second_patch_at_once_is_423(client: Client, server: Server) -> None:
    content = bytes_of(10, 1_000_000)
    path = client.create(len(content))
    with client.patch_begun(path, content, 0, 500_000) as begun:
        _wait_for_writer(server, path)
        second = client.patch(path, content, 0)
        assert second.status == 423
        begun.sendall(content[500_000:])
        assert begun.recv(12) == b"HTTP/1.1 204"
    _, file_id = client.head(path)
    assert file_id is not None
    assert client.download(file_id) == content


# --- On the store, without a server between ------------------------------------------------------


def _send(session: UploadSession, content: bytes, stop: int) -> FileRecord | None:
    session = UploadSession.objects.select_related("object").get(pk=session.pk)
    with continuing.Continuation(session, session.offset) as turn:
        turn.write(content[session.offset : stop])
        return turn.settle()


def _left(client: S3Client, bucket: str) -> list[str]:
    listed = client.list_objects_v2(Bucket=bucket).get("Contents", [])
    begun = client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    return [found["Key"] for found in listed] + [found["Key"] for found in begun]


def test_the_sweep_aborts_what_expired(real_store: S3Client, alice: User) -> None:
    content = bytes_of(11, PART + 4 * FRAME_PAYLOAD)
    session = resumable.create(alice, name="file.bin", length=len(content))
    _send(session, content, PART + 3 * FRAME_PAYLOAD)
    bucket = stored_objects.storage().bucket_name
    assert len(_left(real_store, bucket)) == 2  # A multipart upload, and a tail.
    StoredObject.objects.update(state_changed_at=timezone.now() - timedelta(days=8))
    assert sweeping.sweep().abandoned == 1
    assert _left(real_store, bucket) == []
    assert not UploadSession.objects.exists()


def test_parts_sent_twice_become_one_file(real_store: S3Client, alice: User) -> None:
    """Bytes whose checksum was wrong are in parts that the right ones replace."""
    content = bytes_of(12, 2 * PART + 4 * FRAME_PAYLOAD)
    session = resumable.create(alice, name="file.bin", length=len(content))
    with continuing.Continuation(session, 0, provisional=True) as turn:
        turn.write(b"?" * len(content))
    record = _send(session, content, len(content))
    assert record is not None
    opened = opening.open_file(FileRecord.objects.select_related("current").get(pk=record.pk))
    assert b"".join(opened.chunks()) == content
    row = StoredObject.objects.get()
    assert _left(real_store, stored_objects.storage().bucket_name) == [row.object_name]


def test_a_death_between_store_and_row_loses_nothing(
    real_store: S3Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes_of(13, PART + 4 * FRAME_PAYLOAD)
    session = resumable.create(alice, name="file.bin", length=len(content))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(stored_objects, "seal_object", _die)
        _send(session, content, len(content))
    record = _send(session, content, len(content))
    assert record is not None
    opened = opening.open_file(FileRecord.objects.select_related("current").get(pk=record.pk))
    assert b"".join(opened.chunks()) == content


def _die(*_: object, **__: object) -> None:
    raise KeyboardInterrupt
