"""The Range header, case by case, and against plain slicing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from files.web.transfers.byteranges import ByteRange, Unsatisfiable, parse_range


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-9", 0, 10),
        ("bytes=3-5", 3, 6),
        ("bytes=9-9", 9, 10),
        ("bytes=5-", 5, 10),
        ("bytes=0-", 0, 10),
        ("bytes=5-1000", 5, 10),
        ("bytes=-1", 9, 10),
        ("bytes=-10", 0, 10),
        ("bytes=-1000", 0, 10),
        ("Bytes=1-2", 1, 3),
        ("bytes = 1-2 ", 1, 3),
        (f"bytes=0-{'9' * 20}", 0, 10),
        (f"bytes=0-{'9' * 4000}", 0, 10),
        (f"bytes=-{'9' * 4000}", 0, 10),
        (f"bytes={'0' * 2000}3-{'0' * 2000}5", 3, 6),
    ],
)
def test_a_range_of_ten_bytes(header: str, start: int, stop: int) -> None:
    assert parse_range(header, 10) == ByteRange(start, stop)


@pytest.mark.parametrize(
    ("header", "size"),
    [
        ("bytes=10-", 10),
        ("bytes=10-20", 10),
        ("bytes=-0", 10),
        ("bytes=-0", 0),
        ("bytes=1-", 0),
        (f"bytes={'9' * 20}-", 10),
        (f"bytes={'9' * 21}-", 10),
        (f"bytes={'9' * 4000}-", 10),
        (f"bytes={'9' * 30}-{'9' * 31}", 10),
        (f"bytes=-{'0' * 4000}", 10),
    ],
)
def test_a_range_beyond_the_end_is_unsatisfiable(header: str, size: int) -> None:
    with pytest.raises(Unsatisfiable):
        parse_range(header, size)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=5-3",
        "bytes=1-2,4-5",
        "bytes=0-0,",
        "bytes=--1",
        "bytes=+1-2",
        "bytes=1-2-3",
        "bytes=0x1-2",
        "bytes=\u0661-\u0662",
        "items=1-2",
        f"bytes={'9' * 31}-{'9' * 30}",
        f"bytes={'9' * 100_000}-",
    ],
)
def test_anything_else_means_the_whole_file(header: str) -> None:
    assert parse_range(header, 10) is None


@pytest.mark.parametrize(("length", "found"), [(4096, True), (4097, False)])
def test_a_header_is_read_up_to_a_length(length: int, found: bool) -> None:
    header = "bytes=" + "-1".rjust(length - len("bytes="))
    assert len(header) == length
    assert (parse_range(header, 10) is not None) is found


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=0-0", "bytes=0-99", "bytes=-1", "bytes=-9"])
def test_a_range_of_an_empty_file_is_all_of_it(header: str) -> None:
    assert parse_range(header, 0) is None


@given(st.integers(0, 50), st.none() | st.integers(0, 60), st.none() | st.integers(0, 60))
def test_a_range_selects_what_a_slice_does(size: int, first: int | None, last: int | None) -> None:
    content = bytes(range(size))
    header = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    if first is None:
        expected = content[-last:] if last else b""
    else:
        expected = content[first : size if last is None else last + 1]
    try:
        found = parse_range(header, size)
    except Unsatisfiable:
        assert expected == b""
        return
    if found is None:
        nothing = size == 0 and (first == 0 or (first is None and last != 0))
        backwards = first is not None and last is not None and last < first
        assert first is last is None or backwards or nothing
        return
    assert content[found.start : found.stop] == expected != b""
    assert found.length == len(expected)
    assert found.content_range(size) == f"bytes {found.start}-{found.stop - 1}/{size}"
