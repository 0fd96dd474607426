"""The storage on a real store behind a network that breaks: nothing lost, nothing made up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from files.crypto.errors import Damaged
from files.crypto.stream.layout import FRAME_LENGTH
from files.storage import EncryptedS3Storage, StoreError, StoreUnavailable
from files.storage.backend import random_object_name
from tests.files.storage.objects import (
    PART,
    F,
    Hands,
    content,
    decrypted,
    encrypted,
    new_key,
    write,
)
from tests.integration.faulty_store import (
    Answer,
    EndEarly,
    Fault,
    FaultyStore,
    Flip,
    LoseAnswer,
    Reset,
)

if TYPE_CHECKING:
    from tests.conftest import Weed

BUCKET = "storage-faults"
SIZE = 12 * F + 7
LARGE = PART + 3 * F
MID_FRAME_2 = 2 * FRAME_LENGTH + 1000


def connect(weed: Weed, endpoint_url: str) -> EncryptedS3Storage:
    storage = EncryptedS3Storage(
        bucket_name=BUCKET,
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        access_key=weed.access_key,
        secret_key=weed.secret_key,
        connect_timeout=5,
        read_timeout=10,
    )
    storage.ensure_bucket()
    return storage


@pytest.fixture(scope="module")
def proxy(weed: Weed) -> Iterator[FaultyStore]:
    with FaultyStore(weed.endpoint_url) as proxy:
        yield proxy


@pytest.fixture
def network(proxy: FaultyStore) -> FaultyStore:
    """The way to the store, sound until a test says otherwise."""
    proxy.heal()
    return proxy


@pytest.fixture(scope="module")
def storage(weed: Weed, proxy: FaultyStore) -> EncryptedS3Storage:
    """A storage that reaches the store through the faulty network."""
    return connect(weed, proxy.endpoint_url)


@pytest.fixture(scope="module")
def hands(weed: Weed) -> Hands:
    """The way around the storage and the network."""
    return Hands(connect(weed, weed.endpoint_url))


# --- Reading ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "fault",
    [Reset(0), Reset(1), Reset(MID_FRAME_2), EndEarly(MID_FRAME_2), EndEarly(2 * FRAME_LENGTH)],
    ids=str,
)
def test_a_broken_read_goes_on_at_the_same_frame(
    storage: EncryptedS3Storage, network: FaultyStore, hands: Hands, fault: Reset | EndEarly
) -> None:
    name, key = hands.place(content(SIZE))
    network.fail(fault, having=name)
    assert b"".join(storage.reader(name, key).chunks()) == content(SIZE)
    first, second = [request for request in network.requests if name in request.target]
    assert first.first_byte == 0
    whole_frames = fault.after // FRAME_LENGTH
    if isinstance(fault, EndEarly):
        assert second.first_byte == whole_frames * FRAME_LENGTH
    else:
        assert second.first_byte in [index * FRAME_LENGTH for index in range(whole_frames + 1)]
    assert second.header("If-Match")


def test_a_read_goes_on_as_often_as_it_makes_way(
    storage: EncryptedS3Storage, network: FaultyStore, hands: Hands
) -> None:
    """The attempts are counted for each frame, not for the file."""
    name, key = hands.place(content(SIZE))
    network.fail(EndEarly(FRAME_LENGTH + 5), having=name, times=99)
    assert b"".join(storage.reader(name, key).chunks()) == content(SIZE)
    assert network.count("GET", name) == SIZE // F + 1


def test_a_read_that_makes_no_way_ends(
    storage: EncryptedS3Storage, network: FaultyStore, hands: Hands
) -> None:
    name, key = hands.place(content(SIZE))
    network.fail(EndEarly(MID_FRAME_2), having=name)
    network.fail(EndEarly(FRAME_LENGTH - 1), having=name, times=99)
    released = b""
    with pytest.raises(StoreUnavailable):
        for chunk in storage.reader(name, key).chunks():
            released += chunk
    assert released == content(2 * F)
    assert network.count("GET", name) == storage.max_attempts


@pytest.mark.parametrize("status", [500, 503])
def test_a_busy_store_is_asked_again(
    storage: EncryptedS3Storage, network: FaultyStore, hands: Hands, status: int
) -> None:
    name, key = hands.place(content(F))
    network.fail(Answer(status), having=name)
    assert storage.reader(name, key).read() == content(F)


def test_a_store_that_stays_busy_is_unavailable(
    storage: EncryptedS3Storage,
    network: FaultyStore,
    hands: Hands,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name, key = hands.place(content(F))
    network.fail(Answer(503), having=name, times=99)
    monkeypatch.setattr(storage, "max_attempts", 1)
    with pytest.raises(StoreUnavailable):
        storage.reader(name, key).read()


def test_an_object_replaced_while_the_connection_was_broken_is_refused(
    storage: EncryptedS3Storage, network: FaultyStore, hands: Hands
) -> None:
    name, key = hands.place(content(SIZE))
    network.fail(EndEarly(MID_FRAME_2), having=name)
    chunks = storage.reader(name, key).chunks(0, 3 * F)
    released = next(chunks)
    # The same file under the same key: only the version tells the two apart.
    hands.put(name, encrypted(key, content(SIZE)))
    with pytest.raises(Damaged, match="replaced"):
        for chunk in chunks:
            released += chunk
    assert released == content(2 * F)


@pytest.mark.parametrize("offset", [40, MID_FRAME_2, 12 * FRAME_LENGTH + 60])
def test_a_bit_that_flips_once_is_fetched_again(
    storage: EncryptedS3Storage, network: FaultyStore, hands: Hands, offset: int
) -> None:
    name, key = hands.place(content(SIZE))
    network.fail(Flip(offset), having=name)
    assert b"".join(storage.reader(name, key).chunks()) == content(SIZE)
    assert network.count("GET", name) == 2


def test_a_bit_that_flips_every_time_is_damage(
    storage: EncryptedS3Storage, network: FaultyStore, hands: Hands
) -> None:
    name, key = hands.place(content(SIZE))
    network.fail(Flip(MID_FRAME_2), having=name, times=99)
    released = b""
    with pytest.raises(Damaged):
        for chunk in storage.reader(name, key).chunks():
            released += chunk
    assert released == content(2 * F)


def test_a_reader_that_goes_away_frees_its_connection(
    storage: EncryptedS3Storage, network: FaultyStore, hands: Hands
) -> None:
    name, key = hands.place(content(2 * PART))
    for size in (0, F, 3 * F):
        with closing(storage.reader(name, key).chunks(size)) as chunks:
            next(chunks)
        assert network.wait_until_quiet()
        with closing(storage.reader(name, key).chunks(size, size + F)) as chunks:
            next(chunks)
        assert network.wait_until_quiet()


# --- Writing ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("size", "method", "having"),
    [
        (F, "PUT", ""),
        (LARGE, "POST", "uploadId="),
        (LARGE, "PUT", "partNumber=1"),
        (LARGE, "PUT", "partNumber=2"),
    ],
    ids=["put", "complete", "first part", "last part"],
)
@pytest.mark.parametrize("fault", [LoseAnswer(), Answer(500), Answer(503)], ids=str)
def test_a_write_outlives_a_lost_answer_and_a_busy_store(
    storage: EncryptedS3Storage,
    network: FaultyStore,
    hands: Hands,
    size: int,
    method: str,
    having: str,
    fault: Fault,
) -> None:
    network.fail(fault, method=method, having=having)
    name, key = write(storage, [content(size)])
    assert network.count(method, having) == 2
    assert decrypted(key, hands.get(name)) == content(size)
    assert hands.traces(name) == [name]


@pytest.mark.parametrize(
    ("size", "method", "having"),
    [
        (F, "PUT", ""),
        (LARGE, "POST", "uploads"),
        (LARGE, "PUT", "partNumber=1"),
        (LARGE, "PUT", "partNumber=2"),
        (LARGE, "POST", "uploadId="),
        (LARGE, "GET", ""),
    ],
    ids=["put", "create", "first part", "last part", "complete", "check"],
)
@pytest.mark.parametrize("fault", [LoseAnswer(), Answer(503)], ids=str)
def test_a_write_that_cannot_succeed_leaves_nothing(
    storage: EncryptedS3Storage,
    network: FaultyStore,
    hands: Hands,
    size: int,
    method: str,
    having: str,
    fault: Fault,
) -> None:
    name = random_object_name()
    network.fail(fault, method=method, having=having, times=3 if method != "GET" else 9)
    with pytest.raises(StoreError):
        write(storage, [content(size)], name=name)
    # A lost answer to the first request leaves an upload of unknown id, which listing finds.
    assert storage.discard(name)
    assert hands.traces(name) == []


def test_the_check_outlives_a_broken_connection_and_a_flipped_bit(
    storage: EncryptedS3Storage, network: FaultyStore, hands: Hands
) -> None:
    network.fail(Reset(100))
    network.fail(Flip(40))
    name, key = write(storage, [content(F)])
    assert network.count("GET", name) == 3
    assert decrypted(key, hands.get(name)) == content(F)


def test_a_foreign_object_outlives_a_lost_answer(
    storage: EncryptedS3Storage, network: FaultyStore, hands: Hands
) -> None:
    name, theirs = random_object_name(), encrypted(new_key(F), content(F))
    hands.put(name, theirs)
    network.fail(LoseAnswer(), method="PUT", times=3)
    with pytest.raises(StoreError):
        write(storage, [content(F)], name=name)
    assert hands.get(name) == theirs
