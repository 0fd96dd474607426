"""Byte sequences of structured fields."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from files.web.transfers.structured import byte_sequence, parse_byte_sequence


@given(st.binary(max_size=100))
def test_what_is_written_reads_back(data: bytes) -> None:
    assert parse_byte_sequence(byte_sequence(data)) == data
    assert parse_byte_sequence(f"  {byte_sequence(data)} ") == data


def test_the_example_of_the_specification() -> None:
    written = ":cHJldGVuZCB0aGlzIGlzIGJpbmFyeSBjb250ZW50Lg==:"
    assert byte_sequence(b"pretend this is binary content.") == written


@pytest.mark.parametrize("text", ["", ":", "YQ==", ":YQ==", "YQ==:", ":Y:", ":Y Q==:", ":\xe9:"])
def test_anything_else_is_none(text: str) -> None:
    assert parse_byte_sequence(text) is None
