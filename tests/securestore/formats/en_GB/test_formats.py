"""Moments are written alike, by our pages and by Django's own."""

from __future__ import annotations

from datetime import UTC, datetime

from django.utils.formats import localize
from django.utils.timezone import override as in_zone
from django.utils.translation import override

from runtime import moments

AT = datetime(2026, 3, 9, 15, 5, tzinfo=UTC)


def test_the_administration_writes_moments_as_all_pages_do() -> None:
    with override("en-gb"), in_zone(UTC):
        assert localize(AT) == moments.in_words(AT) == "9 Mar 2026, 15:05"
