"""Wrapped keys from a database that somebody has written to."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from files.crypto.errors import CryptoError, Damaged, MalformedKey
from files.crypto.fernetkey import generate_master_key, parse_key
from files.crypto.heldkey import hold, release
from files.crypto.keyrecord import Custody, KeyRecord, KeyState, WrappedKey
from files.crypto.keyring import Keyring
from files.crypto.masterkey import LocalMasterKey
from files.crypto.stream.keys import Context
from tests.files.fuzz.amount import examples
from tests.files.fuzz.edits import Edit, apply, edits

CONTEXT = Context(uuid.UUID(int=1), uuid.UUID(int=2), 1_700_000_000)
DEK = bytes(range(32))
USER_KEY = generate_master_key()
MASTER = LocalMasterKey(generate_master_key())
RING = Keyring([MASTER])
RECORDS = {
    Custody.MANAGED: KeyRecord(KeyState.SEALED, CONTEXT, 5, bytes(32), Custody.MANAGED, DEK),
    Custody.HELD: KeyRecord(
        KeyState.SEALED, CONTEXT, 5, bytes(32), Custody.HELD, hold(DEK, USER_KEY, CONTEXT)
    ),
}
WRAPPED = {custody: RING.wrap(record) for custody, record in RECORDS.items()}
# Where a field of a record, or of the token around it, begins.
MARKS = (0, 8, 9, 10, 11, 16, 32, 48, 56, 64, 96, 128)

custodies = st.sampled_from(list(Custody))
changed = st.lists(edits(MARKS), min_size=1, max_size=3)


@given(st.one_of(st.binary(max_size=300), st.builds(apply, st.just(b""), changed)))
@example(b"")
@example(RECORDS[Custody.MANAGED].encode()[:-1])
@example(RECORDS[Custody.MANAGED].encode() + b"\0")
@examples(100)
def test_decode_takes_what_encode_wrote_and_nothing_else(data: bytes) -> None:
    _decode(data)


@given(custodies, changed)
@examples(200)
def test_decode_of_an_altered_record(custody: Custody, changes: Sequence[Edit]) -> None:
    _decode(apply(RECORDS[custody].encode(), changes))


def _decode(data: bytes) -> None:
    try:
        record = KeyRecord.decode(data)
    except Damaged:
        return
    assert record.encode() == data


@given(custodies, changed)
@examples(200)
def test_an_altered_token_is_refused(custody: Custody, changes: Sequence[Edit]) -> None:
    token = apply(WRAPPED[custody].token, changes)
    _unwrap_is_strict(token, custody, token == WRAPPED[custody].token)


@given(st.binary(max_size=300), custodies)
@examples(100)
def test_bytes_that_are_no_token_are_refused(token: bytes, custody: Custody) -> None:
    _unwrap_is_strict(token, custody, False)


@given(custodies, changed)
@examples(200)
def test_a_record_that_was_altered_and_wrapped_anew_is_refused(
    custody: Custody, changes: Sequence[Edit]
) -> None:
    """Not even who has the master key can hand over a record of another shape."""
    encoded = apply(RECORDS[custody].encode(), changes)
    # Commitment and material are no bound fields: the commitment of derived keys checks them.
    same = encoded[:64] == RECORDS[custody].encode()[:64] and _is_record(encoded)
    _unwrap_is_strict(MASTER.encrypt(encoded, {}), custody, same)


def _is_record(data: bytes) -> bool:
    try:
        KeyRecord.decode(data)
    except Damaged:
        return False
    return True


def _unwrap_is_strict(token: bytes, custody: Custody, is_good: bool) -> None:
    wrapped = WrappedKey(MASTER.id, token)
    try:
        record = RING.unwrap(wrapped, context=CONTEXT, size=5, custody=custody)
    except Damaged:
        assert not is_good
        with pytest.raises(Damaged):
            RING.unwrap_secret(wrapped, "fuzz")
    else:
        assert is_good
        assert (record.context, record.size, record.custody) == (CONTEXT, 5, custody)


@given(changed)
@examples(100)
def test_held_material_that_was_altered_is_refused(changes: Sequence[Edit]) -> None:
    material = RECORDS[Custody.HELD].material
    altered = apply(material, changes)
    try:
        dek = release(altered, USER_KEY, CONTEXT)
    except CryptoError:
        assert altered != material
    else:
        assert (dek, altered) == (DEK, material)


@given(st.one_of(st.text(max_size=60), st.text("AZaz09-_=+/ \n", min_size=42, max_size=46)))
@example("A" * 43 + "=")
@example("A" * 42 + "==")
@example("\uff21" * 43 + "=")
@example("A" * 43 + "=\n")
@examples(200)
def test_text_is_a_key_or_is_refused_without_being_shown(text: str) -> None:
    said = ""
    try:
        assert len(parse_key(text, "this")) == 32
    except MalformedKey as refused:
        said = str(refused)
    assert len(text) < 8 or text not in said
