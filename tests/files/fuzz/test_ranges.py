"""The Range header against a second reading of RFC 9110, section 14, that shares no code."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from files.web.transfers.byteranges import Unsatisfiable, parse_range
from tests.files.fuzz.amount import examples

WHOLE, NONE = "whole", "416"
DIGITS = set("0123456789")


def model(header: str, size: int) -> object:
    """What a header selects: (start, stop), the whole file, or nothing (416).

    ranges-specifier = range-unit "=" range-set; units without regard to case (14.1). A first-pos
    beyond the last-pos makes it invalid, and what is invalid is ignored (14.2). int-range needs a
    first-pos; suffix-range a length, of which 0 is unsatisfiable. White space is taken around the
    unit's "=" and after the set. An empty file has no range to answer with: it is sent whole.
    """
    unit, equals, wanted = header.partition("=")
    if not equals or unit.rstrip(" \t").lower() != "bytes":
        return WHOLE
    wanted = wanted.strip(" \t")
    first, dash, last = wanted.partition("-")
    if not dash or not set(first) | set(last) <= DIGITS:
        return WHOLE
    if first == last == "":
        return WHOLE
    if first == "":
        if int(last) == 0:
            return NONE
        return (max(0, size - int(last)), size) if size else WHOLE
    if last and int(first) > int(last):
        return WHOLE
    if int(first) == size == 0:
        return WHOLE
    if int(first) >= size:
        return NONE
    return int(first), size if last == "" else min(size, int(last) + 1)


positions = st.one_of(
    st.just(""), st.integers(0, 300).map(str), st.integers(0, 10**21).map(str), st.just("007")
)
spaces = st.sampled_from(["", " ", "\t", " \t ", "\n", "\xa0"])
units = st.sampled_from(
    ["bytes", "Bytes", "BYTES", "byte", "items", "", "bytes\u017f", "byte\u017f"]
)
shaped = st.builds(
    lambda unit, a, b, first, dash, last, c: f"{unit}{a}={b}{first}{dash}{last}{c}",
    units,
    spaces,
    spaces,
    positions,
    st.sampled_from(["-", "--", "", " - ", "\u2212"]),
    positions,
    st.sampled_from(["", " ", "\t", "\n", ",", ",1-2", ";", "\0"]),
)
headers = st.one_of(
    shaped,
    st.text("bytes=-0123456789, \t", max_size=40),
    st.text("=-+_0123456789\u0661\u0967\uff11\xb2", max_size=12).map("bytes={}".format),
    st.text(max_size=40),
)


@given(headers, st.one_of(st.integers(0, 300), st.integers(0, 2**50)))
@example("bytes=\u0661-\u0662", 10)  # Digits, but not of HTTP.
@example("bytes=1_0-2_0", 100)
@example("bytes=+1-2", 10)
@example("byte\u017f=0-1", 10)  # A long s: equal without case in Unicode, not in ASCII.
@example("bytes=-", 10)
@example("bytes=--1", 10)
@example("bytes=0-1\n", 10)
@example("bytes=-0", 10)
@example(f"bytes={'9' * 3000}-", 10)
@example("bytes=0-", 0)
@example("bytes=-1", 0)
@example("bytes=0-0,2-3", 10)
@example("bytes=00000000000000000001-2", 10)
@example("bytes=000000000000000000001-2", 10)
@examples(400)
def test_agrees_with_the_model(header: str, size: int) -> None:
    try:
        found = parse_range(header, size)
    except Unsatisfiable:
        assert model(header, size) == NONE
        return
    if found is None:
        assert model(header, size) == WHOLE
    else:
        assert (found.start, found.stop) == model(header, size)
        assert 0 <= found.start < found.stop <= size
        assert found.content_range(size) == f"bytes {found.start}-{found.stop - 1}/{size}"
