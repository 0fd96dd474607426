"""What was no UTF-8 is told from a name that only looks like it."""

from __future__ import annotations

import pytest
from django.test import RequestFactory

from files.web.transfers.raw_path import RAW, is_utf_8


@pytest.mark.parametrize(
    ("path", "is_text"),
    [("/a", True), ("/a%FF", False), ("/a%25FF", True), ("/%C3%BC", True), ("/%C3", False)],
)
def test_each_byte_counts(path: str, is_text: bool) -> None:
    request = RequestFactory().get(path)
    assert is_utf_8(request.META) == is_text
    assert RAW in request.META
