"""A key of a key management service: what it asks, what it keeps, and for how long."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import uuid4

import pytest

from files.crypto import kms
from files.crypto.errors import Damaged, KeyServiceRefused, KeyServiceUnavailable
from files.crypto.fernetkey import generate_master_key
from files.crypto.keyrecord import Custody, KeyRecord, KeyState, WrappedKey
from files.crypto.keyring import Keyring
from files.crypto.kms import KeyDescription, KmsMasterKey, UnwrapCache
from files.crypto.masterkey import LocalMasterKey, MasterKey
from files.crypto.stream.keys import Context, derive_keys, generate_dek
from files.crypto.tokens import TokenCodec

FIRST = "arn:aws:kms:eu-central-1:123456789012:key/first"
SECOND = "arn:aws:kms:eu-central-1:123456789012:key/second"
ELSEWHERE = "arn:aws:kms:us-east-1:123456789012:key/elsewhere"


class Service:
    """A key management service in memory: it binds the context, and counts what it is asked."""

    def __init__(self) -> None:
        self._codec = TokenCodec(bytes(32))
        self.asked: list[str] = []
        self.enabled = True
        self.down = False

    def _bound(self, key_id: str, context: Mapping[str, str]) -> bytes:
        return repr((key_id, sorted(context.items()))).encode() + b"\0"

    def _ask(self, what: str) -> None:
        if self.down:
            raise KeyServiceUnavailable("down")
        self.asked.append(what)

    def encrypt(self, key_id: str, plaintext: bytes, context: Mapping[str, str]) -> bytes:
        self._ask("encrypt")
        return self._codec.seal(self._bound(key_id, context) + plaintext, timestamp=1)

    def decrypt(self, key_id: str, ciphertext: bytes, context: Mapping[str, str]) -> bytes:
        self._ask("decrypt")
        plaintext = self._codec.open(ciphertext)
        bound = self._bound(key_id, context)
        if not plaintext.startswith(bound):
            raise Damaged("another key or context")
        return plaintext[len(bound) :]

    def re_encrypt(
        self, source_id: str, key_id: str, ciphertext: bytes, context: Mapping[str, str]
    ) -> bytes:
        self._ask("re_encrypt")
        plaintext = self._codec.open(ciphertext)[len(self._bound(source_id, context)) :]
        return self._codec.seal(self._bound(key_id, context) + plaintext, timestamp=1)

    def describe(self, key_id: str) -> KeyDescription:
        self._ask("describe")
        return KeyDescription(key_id, self.enabled)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in seconds; a test moves it."""
    now = [1000.0]
    monkeypatch.setattr("files.crypto.kms.time.monotonic", lambda: now[0])
    return now


def record() -> KeyRecord:
    context, dek = Context(uuid4(), uuid4(), 7), generate_dek()
    return KeyRecord(
        KeyState.SEALED, context, 9, derive_keys(dek, context).commitment, Custody.MANAGED, dek
    )


def unwrapped(ring: Keyring, wrapped: WrappedKey, of: KeyRecord) -> KeyRecord:
    return ring.unwrap(wrapped, context=of.context, size=of.size, custody=of.custody)


def test_the_service_is_told_the_streams_ids_as_its_context(service: Service) -> None:
    ring, one, two = Keyring([KmsMasterKey(service, FIRST)]), record(), record()
    wrapped = ring.wrap(one)
    assert wrapped.master_key_id == FIRST
    assert unwrapped(ring, wrapped, one) == one
    with pytest.raises(Damaged, match="another key or context"):
        unwrapped(ring, wrapped, two)


def test_keys_move_within_the_service_and_out_of_it_and_back(service: Service) -> None:
    local, key_record = LocalMasterKey(generate_master_key()), record()
    wrapped = Keyring([KmsMasterKey(service, FIRST)]).wrap(key_record)
    for primary, asked in ((SECOND, "re_encrypt"), (local.id, "decrypt"), (FIRST, "encrypt")):
        keys = {FIRST: KmsMasterKey(service, FIRST), SECOND: KmsMasterKey(service, SECOND)}
        every: list[MasterKey] = [*keys.values(), local]
        every.sort(key=lambda key: key.id != primary)
        service.asked.clear()
        wrapped = Keyring(every).rewrap(wrapped, context=key_record.context)
        assert (wrapped.master_key_id, service.asked) == (primary, [asked])
        assert unwrapped(Keyring(every[:1]), wrapped, key_record) == key_record


def test_a_key_of_another_region_is_rewrapped_by_us(service: Service) -> None:
    far, near, key_record = (
        KmsMasterKey(Service(), ELSEWHERE),
        KmsMasterKey(service, FIRST),
        record(),
    )
    wrapped = Keyring([far]).wrap(key_record)
    wrapped = Keyring([near, far]).rewrap(wrapped, context=key_record.context)
    assert service.asked == ["encrypt"]
    assert unwrapped(Keyring([near]), wrapped, key_record) == key_record


def test_the_ranges_of_a_download_are_one_request(service: Service, clock: list[float]) -> None:
    ring, one = Keyring([KmsMasterKey(service, FIRST)]), record()
    wrapped = ring.wrap(one)
    for _ in range(5):
        assert unwrapped(ring, wrapped, one) == one
    assert service.asked == ["encrypt", "decrypt"]
    service.down = True
    assert unwrapped(ring, wrapped, one) == one
    clock[0] += kms.CACHE_SECONDS
    with pytest.raises(KeyServiceUnavailable):
        unwrapped(ring, wrapped, one)


def test_a_row_that_changed_is_not_served_from_memory(service: Service) -> None:
    ring, one = Keyring([KmsMasterKey(service, FIRST)]), record()
    wrapped = ring.wrap(one)
    unwrapped(ring, wrapped, one)
    again = ring.wrap(one)
    service.asked.clear()
    unwrapped(ring, again, one)
    assert service.asked == ["decrypt"]


def test_secrets_are_not_kept(service: Service) -> None:
    ring = Keyring([KmsMasterKey(service, FIRST)])
    wrapped = ring.wrap_secret(b"seed", "a purpose")
    service.asked.clear()
    for _ in range(2):
        assert ring.unwrap_secret(wrapped, "a purpose") == b"seed"
    assert service.asked == ["decrypt", "decrypt"]


def test_the_cache_is_bounded_and_forgets_the_oldest() -> None:
    cache = UnwrapCache(3, 30.0)
    contexts = [{"file_id": str(n), "stream_id": "s"} for n in range(5)]
    for context in contexts:
        cache.put(context, b"token", b"plain")
    assert [cache.get(context, b"token") is not None for context in contexts] == [
        False,
        False,
        True,
        True,
        True,
    ]
    assert "plain" not in repr(cache)


def test_a_key_is_looked_at_now_and_then_only(service: Service, clock: list[float]) -> None:
    ring = Keyring([KmsMasterKey(service, FIRST), LocalMasterKey(generate_master_key())])
    for _ in range(3):
        ring.check(ring.ids)
    assert service.asked == ["describe"]
    service.enabled = False
    clock[0] += kms.CHECK_SECONDS
    for _ in range(2):
        with pytest.raises(KeyServiceRefused, match="is not enabled"):
            ring.check([FIRST])
