"""The keyring: what it wraps, what it refuses to unwrap, and that it never shows a key."""

from __future__ import annotations

import base64
from dataclasses import replace
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from files.crypto.errors import Damaged, UnknownMasterKey
from files.crypto.keyrecord import Custody, KeyRecord, KeyState, WrappedKey
from files.crypto.keyring import Keyring
from files.crypto.masterkey import LocalMasterKey
from tests.files.crypto.records import (
    CONTEXT,
    DEK,
    HELD,
    MANAGED,
    NEW,
    OLD,
    RECORDS,
    UPLOADING,
    USER,
)


def unwrap(ring: Keyring, wrapped: WrappedKey, record: KeyRecord) -> KeyRecord:
    """Unwrap, expecting the fields of ``record``."""
    return ring.unwrap(
        wrapped,
        context=record.context,
        size=record.size,
        custody=record.custody,
        state=record.state,
    )


@pytest.mark.parametrize("record", RECORDS)
def test_wrap_and_unwrap(record: KeyRecord) -> None:
    ring = Keyring.from_text(OLD)
    wrapped = ring.wrap(record)
    assert wrapped.master_key_id == ring.primary_id
    assert unwrap(ring, wrapped, record) == record


def test_a_wrapped_key_is_a_token_that_fernet_opens() -> None:
    wrapped = Keyring.from_text(OLD).wrap(MANAGED)
    assert Fernet(OLD).decrypt(base64.urlsafe_b64encode(wrapped.token)) == MANAGED.encode()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("stream", replace(MANAGED, context=replace(CONTEXT, file_id=uuid4()))),
        ("stream", replace(MANAGED, context=replace(CONTEXT, stream_id=uuid4()))),
        ("stream", replace(MANAGED, context=replace(CONTEXT, created_at=1))),
        ("size", replace(MANAGED, size=1235)),
        ("size", replace(MANAGED, size=0)),
        ("custody", HELD),
        ("state", replace(MANAGED, state=KeyState.UPLOADING, size=0)),
    ],
)
def test_a_wrapped_key_of_another_row_is_refused(name: str, expected: KeyRecord) -> None:
    ring = Keyring.from_text(OLD)
    with pytest.raises(Damaged) as refusal:
        unwrap(ring, ring.wrap(MANAGED), expected)
    assert name in refusal.value.reason


def test_an_unsealed_wrapped_key_is_refused() -> None:
    ring = Keyring.from_text(OLD)
    with pytest.raises(Damaged, match="state"):
        ring.unwrap(ring.wrap(UPLOADING), context=CONTEXT, size=0, custody=Custody.MANAGED)


def test_every_altered_byte_of_a_token_is_refused() -> None:
    ring = Keyring.from_text(OLD)
    wrapped = ring.wrap(MANAGED)
    for at in range(len(wrapped.token)):
        token = bytearray(wrapped.token)
        token[at] ^= 1 << at % 8
        with pytest.raises(Damaged):
            unwrap(ring, replace(wrapped, token=bytes(token)), MANAGED)
        with pytest.raises(Damaged):
            unwrap(ring, replace(wrapped, token=wrapped.token[:at]), MANAGED)


@pytest.mark.parametrize("plaintext", [b"", DEK, b"x" * 200, CONTEXT.encode() + DEK * 2])
def test_a_token_of_something_else_is_refused(plaintext: bytes) -> None:
    key = LocalMasterKey(OLD)
    wrapped = WrappedKey(key.id, key.encrypt(plaintext, {}))
    with pytest.raises(Damaged, match="not a key record"):
        unwrap(Keyring([key]), wrapped, MANAGED)
    with pytest.raises(Damaged, match="not a key record"):
        Keyring([key]).rewrap(wrapped, context=CONTEXT)


def test_an_unknown_master_key_is_named() -> None:
    wrapped = Keyring.from_text(OLD).wrap(MANAGED)
    with pytest.raises(UnknownMasterKey, match=wrapped.master_key_id) as refusal:
        unwrap(Keyring.from_text(NEW), wrapped, MANAGED)
    assert refusal.value.key_id == LocalMasterKey(OLD).id


def test_a_token_under_the_name_of_another_key_is_refused() -> None:
    ring = Keyring.from_text(f"{NEW},{OLD}")
    wrapped = Keyring.from_text(OLD).wrap(MANAGED)
    with pytest.raises(Damaged):
        unwrap(ring, replace(wrapped, master_key_id=ring.primary_id), MANAGED)


@pytest.mark.parametrize("record", RECORDS)
def test_rewrap_moves_a_record_to_the_primary_key_and_changes_nothing(record: KeyRecord) -> None:
    old = Keyring.from_text(OLD).wrap(record)
    rewrapped = Keyring.from_text(f"{NEW},{OLD}").rewrap(old, context=CONTEXT)
    alone = Keyring.from_text(NEW)
    assert rewrapped.master_key_id == alone.primary_id
    assert unwrap(alone, rewrapped, record) == record


def test_rewrap_refuses_the_record_of_another_stream() -> None:
    ring = Keyring.from_text(OLD)
    with pytest.raises(Damaged, match="another stream"):
        ring.rewrap(ring.wrap(MANAGED), context=replace(CONTEXT, stream_id=uuid4()))


def test_the_first_key_is_primary() -> None:
    ring = Keyring.from_text(f"{NEW},{OLD}")
    assert ring.ids == (LocalMasterKey(NEW).id, LocalMasterKey(OLD).id)
    assert ring.primary_id == ring.ids[0]
    assert ring.ids[1] in ring
    assert LocalMasterKey(USER).id not in ring


@pytest.mark.parametrize("text", ["", "  ", ",", "\n,\n"])
def test_a_keyring_is_never_empty(text: str) -> None:
    with pytest.raises(ValueError, match="no master key"):
        Keyring.from_text(text)
    with pytest.raises(ValueError, match="at least one"):
        Keyring([])


def test_a_key_is_configured_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        Keyring.from_text(f"{OLD},{NEW},{OLD}")


def test_keys_are_not_shown() -> None:
    ring = Keyring.from_text(f"{NEW},{OLD}")
    shown = repr(ring) + repr(LocalMasterKey(OLD)) + str(ring)
    assert ring.primary_id in shown
    assert OLD not in shown
    assert NEW not in shown


PURPOSE = "securestore/test/1"


@given(st.binary(max_size=200))
def test_a_secret_comes_back(secret: bytes) -> None:
    ring = Keyring.from_text(f"{NEW},{OLD}")
    wrapped = ring.wrap_secret(secret, PURPOSE)
    assert wrapped.master_key_id == ring.primary_id
    assert ring.unwrap_secret(wrapped, PURPOSE) == secret


def test_a_secret_is_rewrapped() -> None:
    wrapped = Keyring.from_text(OLD).wrap_secret(b"secret", PURPOSE)
    new = Keyring.from_text(f"{NEW},{OLD}").rewrap_secret(wrapped, PURPOSE)
    assert Keyring.from_text(NEW).unwrap_secret(new, PURPOSE) == b"secret"
    with pytest.raises(UnknownMasterKey):
        Keyring.from_text(NEW).rewrap_secret(wrapped, PURPOSE)


@pytest.mark.parametrize("other", ["", "securestore/test/", "securestore/test/11", "other"])
def test_a_secret_of_another_purpose_is_refused(other: str) -> None:
    ring = Keyring.from_text(OLD)
    for secret in (b"", b"1", b"secret"):
        with pytest.raises(Damaged, match="purpose"):
            ring.unwrap_secret(ring.wrap_secret(secret, PURPOSE), other)


@pytest.mark.parametrize("record", RECORDS)
def test_a_streams_key_is_no_secret_and_a_secret_is_no_streams_key(record: KeyRecord) -> None:
    ring = Keyring.from_text(OLD)
    with pytest.raises(Damaged, match="purpose"):
        ring.unwrap_secret(ring.wrap(record), PURPOSE)
    # Not even the bytes of a record, kept as a secret, open as a key.
    disguised = ring.wrap_secret(record.encode(), PURPOSE)
    with pytest.raises(Damaged, match="not a key record"):
        unwrap(ring, disguised, record)
    with pytest.raises(Damaged, match="not a key record"):
        ring.rewrap(disguised, context=record.context)
