"""The content chain and its known answers; tokens of digests, which open for their stream alone."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from files.crypto.digests import (
    EMPTY,
    SLICE,
    ContentChain,
    Digesting,
    Digests,
    digest_all,
    open_digests,
    open_state,
    seal_digests,
    seal_state,
)
from files.crypto.errors import Damaged
from files.crypto.stream.keys import Context
from files.crypto.tokens import TokenCodec

pytestmark = pytest.mark.usefixtures("each_way")

DEK = bytes(range(32))
CONTEXT = Context(uuid.UUID(int=1), uuid.UUID(int=2), 1_700_000_000)
VECTORS = json.loads(
    (Path(__file__).parents[2] / "data" / "content_chain_vectors.json").read_text()
)
CONTENT = hashlib.shake_128(b"content chain").digest(3 * SLICE + 1000)


def by_definition(content: bytes) -> bytes:
    """The chain as it is written down, over a whole content."""
    chain = bytes(32)
    for start in range(0, len(content), 262_144):
        part = hashlib.sha256(content[start : start + 262_144]).digest()
        chain = hashlib.sha256(chain + part).digest()
    return chain


@pytest.mark.parametrize("known", VECTORS["chains"], ids=lambda known: str(known["size"]))
def test_known_answers(known: dict[str, Any]) -> None:
    """`content` is the first bytes of SHAKE128 of `seed`."""
    content = hashlib.shake_128(VECTORS["seed"].encode()).digest(known["size"])
    found = digest_all([content])
    assert found.chain.hex() == known["chain"]
    assert found.sha256 is not None
    assert found.sha256.hex() == known["sha256"]
    assert by_definition(content) == found.chain


@pytest.mark.parametrize("known", VECTORS["tokens"], ids=lambda known: str(known["name"]))
def test_known_tokens(known: dict[str, Any]) -> None:
    context = Context(uuid.UUID(known["file"]), uuid.UUID(known["stream"]), known["created_at"])
    sha256 = bytes.fromhex(known["sha256"]) or None
    digests = Digests(bytes.fromhex(known["chain"]), sha256)
    dek, token = bytes.fromhex(known["dek"]), bytes.fromhex(known["token"])
    assert open_digests(dek, context, token) == digests
    assert seal_digests(dek, context, digests, iv=bytes.fromhex(known["iv"])) == token


def test_no_bytes_have_the_chain_of_zeros() -> None:
    assert ContentChain().value == EMPTY == bytes(32)
    assert digest_all([b"", b""]).chain == EMPTY


@given(
    size=st.one_of(
        st.integers(0, 2000),
        st.sampled_from([SLICE - 1, SLICE, SLICE + 1, 2 * SLICE, 3 * SLICE + 1000]),
    ),
    cuts=st.lists(st.integers(0, 3 * SLICE + 1000), max_size=8),
)
def test_any_chunks_give_the_same_chain(size: int, cuts: list[int]) -> None:
    ends = sorted({0, *(cut for cut in cuts if cut < size), size})
    pieces = [CONTENT[start:end] for start, end in pairwise(ends)]
    assert digest_all(pieces).chain == by_definition(CONTENT[:size])
    assert digest_all(pieces) == digest_all([memoryview(CONTENT)[:size]])


@given(st.integers(0, 3), st.integers(0, SLICE))
def test_a_chain_goes_on_from_any_slice_and_says_what_it_is_in_its_middle(
    slices: int, more: int
) -> None:
    first = ContentChain()
    first.update(CONTENT)
    second = ContentChain(slices, first.after(slices))
    rest = CONTENT[slices * SLICE : slices * SLICE + more]
    second.update(rest)
    assert second.value == by_definition(CONTENT[: slices * SLICE + len(rest)])
    second.update(CONTENT[slices * SLICE + len(rest) :])
    assert second.value == first.value == by_definition(CONTENT)


@pytest.mark.parametrize("slices", range(10))
def test_whole_slices_that_wait_for_each_other_are_in_the_chain(slices: int) -> None:
    """Also where one asks before there are enough of them, and goes on."""
    content = [hashlib.shake_128(bytes([number])).digest(SLICE) for number in range(10)]
    chain, kept = ContentChain(), []
    for number, piece in enumerate(content):
        chain.update(piece if number != 5 else memoryview(piece))
        assert chain.slices == number + 1
        if number == slices:
            kept = [chain.after(slices + 1), chain.value]
    assert kept == [by_definition(b"".join(content[: slices + 1]))] * 2
    chain.forget(slices)
    chain.update(b"more")
    assert chain.value == by_definition(b"".join((*content, b"more")))


def test_memory_that_changes_afterwards_was_digested_before() -> None:
    chain, room = ContentChain(), bytearray(CONTENT[:SLICE])
    chain.update(room)
    room[:] = bytes(SLICE)
    assert chain.value == by_definition(CONTENT[:SLICE])


@given(st.integers(0, 9), st.integers(0, SLICE), st.integers(1, 5), st.booleans())
def test_pieces_that_change_afterwards_are_digested_at_once(
    slices: int, rest: int, together: int, whole: bool
) -> None:
    """As frames are that lie where the next ones are opened."""
    size = slices * SLICE + rest
    data = (bytes(range(251)) * (size // 251 + 1))[:size]
    digesting = Digesting(ContentChain(), from_the_start=whole)
    pieces = [data[at : at + SLICE] for at in range(0, size, SLICE)]
    for at in range(0, len(pieces), together):
        rooms = [bytearray(piece) for piece in pieces[at : at + together]]
        digesting.update_all([memoryview(room) for room in rooms])
        for room in rooms:
            room[:] = bytes(len(room))
    both = digest_all([data])
    assert digesting.digests() == (both if whole else Digests(both.chain))


def test_what_is_forgotten_is_only_what_was_before() -> None:
    chain = ContentChain()
    chain.update(CONTENT)
    kept = [chain.after(slices) for slices in range(4)]
    chain.forget(2)
    assert [chain.after(2), chain.after(3)] == kept[2:]
    with pytest.raises(KeyError):
        chain.after(1)
    chain.forget(99)
    assert chain.value == by_definition(CONTENT)


def test_a_continued_stream_has_no_sha256_and_one_without_a_chain_nothing() -> None:
    continued = Digesting(ContentChain(), from_the_start=False)
    continued.update(CONTENT)
    assert continued.digests() == Digests(by_definition(CONTENT), None)
    unknown = Digesting(None, from_the_start=False)
    unknown.update(CONTENT)
    assert unknown.digests() is None


@pytest.mark.parametrize(
    ("one", "other", "contradict"),
    [
        (Digests(b"a"), Digests(b"a"), False),
        (Digests(b"a"), Digests(b"b"), True),
        (Digests(b"a", b"s"), Digests(b"a"), False),
        (Digests(b"a", b"s"), Digests(b"a", b"s"), False),
        (Digests(b"a", b"s"), Digests(b"a", b"t"), True),
    ],
)
def test_what_is_not_known_contradicts_nothing(
    one: Digests, other: Digests, contradict: bool
) -> None:
    assert one.contradict(other) is other.contradict(one) is contradict


# --- Tokens --------------------------------------------------------------------------------------

BOTH = Digests(b"c" * 32, b"s" * 32)


@pytest.mark.parametrize("digests", [BOTH, replace(BOTH, sha256=None)])
def test_a_token_opens_and_shows_nothing(digests: Digests) -> None:
    first, second = (seal_digests(DEK, CONTEXT, digests) for _ in range(2))
    assert open_digests(DEK, CONTEXT, first) == open_digests(DEK, CONTEXT, second) == digests
    assert first != second
    assert b"cccc" not in first
    assert "cccc" not in repr(digests)
    assert "99" not in repr(digests)


@pytest.mark.parametrize(
    ("dek", "context"),
    [
        (bytes(32), CONTEXT),
        (DEK, replace(CONTEXT, stream_id=uuid.UUID(int=3))),
        (DEK, replace(CONTEXT, file_id=uuid.UUID(int=3))),
        (DEK, replace(CONTEXT, created_at=1)),
    ],
)
def test_tokens_open_for_their_stream_alone(dek: bytes, context: Context) -> None:
    token, state = seal_digests(DEK, CONTEXT, BOTH), seal_state(DEK, CONTEXT, 5, b"c" * 32)
    with pytest.raises(Damaged):
        open_digests(dek, context, token)
    with pytest.raises(Damaged):
        open_state(dek, context, 5, state)


@given(st.integers(0, 2**32), st.binary(min_size=32, max_size=32))
def test_a_state_opens_at_its_place_alone(slices: int, state: bytes) -> None:
    token = seal_state(DEK, CONTEXT, slices, state)
    assert open_state(DEK, CONTEXT, slices, token) == state
    with pytest.raises(Damaged):
        open_state(DEK, CONTEXT, slices + 1, token)


def test_one_kind_of_token_is_no_other() -> None:
    with pytest.raises(Damaged):
        open_digests(DEK, CONTEXT, seal_state(DEK, CONTEXT, 0, b"c" * 32))
    with pytest.raises(Damaged):
        open_state(DEK, CONTEXT, 0, seal_digests(DEK, CONTEXT, BOTH))


@pytest.mark.parametrize("plaintext", [b"", b"digest\0", b"digest\0" + bytes(31), b"x" * 39])
def test_a_token_of_something_else_is_damaged(
    plaintext: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TokenCodec, "open", lambda *_, **__: plaintext)
    with pytest.raises(Damaged):
        open_digests(DEK, CONTEXT, b"")
