"""The ends of parts are where Django finds them, whatever pieces a body comes in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.http import multipartparser
from django.http.multipartparser import ChunkIter, LazyStream
from hypothesis import given
from hypothesis import strategies as st

from files.web.transfers.boundaries import Pieces

if TYPE_CHECKING:
    from collections.abc import Iterator

BOUNDARY = b"--a-b"
[DJANGOS] = Pieces.__bases__
"""Django's own search: the site has put ours in its place by now."""

BYTES = st.lists(
    st.sampled_from(
        [b"\r", b"\n", b"-", b"--", b"a", b"--a-", BOUNDARY, b"\r\n--a-b", b"\r\n--a-", b"." * 40]
    )
    | st.binary(max_size=8),
    max_size=12,
).map(b"".join)


class _Body:
    """Gives no more at once than a client sent."""

    def __init__(self, data: bytes, lengths: list[int]) -> None:
        self._data, self._lengths, self._turn = data, lengths, 0

    def read(self, size: int = -1) -> bytes:
        length = self._lengths[self._turn % len(self._lengths)]
        self._turn += 1
        piece, self._data = self._data[:length], self._data[length:]
        return piece


def _parts(
    kind: type, data: bytes, lengths: list[int], monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[bytes]]:
    with monkeypatch.context() as patch:
        patch.setattr(multipartparser, "BoundaryIter", kind)
        stream = LazyStream(ChunkIter(_Body(data, lengths)))  # type: ignore[arg-type]
        for part in multipartparser.InterBoundaryIter(stream, BOUNDARY):
            yield list(part)


@given(data=BYTES, lengths=st.lists(st.integers(1, 60), min_size=1, max_size=4))
def test_parts_end_where_django_finds_their_ends(data: bytes, lengths: list[int]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        # Django's alone is right only where all is there at once.
        theirs = [b"".join(one) for one in _parts(DJANGOS, data, [len(data) or 1], monkeypatch)]
        ours = [b"".join(one) for one in _parts(Pieces, data, lengths, monkeypatch)]
    assert ours == theirs


def test_the_site_has_it_in_djangos_place() -> None:
    assert multipartparser.BoundaryIter is Pieces


def test_a_piece_goes_on_as_it_was_read() -> None:
    """It is no copy, unless its end may be a boundary's beginning."""
    pieces = [bytes([65 + number]) * 1000 for number in range(3)]
    read = iter([*pieces, b"\r\n--a-b--"])
    stream = LazyStream(read)  # type: ignore[arg-type]
    part = Pieces(stream, BOUNDARY)  # Reads one byte, and puts it back.
    assert next(part) == pieces[0]
    assert next(part) is pieces[1]
    assert next(part) is pieces[2]
    assert list(part) == [b""]


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n", b"-", b"\r\n--a-", b"\n--", b"\r--a"])
def test_what_may_be_a_boundary_waits(end: bytes) -> None:
    for rest, kept in [(b"no", b"x" * 50 + end + b"no"), (None, b"x" * 50 + end)]:
        data = [b"x" * 50 + end, *([rest] if rest else [])]
        part = Pieces(LazyStream(iter(data)), BOUNDARY)  # type: ignore[arg-type]
        found = list(part)
        assert b"".join(found) == kept
        assert found[0] == b"x" * 50


def test_what_is_left_of_a_part_is_not_lost() -> None:
    """Who leaves a part in its middle finds the boundary that had begun there."""
    stream = LazyStream(iter([b"x" * 50 + b"\r\n--a", b"-b\r\nnext"]))  # type: ignore[arg-type]
    next(Pieces(stream, BOUNDARY))
    assert list(Pieces(stream, BOUNDARY)) == [b""]
    assert b"".join(Pieces(stream, BOUNDARY)) == b"\r\nnext"
