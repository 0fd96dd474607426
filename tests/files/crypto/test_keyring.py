"""The keyring: what it wraps, what it refuses to unwrap, and that it never shows a key."""

from __future__ import annotations

import base64
import traceback
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from files.crypto.errors import CryptoError, Damaged, MalformedKey, UnknownMasterKey, WrongKey
from files.crypto.keyring import (
    HELD_LENGTH,
    Custody,
    KeyRecord,
    Keyring,
    KeyState,
    LocalMasterKey,
    WrappedKey,
    generate_dek,
    generate_master_key,
    hold,
    release,
)
from files.crypto.stream.keys import Context, derive_keys

OLD, NEW, USER = (base64.urlsafe_b64encode(bytes([n]) * 32).decode() for n in (1, 2, 3))
DEK = bytes(range(32))
CONTEXT = Context(UUID(int=1), UUID(int=2), 1_700_000_000)
MANAGED = KeyRecord(
    state=KeyState.SEALED,
    context=CONTEXT,
    size=1234,
    commitment=derive_keys(DEK, CONTEXT).commitment,
    custody=Custody.MANAGED,
    material=DEK,
)
HELD = replace(MANAGED, custody=Custody.HELD, material=hold(DEK, USER, CONTEXT))
UPLOADING = replace(MANAGED, state=KeyState.UPLOADING, size=0)
RECORDS = [
    MANAGED,
    HELD,
    UPLOADING,
    replace(UPLOADING, custody=Custody.HELD),
    replace(HELD, state=KeyState.UPLOADING, size=0),
]


def unwrap(ring: Keyring, wrapped: WrappedKey, record: KeyRecord) -> KeyRecord:
    """Unwrap, expecting the fields of ``record``."""
    return ring.unwrap(
        wrapped,
        context=record.context,
        size=record.size,
        custody=record.custody,
        state=record.state,
    )


# The record


@pytest.mark.parametrize("record", RECORDS)
def test_record_round_trip(record: KeyRecord) -> None:
    assert KeyRecord.decode(record.encode()) == record


def test_record_layout() -> None:
    """The layout of docs/stream-format.md, spelt out."""
    assert MANAGED.encode() == (
        bytes.fromhex("8953434b0d0a1a0a" + "01" + "02" + "01" + "0000000000")
        + bytes(15)
        + b"\1"
        + bytes(15)
        + b"\2"
        + (1_700_000_000).to_bytes(8, "big")
        + (1234).to_bytes(8, "big")
        + derive_keys(DEK, CONTEXT).commitment
        + DEK
    )


@pytest.mark.parametrize("at", range(16))
def test_record_refuses_another_head(at: int) -> None:
    data = bytearray(MANAGED.encode())
    data[at] ^= 0x40
    with pytest.raises(Damaged):
        KeyRecord.decode(bytes(data))


@pytest.mark.parametrize("record", [MANAGED, HELD])
def test_record_refuses_another_length(record: KeyRecord) -> None:
    data = record.encode()
    for other in (*(data[:n] for n in range(len(data))), data + b"\0", data * 2):
        with pytest.raises(Damaged):
            KeyRecord.decode(other)


@given(st.binary(max_size=250))
def test_record_refuses_noise(noise: bytes) -> None:
    with pytest.raises(Damaged):
        KeyRecord.decode(noise)
    with pytest.raises(Damaged):
        KeyRecord.decode(HELD.encode()[:9] + noise[:40])


def test_a_sealed_held_record_never_holds_the_bare_key() -> None:
    with pytest.raises(ValueError, match="held key"):
        replace(HELD, material=DEK)
    with pytest.raises(ValueError, match="held key"):
        replace(UPLOADING, custody=Custody.HELD).seal(5)


def test_an_unsealed_record_has_no_size() -> None:
    with pytest.raises(ValueError, match="no size"):
        replace(UPLOADING, size=1)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_commitment_has_32_bytes(length: int) -> None:
    with pytest.raises(ValueError, match="commitment"):
        replace(MANAGED, commitment=bytes(length))


def test_seal() -> None:
    assert UPLOADING.seal(1234) == MANAGED
    held = replace(UPLOADING, custody=Custody.HELD)
    assert held.seal(1234, material=HELD.material) == HELD


def test_a_record_does_not_show_its_material() -> None:
    for secret in (repr(DEK), DEK.hex(), repr(HELD.material)):
        assert secret not in repr(MANAGED) + repr(HELD)


# Wrapping


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


# Master keys


def test_the_first_key_is_primary() -> None:
    ring = Keyring.from_text(f"{NEW},{OLD}")
    assert ring.ids == (LocalMasterKey(NEW).id, LocalMasterKey(OLD).id)
    assert ring.primary_id == ring.ids[0]
    assert ring.ids[1] in ring
    assert LocalMasterKey(USER).id not in ring


@pytest.mark.parametrize(
    "text", [f"{NEW},{OLD}", f" {NEW} , {OLD} ", f"{NEW}\n{OLD}\n", f",{NEW},\r\n\t{OLD},"]
)
def test_keys_are_separated_by_commas_and_white_space(text: str) -> None:
    assert Keyring.from_text(text).ids == Keyring.from_text(f"{NEW},{OLD}").ids


@pytest.mark.parametrize("text", ["", "  ", ",", "\n,\n"])
def test_a_keyring_is_never_empty(text: str) -> None:
    with pytest.raises(ValueError, match="no master key"):
        Keyring.from_text(text)
    with pytest.raises(ValueError, match="at least one"):
        Keyring([])


def test_a_key_is_configured_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        Keyring.from_text(f"{OLD},{NEW},{OLD}")


def test_a_fingerprint_is_stable_and_short() -> None:
    key_id = LocalMasterKey(OLD).id
    assert key_id == LocalMasterKey(OLD).id == "494f40f8e5964fc5"
    assert key_id != LocalMasterKey(NEW).id


@pytest.mark.parametrize(
    "text",
    [
        "changeme-changeme",
        OLD[:-1],
        OLD[:-2] + "==",
        OLD + "=",
        OLD[:20] + "!" + OLD[21:],
        OLD[:20] + "é" + OLD[21:],
        base64.b64encode(b"\xfb" * 32).decode(),
        base64.urlsafe_b64encode(bytes(31)).decode(),
        OLD * 2,
    ],
)
def test_a_malformed_key_is_refused_and_not_shown(text: str) -> None:
    for make in (
        lambda: LocalMasterKey(text),
        lambda: Keyring.from_text(f"{NEW},{text}"),
        lambda: hold(DEK, text, CONTEXT),
        lambda: release(HELD.material, text, CONTEXT),
    ):
        with pytest.raises(MalformedKey, match="44 characters") as refusal:
            make()
        shown = "".join(traceback.format_exception_only(refusal.value))
        assert text not in shown
        assert text[:8] not in shown


def test_the_position_of_a_malformed_key_is_told() -> None:
    with pytest.raises(MalformedKey, match="number 2 of 3"):
        Keyring.from_text(f"{NEW},oops,{OLD}")


def test_keys_are_not_shown() -> None:
    ring = Keyring.from_text(f"{NEW},{OLD}")
    shown = repr(ring) + repr(LocalMasterKey(OLD)) + str(ring)
    assert ring.primary_id in shown
    assert OLD not in shown
    assert NEW not in shown


def test_generated_keys() -> None:
    assert len({generate_dek() for _ in range(8)}) == 8
    assert len(generate_dek()) == 32
    keys = {generate_master_key() for _ in range(8)}
    assert len(keys) == 8
    for key in keys:
        LocalMasterKey(key)
        Fernet(key)


# Secrets


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


# Held custody


def test_hold_and_release() -> None:
    material = hold(DEK, USER, CONTEXT)
    assert len(material) == HELD_LENGTH == 137
    assert DEK not in material
    assert release(material, USER, CONTEXT) == DEK
    assert release(material, f"  {USER}\r\n", CONTEXT) == DEK


def test_material_is_never_the_same_twice() -> None:
    assert hold(DEK, USER, CONTEXT) != hold(DEK, USER, CONTEXT)


def test_a_wrong_user_key() -> None:
    same_signing_half = base64.urlsafe_b64encode(bytes([3]) * 16 + bytes(16)).decode()
    for key in (OLD, generate_master_key(), same_signing_half):
        with pytest.raises(WrongKey):
            release(HELD.material, key, CONTEXT)


@pytest.mark.parametrize(
    "other",
    [
        replace(CONTEXT, file_id=UUID(int=9)),
        replace(CONTEXT, stream_id=UUID(int=9)),
        replace(CONTEXT, created_at=9),
    ],
)
def test_material_of_another_stream_opens_with_no_key(other: Context) -> None:
    with pytest.raises(WrongKey):
        release(HELD.material, USER, other)


def test_altered_material_is_refused() -> None:
    for at in range(HELD_LENGTH):
        material = bytearray(HELD.material)
        material[at] ^= 1 << at % 8
        with pytest.raises(CryptoError) as refusal:
            release(bytes(material), USER, CONTEXT)
        assert refusal.type is (WrongKey if at < 32 else Damaged)


@pytest.mark.parametrize("length", [0, 32, 136, 138])
def test_material_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(Damaged, match="length"):
        release(bytes(length), USER, CONTEXT)


def test_only_a_data_key_is_held() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        hold(b"short", USER, CONTEXT)
