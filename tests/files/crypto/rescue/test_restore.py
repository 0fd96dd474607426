"""One object to one file: whole, refused, or in parts."""

from __future__ import annotations

import io
import os
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from files.crypto.rescue.outcome import Outcome, Status
from files.crypto.rescue.restore import restore
from files.crypto.salvage import Expected, Span
from files.crypto.stream.encryption import encrypt
from files.crypto.stream.keys import Context, derive_keys
from files.crypto.stream.layout import FRAME_LENGTH, FRAME_PAYLOAD, TRAILER_LENGTH
from tests.files.crypto.tampering import every_bit, tampered_objects

DEK = bytes(range(32))
CONTEXT = Context(UUID(int=1), UUID(int=2), 1_700_000_000)
STATUS = {"Damaged": Status.DAMAGED, "WrongKey": Status.WRONG_KEY}
F = FRAME_PAYLOAD


def objekt(content: bytes) -> bytes:
    return b"".join(encrypt(DEK, CONTEXT, [content]))


def expected(size: int) -> Expected:
    return Expected(CONTEXT, size, derive_keys(DEK, CONTEXT).commitment)


@pytest.mark.parametrize(
    "size",
    [
        0,
        1,
        15,
        16,
        17,
        F - 17,
        F - 16,
        F - 15,
        F - 1,
        F,
        F + 1,
        2 * F - 1,
        2 * F,
        2 * F + 1,
        3 * F,
        5 * F + 7,
    ],
)
@pytest.mark.parametrize("known", [False, True])
def test_every_size_is_restored(tmp_path: Path, size: int, known: bool) -> None:
    content = os.urandom(size)
    out = tmp_path / "out"
    outcome = restore(
        io.BytesIO(objekt(content)), DEK, out, expected=expected(size) if known else None
    )
    assert (outcome.status, outcome.size) == (Status.RESTORED, size)
    assert out.read_bytes() == content
    assert out.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [out]


def test_every_tampered_object_is_refused_by_its_entry(tmp_path: Path) -> None:
    content = os.urandom(3 * F)
    out = tmp_path / "out"
    count = 0
    for tampered in tampered_objects(DEK, CONTEXT, content):
        outcome = restore(
            io.BytesIO(tampered.object), tampered.dek, out, expected=expected(len(content))
        )
        assert outcome.status is STATUS[tampered.error.__name__], tampered.name
        count += 1
    assert count > 550
    assert list(tmp_path.iterdir()) == []


def test_every_tampered_object_is_refused_by_its_key_alone(tmp_path: Path) -> None:
    """Without a record, another whole stream of the same key is as genuine as this one.

    Only who has the key can make such a stream. The entry of an export tells them apart.
    """
    content = os.urandom(3 * F)
    genuine = objekt(content)
    out = tmp_path / "out"
    sound = set()
    for tampered in tampered_objects(DEK, CONTEXT, content):
        outcome = restore(io.BytesIO(tampered.object), tampered.dek, out)
        if outcome.status is Status.RESTORED:
            sound.add(tampered.name)
            out.unlink()
        elif outcome.status is Status.WRONG_KEY and tampered.error.__name__ == "Damaged":
            # Only the context in the trailer says what the key is for.
            assert tampered.object[-TRAILER_LENGTH:-32] != genuine[-TRAILER_LENGTH:-32]
        else:
            assert outcome.status is STATUS[tampered.error.__name__], tampered.name
    assert sound == {
        "the whole object of another file under the same data key",
        "the whole object of another stream of this file and data key",
        "an early final frame, and nothing after it",
        "forged frame 2: a short payload",
        "forged frame 2: a much shorter payload",
    }
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [0, 1, 16])
def test_every_bit_and_every_cut_of_a_short_object_is_refused(tmp_path: Path, size: int) -> None:
    out = tmp_path / "out"
    for tampered in every_bit(DEK, CONTEXT, bytes(size)):
        for record in (None, expected(size)):
            outcome = restore(io.BytesIO(tampered.object), DEK, out, expected=record)
            assert outcome.status in (Status.DAMAGED, Status.WRONG_KEY), tampered.name
    assert not out.exists()


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        restore(io.BytesIO(objekt(b"x")), DEK, out)
    assert out.read_bytes() == b"mine"


# --- Parts -------------------------------------------------------------------------------------


def parts(tmp_path: Path, data: bytes, *, size: int | None = None) -> tuple[Outcome, bytes]:
    out = tmp_path / "out"
    out.unlink(missing_ok=True)
    outcome = restore(
        io.BytesIO(data),
        DEK,
        out,
        expected=None if size is None else expected(size),
        partial=True,
    )
    return outcome, out.read_bytes() if out.exists() else b""


def test_a_sound_object_is_restored_whole_even_when_parts_would_do(tmp_path: Path) -> None:
    outcome, written = parts(tmp_path, objekt(b"all"))
    assert outcome.status is Status.RESTORED
    assert written == b"all"


def flipped(data: bytes, *frames: int) -> bytes:
    damaged = bytearray(data)
    for frame in frames:
        damaged[frame * FRAME_LENGTH + 1000] ^= 1
    return bytes(damaged)


@pytest.mark.parametrize("known", [False, True])
def test_what_is_missing_is_named_and_zero(tmp_path: Path, known: bool) -> None:
    content = os.urandom(5 * F + 7)
    data = flipped(objekt(content), 1, 2, 4)
    outcome, written = parts(tmp_path, data, size=len(content) if known else None)
    assert outcome.status is Status.PARTIAL
    assert outcome.missing == [Span(F, 3 * F), Span(4 * F, 5 * F)]
    holes = content[:F] + bytes(2 * F) + content[3 * F : 4 * F] + bytes(F) + content[5 * F :]
    assert written == holes


def test_a_cut_object_with_its_entry_has_its_full_length(tmp_path: Path) -> None:
    content = os.urandom(3 * F + 9)
    outcome, written = parts(tmp_path, objekt(content)[: 2 * FRAME_LENGTH + 50], size=len(content))
    assert outcome.missing == [Span(2 * F, len(content))]
    assert written == content[: 2 * F] + bytes(F + 9)


def test_the_end_is_unknown_when_the_last_frame_is_gone(tmp_path: Path) -> None:
    content = os.urandom(2 * F + 9)
    data = objekt(content)
    outcome, written = parts(tmp_path, data[: 2 * FRAME_LENGTH] + data[-TRAILER_LENGTH:])
    assert outcome.missing == [Span(2 * F, None)]
    assert "end was not found" in outcome.line()
    assert written == content[: 2 * F]


def test_bytes_lost_or_put_in_between_do_no_harm_to_the_frames_after_them(tmp_path: Path) -> None:
    content = os.urandom(4 * F + 9)
    data = objekt(content)
    shifted = (
        data[:100] + data[300 : FRAME_LENGTH * 2] + b"\x80junk" * 60_000 + data[2 * FRAME_LENGTH :]
    )
    outcome, written = parts(tmp_path, shifted)
    assert outcome.missing == [Span(0, F)]
    assert written == bytes(F) + content[F:]


def test_without_a_trailer_only_an_entry_helps(tmp_path: Path) -> None:
    content = os.urandom(F + 9)
    data = objekt(content)[:-TRAILER_LENGTH]
    outcome, written = parts(tmp_path, data)
    assert outcome.status is Status.DAMAGED
    assert written == b""
    outcome, written = parts(tmp_path, data, size=len(content))
    assert outcome.status is Status.PARTIAL
    assert outcome.missing == []
    assert written == content


def test_nothing_is_written_when_nothing_authenticates(tmp_path: Path) -> None:
    data = bytearray(objekt(b"short"))
    data[40] ^= 1
    outcome, _ = parts(tmp_path, bytes(data))
    assert outcome.status is Status.DAMAGED
    outcome = restore(io.BytesIO(objekt(b"short")), bytes(32), tmp_path / "out", partial=True)
    assert outcome.status is Status.WRONG_KEY
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=25)
@given(
    st.integers(0, 4 * F),
    st.sets(st.integers(0, 4), max_size=4),
    st.booleans(),
)
def test_parts_are_exactly_the_frames_that_are_intact(
    tmp_path_factory: pytest.TempPathFactory, size: int, bad: set[int], known: bool
) -> None:
    content = bytes([size % 251 + 1]) * size
    frames = max(1, -(-size // F))
    bad = {frame for frame in bad if frame < frames}
    data = bytearray(objekt(content))
    for frame in bad:
        data[frame * FRAME_LENGTH + 30] ^= 0x40
    out = tmp_path_factory.mktemp("parts") / "out"
    outcome = restore(
        io.BytesIO(bytes(data)),
        DEK,
        out,
        expected=expected(size) if known else None,
        partial=True,
    )
    if not bad:
        assert outcome.status is Status.RESTORED
        assert out.read_bytes() == content
    elif len(bad) == frames:
        assert outcome.status is Status.DAMAGED
        assert not out.exists()
    else:
        whole = b"".join(
            bytes(len(content[i * F : (i + 1) * F])) if i in bad else content[i * F : (i + 1) * F]
            for i in range(frames)
        )
        if not known and frames - 1 in bad:
            last = max(set(range(frames)) - bad)
            whole = whole[: (last + 1) * F]
        assert outcome.status is Status.PARTIAL
        assert out.read_bytes() == whole
        lost = {
            n
            for span in outcome.missing
            for n in range(span.start // F, frames)
            if span.end is None or n * F < span.end
        }
        assert lost == bad or (not known and bad <= lost)
