"""Where everything is in a stream: the arithmetic of the specification, for every size."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from files.crypto.errors import StreamTooLong
from files.crypto.stream.layout import (
    FRAME_LENGTH,
    MAX_FRAMES,
    MAX_PARTS,
    MAX_SIZE,
    TRAILER_LENGTH,
    frame_at,
    frame_count,
    frame_length,
    frame_offset,
    frames_per_part,
    object_length,
)
from tests.files.crypto.stream.known import SIZES, F


def test_full_frame() -> None:
    assert frame_length(F) == FRAME_LENGTH == F + 73


def test_bounds_are_the_formats_and_those_of_s3() -> None:
    assert MAX_FRAMES * F == MAX_SIZE == 2**50  # A PiB.
    assert MAX_PARTS == 10_000


@pytest.mark.parametrize("size", SIZES)
def test_lengths_follow_the_specification(size: int) -> None:
    frames = max(1, (size + F - 1) // F)
    last = size - (frames - 1) * F
    assert frame_count(size) == frames
    assert object_length(size) == (
        (frames - 1) * FRAME_LENGTH + 57 + 16 * ((15 + last) // 16 + 1) + 96
    )


@given(st.integers(0, MAX_SIZE))
def test_every_size_has_one_layout(size: int) -> None:
    count = frame_count(size)
    last = size - (count - 1) * F
    assert 0 <= last <= F
    assert last or not size
    assert object_length(size) == frame_offset(count - 1) + frame_length(last) + TRAILER_LENGTH
    assert frame_at(max(0, size - 1)) == count - 1


@pytest.mark.parametrize("boundary", [1, 2, 3])
@pytest.mark.parametrize("near", [-1, 0, 1])
def test_offsets_next_to_a_frame_boundary(boundary: int, near: int) -> None:
    index = frame_at(boundary * F + near)
    assert index == (boundary - 1 if near < 0 else boundary)
    assert frame_offset(index) == index * FRAME_LENGTH


@pytest.mark.usefixtures("real_parts")
@pytest.mark.parametrize("size", [None, 0, F, MAX_PARTS * 32 * F - F])
def test_parts_have_32_frames(size: int | None) -> None:
    assert frames_per_part(size) == 32


@pytest.mark.usefixtures("real_parts")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, MAX_SIZE))
def test_ten_thousand_parts_hold_any_object_and_are_no_larger_than_needed(size: int) -> None:
    frames = frames_per_part(size)
    assert frames * FRAME_LENGTH * MAX_PARTS >= object_length(size)
    assert frames == 32 or (frames - 1) * FRAME_LENGTH * MAX_PARTS < object_length(size)


def test_sizes_out_of_range() -> None:
    assert frame_count(MAX_SIZE) == MAX_FRAMES
    with pytest.raises(StreamTooLong):
        object_length(MAX_SIZE + 1)
    with pytest.raises(ValueError, match="negative"):
        frame_count(-1)
