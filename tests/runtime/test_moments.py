"""Moments are written as the reader's language has them, in the zone of the page."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.utils import timezone, translation

from runtime import moments


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en-gb", "1 Dec 2026, 00:30"),
        ("de", "1. Dezember 2026, 00:30"),
        ("fr", "1 décembre 2026, 00:30"),
    ],
)
def test_a_moment_is_in_the_language_and_the_zone_of_the_page(language: str, words: str) -> None:
    moment = datetime(2026, 11, 30, 23, 30, 15, tzinfo=UTC)
    with translation.override(language), timezone.override("Europe/Berlin"):
        assert moments.in_words(moment) == words
