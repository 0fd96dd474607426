"""A writer that is suspended and continued by another one makes the same object as one alone."""

from __future__ import annotations

import os
import threading
from concurrent.futures import wait

import pytest
from botocore.exceptions import ConnectionClosedError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from files.crypto.errors import Damaged
from files.crypto.stream.keys import Context
from files.crypto.stream.layout import FRAME_LENGTH
from files.storage import (
    EncryptedS3Storage,
    ObjectKey,
    ObjectMissing,
    Progress,
    StoreUnavailable,
)
from files.storage.backend import random_object_name
from files.storage.parts import AT_ONCE
from files.storage.ranges import RangeAnswer
from files.storage.writer import ObjectWriter
from tests.files.storage.failures import Point, failing
from tests.files.storage.objects import PART, F, Hands, content, decrypted, new_context


class Relay:
    """One object written by one writer after another."""

    def __init__(self, storage: EncryptedS3Storage, size: int | None = None) -> None:
        self.storage = storage
        self.size = size
        self.name = random_object_name()
        self.dek: bytes = os.urandom(32)
        self.context: Context = new_context()
        self.progress: Progress | None = None
        self.told: list[Progress] = []

    def writer(self) -> ObjectWriter:
        return self.storage.writer(
            self.name,
            dek=self.dek,
            context=self.context,
            size=self.size,
            exact=self.size is not None,
            resume=self.progress,
            on_progress=self.told.append,
        )

    def run(self, data: bytes) -> Progress:
        """Write, and suspend."""
        with self.writer() as writer:
            writer.write(data)
            self.progress = writer.suspend()
        return self.progress

    def finish(self, data: bytes) -> ObjectKey:
        """Write the last bytes, and commit."""
        with self.writer() as writer:
            writer.write(data)
            sealed = writer.commit()
        return ObjectKey(self.dek, self.context, sealed.size, sealed.commitment)


@pytest.fixture
def relay(storage: EncryptedS3Storage) -> Relay:
    return Relay(storage)


LEGS = st.one_of(
    st.integers(0, 40), st.sampled_from([F - 1, F, F + 1, PART - F, PART, PART + 1, PART + 2 * F])
)


@settings(
    max_examples=8,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)
@given(
    legs=st.lists(LEGS, max_size=3), last=st.sampled_from([1, F - 1, F, PART]), known=st.booleans()
)
def test_any_number_of_writers_make_one_object(
    storage: EncryptedS3Storage, hands: Hands, legs: list[int], last: int, known: bool
) -> None:
    total = min(sum(legs) + last, 3 * PART)
    relay, whole, at = Relay(storage, total if known else None), content(3 * PART), 0
    for leg in legs:
        end = min(at + leg, total - 1)
        assert relay.run(whole[at:end]).offset == end
        at = end
    key = relay.finish(whole[at:total])
    assert decrypted(key, hands.get(relay.name)) == whole[:total]
    parts = hands.client.head_object(Bucket=hands.bucket, Key=relay.name, PartNumber=1)
    if total > PART:
        assert parts["ContentLength"] == PART // F * FRAME_LENGTH
    assert storage.discard(relay.name)
    assert hands.traces(relay.name) == []


def test_parts_that_travel_are_told_to_be_safe_though_the_rest_cannot_wait(
    relay: Relay, hands: Hands
) -> None:
    with relay.writer() as writer:
        writer.write(content(2 * PART + F + 1))
        with failing(hands, Point("PutObject"), after=False), pytest.raises(StoreUnavailable):
            writer.suspend()
        writer.release()
    assert relay.told[-1].offset == 2 * PART


def test_whole_parts_of_a_known_size_wait_nowhere(
    storage: EncryptedS3Storage, hands: Hands
) -> None:
    """What a client sends in multiples of a part is put into the store once."""
    relay = Relay(storage, 2 * PART + 1)
    with hands.calls() as calls:
        for _ in range(2):
            progress = relay.run(content(PART))
    assert [call.operation for call in calls if call.operation != "CreateMultipartUpload"] == [
        "UploadPart",
        "UploadPart",
    ]
    assert (progress.offset, progress.tails, progress.carry) == (2 * PART, (), b"")
    assert decrypted(relay.finish(b"!"), hands.get(relay.name)) == 2 * content(PART) + b"!"


def test_what_was_told_last_is_where_a_killed_writer_is_continued(
    relay: Relay, hands: Hands
) -> None:
    whole = content(PART) * (AT_ONCE + 2) + content(5 * F)
    killed = relay.writer()
    killed.write(whole)
    # Parts may overtake the first one, and nothing is told before it has arrived.
    while not relay.told:
        killed.write(content(PART))
        whole += content(PART)
    killed.release()
    relay.progress = relay.told[-1]
    assert relay.progress.offset == len(relay.progress.etags) * PART > 0
    key = relay.finish(whole[relay.progress.offset :])
    assert decrypted(key, hands.get(relay.name)) == whole


def test_a_tail_says_nothing_and_is_discarded_with_its_object(relay: Relay, hands: Hands) -> None:
    progress = relay.run(content(3 * F + 5))
    [tail] = progress.tails
    assert hands.traces(relay.name) == [tail.name]
    assert b"plaintext-marker" not in hands.get(tail.name) + progress.carry
    assert relay.storage.discard(relay.name)
    assert hands.traces(relay.name) == []


@pytest.mark.parametrize("at", [40, 2 * FRAME_LENGTH + 40, -1])
def test_a_damaged_tail_never_becomes_the_file(relay: Relay, hands: Hands, at: int) -> None:
    [tail] = relay.run(content(3 * F + 5)).tails
    data = bytearray(hands.get(tail.name))
    data[at] ^= 1
    hands.put(tail.name, bytes(data))
    with pytest.raises(Damaged):
        relay.finish(content(F))
    assert hands.traces(relay.name) == [tail.name]


def test_a_tail_in_anothers_place_is_damage(relay: Relay, hands: Hands) -> None:
    relay.run(content(2 * F))
    progress = relay.run(content(2 * F))
    first, second = (tail.name for tail in progress.tails[:2])
    data = hands.get(first)
    hands.put(first, hands.get(second)[: len(data)])
    with pytest.raises(Damaged):
        relay.finish(b"end")


def test_a_lost_tail_is_missing(relay: Relay, hands: Hands) -> None:
    [tail] = relay.run(content(3 * F)).tails
    hands.client.delete_object(Bucket=hands.bucket, Key=tail.name)
    with pytest.raises(ObjectMissing):
        relay.finish(b"end")


def test_a_tail_that_arrives_broken_once_is_fetched_again(
    relay: Relay, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay.run(content(3 * F))
    genuine = RangeAnswer.read_exactly
    broken: list[bytes] = []

    def read_exactly(answer: RangeAnswer, length: int) -> bytes:
        token = genuine(answer, length)
        if broken:
            return token
        broken.append(token)
        return token[:-1] + bytes([token[-1] ^ 1])

    monkeypatch.setattr(RangeAnswer, "read_exactly", read_exactly)
    key = relay.finish(content(4 * F)[3 * F :])
    assert decrypted(key, hands.get(relay.name)) == content(4 * F)


def test_a_suspension_that_fails_loses_nothing_that_was_safe(relay: Relay, hands: Hands) -> None:
    relay.run(content(2 * F + 1))
    lost = ConnectionClosedError(endpoint_url="http://store")
    # Leaving the writer's own `with` would take everything back; whoever resumes releases it.
    writer = relay.writer()
    writer.write(content(5 * F)[2 * F + 1 :])
    with hands.failing("PutObject", lost), pytest.raises(StoreUnavailable):
        writer.suspend()
    writer.release()
    key = relay.finish(content(5 * F)[2 * F + 1 :])
    assert decrypted(key, hands.get(relay.name)) == content(5 * F)


def test_a_suspended_or_released_writer_is_closed(relay: Relay) -> None:
    suspended, released = relay.writer(), relay.writer()
    suspended.suspend()
    released.release()
    released.release()
    for writer in (suspended, released):
        for use in (writer.commit, writer.suspend):
            with pytest.raises(ValueError, match="closed"):
                use()


def test_a_part_is_told_to_be_safe_before_the_next_is_full(
    storage: EncryptedS3Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow client fills no other part for long, and what a kill costs is what was not told."""
    relay, may_go = Relay(storage), threading.Event()
    with relay.writer() as writer:
        upload = writer._parts._upload

        def once_it_may(number: int, buffer: bytearray, length: int) -> str:
            assert may_go.wait(30)
            return upload(number, buffer, length)

        monkeypatch.setattr(writer._parts, "_upload", once_it_may)
        writer.write(content(PART + F + 1))
        assert relay.told == []
        may_go.set()
        wait(writer._parts._travelling)
        writer.write(b"another byte")
        assert [(len(told.etags), told.offset) for told in relay.told] == [(1, PART)]
