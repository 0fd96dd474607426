"""Binary tokens against the Fernet specification's vectors and against ``Fernet`` both ways."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import cryptography_vectors
import pytest
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from files.crypto.errors import Damaged
from files.crypto.tokens import SLACK, Opening, Sealing, TokenCodec, open_token, seal, token_length

KEY = bytes(range(32))
FERNET = Fernet(base64.urlsafe_b64encode(KEY))


def vectors(name: str) -> list[Any]:
    folder = Path(cryptography_vectors.__file__).parent / "fernet"
    cases: list[Any] = json.loads((folder / name).read_text())
    return cases


def strict_b64decode(text: str) -> bytes:
    return base64.b64decode(text, altchars=b"-_", validate=True)


@pytest.mark.parametrize("case", vectors("generate.json"))
def test_generate_vectors(case: dict[str, Any]) -> None:
    token = seal(
        strict_b64decode(case["secret"]),
        case["src"].encode(),
        timestamp=int(datetime.fromisoformat(case["now"]).timestamp()),
        iv=bytes(case["iv"]),
    )
    assert base64.urlsafe_b64encode(token).decode() == case["token"]


@pytest.mark.parametrize("case", vectors("verify.json"))
def test_verify_vectors(case: dict[str, Any]) -> None:
    token = strict_b64decode(case["token"])
    assert open_token(strict_b64decode(case["secret"]), token) == case["src"].encode()


@pytest.mark.parametrize("case", vectors("invalid.json"), ids=lambda case: str(case["desc"]))
def test_invalid_vectors(case: dict[str, Any]) -> None:
    """Where the specification would compare a time to live, a frame's time must be exact."""
    now = int(datetime.fromisoformat(case["now"]).timestamp())
    with pytest.raises((Damaged, binascii.Error)) as refusal:
        open_token(strict_b64decode(case["secret"]), strict_b64decode(case["token"]), timestamp=now)
    assert refusal.type is (binascii.Error if "base64" in case["desc"] else Damaged)


@given(st.binary(max_size=200), st.integers(0, 2**63))
def test_fernet_opens_what_the_codec_seals(plaintext: bytes, timestamp: int) -> None:
    token = base64.urlsafe_b64encode(seal(KEY, plaintext, timestamp=timestamp))
    assert FERNET.decrypt(token) == plaintext
    assert FERNET.extract_timestamp(token) == timestamp


@given(st.binary(max_size=200), st.integers(0, 2**63))
def test_the_codec_opens_what_fernet_seals(plaintext: bytes, timestamp: int) -> None:
    token = strict_b64decode(FERNET.encrypt_at_time(plaintext, timestamp).decode())
    assert len(token) == token_length(len(plaintext))
    assert open_token(KEY, token, timestamp=timestamp) == plaintext


@given(st.binary(max_size=70), st.data())
def test_any_altered_token_is_refused_by_both(plaintext: bytes, data: st.DataObject) -> None:
    token = bytearray(seal(KEY, plaintext, timestamp=1))
    at = data.draw(st.integers(0, len(token) - 1))
    token[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Damaged):
        open_token(KEY, token)
    with pytest.raises(InvalidToken):
        FERNET.decrypt(base64.urlsafe_b64encode(token))


@given(st.binary(max_size=300))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(Damaged):
        open_token(KEY, noise)


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_parts_seal_as_their_concatenation(parts: list[bytes]) -> None:
    whole = b"".join(parts)
    out = bytearray(b"\xff" * token_length(len(whole)))
    iv = bytes(range(16))
    TokenCodec(KEY).seal_into(memoryview(out), *parts, timestamp=7, iv=iv)
    assert out == seal(KEY, whole, timestamp=7, iv=iv)


@pytest.mark.parametrize("length", range(34))
def test_every_length_of_padding_is_opened(length: int) -> None:
    plaintext = bytes(range(100, 100 + length))
    token = seal(KEY, plaintext, timestamp=1)
    assert open_token(KEY, token) == plaintext
    out = memoryview(bytearray(len(token) + SLACK))
    assert TokenCodec(KEY).open_into(token, out) == length
    assert out[:length] == plaintext


@pytest.mark.parametrize("version", [b"\x81", b"\x7f"])
def test_another_version_is_refused_although_it_was_made_with_the_key(version: bytes) -> None:
    body = version + seal(KEY, b"payload", timestamp=1)[1:-32]
    token = body + hmac.digest(KEY[:16], body, "sha256")
    with pytest.raises(Damaged, match="version"):
        open_token(KEY, token)


@pytest.mark.parametrize("end", [b"\0", b"\x11", b"\x02", b"\x01\x02", b"\xff"])
def test_wrong_padding_is_refused_although_it_was_made_with_the_key(end: bytes) -> None:
    padded = bytes(32 - len(end)) + end
    encryptor = Cipher(algorithms.AES128(KEY[16:]), modes.CBC(bytes(16))).encryptor()
    body = b"\x80" + bytes(8) + bytes(16) + encryptor.update(padded) + encryptor.finalize()
    with pytest.raises(Damaged, match="padding"):
        open_token(KEY, body + hmac.digest(KEY[:16], body, "sha256"))


def test_nothing_is_decrypted_before_the_mac_is_verified() -> None:
    token = bytearray(seal(KEY, b"secret " * 10, timestamp=1))
    token[-1] ^= 1
    out = bytearray(len(token) + SLACK)
    with pytest.raises(Damaged, match="HMAC"):
        TokenCodec(KEY).open_into(token, memoryview(out))
    assert out == bytes(len(out))


def test_another_timestamp_is_refused() -> None:
    with pytest.raises(Damaged, match="timestamp"):
        open_token(KEY, seal(KEY, b"", timestamp=1), timestamp=2)


def test_each_token_has_its_own_iv() -> None:
    tokens = {seal(KEY, b"same", timestamp=1) for _ in range(8)}
    assert len(tokens) == 8


@pytest.mark.parametrize("length", [0, 16, 31, 33, 44])
def test_a_key_has_32_bytes(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        TokenCodec(bytes(length))


@pytest.mark.parametrize("length", [0, 72, 74])
def test_a_token_fills_its_place_exactly(length: int) -> None:
    with pytest.raises(ValueError, match="exactly"):
        TokenCodec(KEY).seal_into(memoryview(bytearray(length)), b"", timestamp=1, iv=bytes(16))


@pytest.mark.parametrize("more", [-1, 1])
def test_each_frames_token_fills_its_place_exactly(more: int) -> None:
    frames = [
        Sealing(memoryview(bytearray(token_length(16) + by)), bytes(15), b"x", bytes(16))
        for by in (0, more)
    ]
    with pytest.raises(ValueError, match="of 16 bytes does not fill"):
        TokenCodec(KEY).seal_frames(frames, timestamp=1)
    assert not any(frames[0].out)  # Nor is any written before all are known to fit.


@pytest.mark.parametrize("length", [0, 14, 16])
def test_a_frame_has_a_prefix_of_15_bytes(length: int) -> None:
    room = memoryview(bytearray(token_length(length + 1)))
    with pytest.raises(ValueError, match="prefix has 15 bytes"):
        TokenCodec(KEY).seal_frames([Sealing(room, bytes(length), b"x", bytes(16))], timestamp=1)


def test_a_frame_is_opened_where_there_is_just_enough_room() -> None:
    token = seal(KEY, b"payload", timestamp=1)
    enough = len(token) - 57 + SLACK
    [length] = TokenCodec(KEY).open_frames(
        [Opening(token, memoryview(bytearray(enough)))], timestamp=1
    )
    assert length == len(b"payload")
    with pytest.raises(ValueError, match="too little room"):
        TokenCodec(KEY).open_frames(
            [Opening(token, memoryview(bytearray(enough - 1)))], timestamp=1
        )


@pytest.mark.parametrize("iv", [b"", bytes(15), bytes(17)])
def test_an_iv_has_16_bytes(iv: bytes) -> None:
    out = memoryview(bytearray(token_length(0)))
    with pytest.raises(ValueError, match=r"(?i)iv|assignment"):
        TokenCodec(KEY).seal_into(out, timestamp=1, iv=iv)
