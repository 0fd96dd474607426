"""The streaming upload handler: ragged chunks in, one sound upload for each file."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.test import RequestFactory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from files.crypto.stream.layout import FRAME_PAYLOAD
from files.models import Entry, FileRecord
from files.vault import opening, storing
from files.web.transfers.forms import BodyTooShort, CountedBody, ReceivedFile, VaultUploadHandler
from tests.files.multipart import BOUNDARY, CONTENT_TYPE, body, field, file

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


class Ragged(io.BytesIO):
    """A body that arrives in pieces of these lengths, again and again."""

    def __init__(self, data: bytes, lengths: list[int]) -> None:
        super().__init__(data)
        self._lengths = lengths
        self._reads = 0

    def read(self, size: int | None = -1) -> bytes:
        self._reads += 1
        piece = self._lengths[self._reads % len(self._lengths)]
        return super().read(piece if size is None or size < 0 else min(size, piece))


def received(
    owner: User, data: bytes, *, lengths: list[int] | None = None, declared: int | None = None
) -> tuple[VaultUploadHandler, list[ReceivedFile]]:
    """Parse a form; the handler and the files that it handed over."""
    request = RequestFactory().post("/", b"x", CONTENT_TYPE)
    request.META["CONTENT_LENGTH"] = str(len(data) if declared is None else declared)
    handler = VaultUploadHandler(request, owner)
    request.upload_handlers = [handler]
    try:
        _post, files = request.parse_file_upload(
            request.META,
            Ragged(data, lengths or [len(data) + 1]),
        )
    except BaseException:
        handler.abort()
        raise
    return handler, [one for one in files.getlist("files") if isinstance(one, ReceivedFile)]


# The store and the people stay as they are from one example to the next.
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    contents=st.lists(
        st.binary(max_size=300)
        # Looks like a boundary, or like the beginning of one.
        | st.sampled_from([f"\r\n--{BOUNDARY[:-1]}".encode(), b"\r\n--", b"--\r\n\r\n", b"\r\n"]),
        max_size=4,
    ),
    lengths=st.lists(st.integers(1, 200), min_size=1, max_size=5),
)
def test_files_arrive_whole_however_ragged_the_body(
    s3: S3Client, alice: User, contents: list[bytes], lengths: list[int]
) -> None:
    Entry.objects.all().delete()  # Their names are free again.
    parts = [file(f"{number}", content) for number, content in enumerate(contents)]
    handler, files = received(alice, body(field("a", "b"), *parts), lengths=lengths)
    try:
        records = storing.publish([one.upload for one in files])
        assert [record.name for record in records] == [part.filename for part in parts]
        assert [b"".join(opening.open_file(record).chunks()) for record in records] == contents
    finally:
        handler.abort()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_cut_body_is_ever_taken_for_a_whole_one(
    nothing_left: Callable[[], bool], alice: User, data: st.DataObject
) -> None:
    whole = body(file("..", b"refused"), file("a", b"1" * 200), file("b", b"2" * 200))
    end = data.draw(st.integers(0, len(whole) - 1))
    lengths = data.draw(st.lists(st.integers(1, 100), min_size=1, max_size=3))
    with pytest.raises(BodyTooShort):
        received(alice, whole[:end], lengths=lengths, declared=len(whole))
    assert nothing_left()


def test_nothing_is_a_file_before_it_is_published(
    alice: User, nothing_left: Callable[[], bool]
) -> None:
    handler, files = received(alice, body(file("a", b"1"), file("b", b"2")))
    assert len(files) == 2
    assert not FileRecord.objects.exists()
    handler.abort()
    assert nothing_left()


def test_a_received_file_says_what_it_is_and_has_nothing_to_read(alice: User, s3: S3Client) -> None:
    handler, [one] = received(alice, body(file("a.txt", b"12345")))
    assert (one.name, one.size, one.field) == ("a.txt", 5, "files")
    assert one.file is None
    one.close()
    handler.abort()


def test_a_body_is_counted_as_it_is_read() -> None:
    counted = CountedBody(io.BytesIO(b"12345"))
    assert (counted.read(2), counted.received) == (b"12", 2)
    assert (counted.read(), counted.read(), counted.received) == (b"345", b"", 5)


def test_a_body_brings_no_more_than_was_said_once() -> None:
    counted = CountedBody(io.BytesIO(b"1234567"))
    counted.at_most = 3
    assert (counted.read(5), counted.read(1)) == (b"123", b"4")
    counted.at_most = 2
    assert (counted.read(), counted.read(), counted.received) == (b"56", b"7", 7)


def test_pieces_of_a_large_file_end_with_its_frames(
    s3: S3Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but the first, which comes with what is before the file: none is copied to a frame."""
    taken: list[int] = []
    write = storing.Upload.write

    def noted(self: storing.Upload, data: bytes) -> None:
        taken.append(len(data))
        write(self, data)

    monkeypatch.setattr(storing.Upload, "write", noted)
    content = b"1" * (5 * FRAME_PAYLOAD + 7)
    handler, _ = received(alice, body(file("a", content)))
    handler.abort()
    ends = [sum(taken[:number]) for number in range(1, len(taken) + 1)]
    assert ends[-1] == len(content)
    assert [end % FRAME_PAYLOAD for end in ends[1:-2]] == [0] * len(ends[1:-2])
    assert taken.count(FRAME_PAYLOAD) == 4
