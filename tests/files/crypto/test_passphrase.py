"""Keys from passphrases: Argon2id as RFC 9106 has it, what is kept of it, and its bounds."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2.low_level import Type, hash_secret_raw
from hypothesis import given
from hypothesis import strategies as st

from files.crypto.errors import Damaged, TooBusy
from files.crypto.fernetkey import check_user_key
from files.crypto.passphrase import Derivation, normalise
from runtime import slots
from runtime.slots import SLOTS, Slots

CHEAP = Derivation(bytes(16), memory=32, passes=1, lanes=4)
TEXT = "argon2id$v=19$m=65536,t=3,p=4$AAAAAAAAAAAAAAAAAAAAAA"


def test_the_parameters_are_the_second_recommended_option_of_rfc_9106() -> None:
    new = Derivation.new()
    assert (new.memory, new.passes, new.lanes, len(new.salt)) == (64 * 1024, 3, 4, 16)
    assert new.salt != Derivation.new().salt


@pytest.mark.parametrize("derivation", [CHEAP, Derivation(bytes(range(16)))])
def test_another_implementation_derives_the_same_key(derivation: Derivation) -> None:
    expected = hash_secret_raw(
        b"correct horse",
        derivation.salt,
        time_cost=derivation.passes,
        memory_cost=derivation.memory,
        parallelism=derivation.lanes,
        hash_len=32,
        type=Type.ID,
    )
    key = derivation.derive("correct horse")
    assert base64.urlsafe_b64decode(key) == expected
    assert check_user_key(key) == key


@given(salt=st.binary(min_size=16, max_size=16), lanes=st.integers(1, 16))
def test_what_was_kept_is_read_back(salt: bytes, lanes: int) -> None:
    derivation = Derivation(salt, memory=8 * lanes, passes=lanes, lanes=lanes)
    assert Derivation.decode(derivation.encode()) == derivation


@pytest.mark.parametrize(
    "text",
    [
        "",
        "argon2i" + TEXT.removeprefix("argon2id"),
        TEXT.replace("v=19", "v=16"),
        TEXT.replace("m=65536", "m=9999999"),
        TEXT.replace("m=65536", "m=31"),
        TEXT.replace("t=3", "t=0"),
        TEXT.replace("t=3", "t=99"),
        TEXT.replace("p=4", "p=0"),
        TEXT.replace("p=4", "p=99"),
        TEXT + "A",
        TEXT + "\n",
        TEXT + "$" + "A" * 43,
    ],
)
def test_what_somebody_else_put_there_is_refused(text: str) -> None:
    assert Derivation.decode(TEXT).encode() == TEXT
    with pytest.raises(Damaged):
        Derivation.decode(text)


@pytest.mark.parametrize(
    ("one", "other"), [("caf\u00e9", "cafe\u0301"), ("a b", " a b\n"), ("x", "x ")]
)
def test_the_same_passphrase_typed_in_another_way(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)
    assert CHEAP.derive(one) == CHEAP.derive(other)
    assert CHEAP.derive(one) != CHEAP.derive(one.upper())


def test_passphrases_typed_at_once_by_more_people_than_there_are_slots_all_become_keys() -> None:
    """The real thing at its real cost, since what it costs is what goes wrong."""
    derivation = Derivation(bytes(16))
    with ThreadPoolExecutor(2 * SLOTS) as pool:
        keys = set(pool.map(derivation.derive, ["x"] * (3 * SLOTS)))
    assert len(keys) == 1


def test_who_waits_too_long_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    none_left = Slots(0, patience=0.01, longest=60)
    with monkeypatch.context() as patch:
        patch.setattr(slots, "DERIVATIONS", none_left)
        with pytest.raises(TooBusy):
            CHEAP.derive("x")
    assert CHEAP.derive("x")
