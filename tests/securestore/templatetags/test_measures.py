"""Sizes and moments: short to read, exact in their titles and for programs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.template import Context, Template

MOMENT = datetime(2026, 3, 9, 7, 5, 2, 60, UTC)


def shown(template: str, value: object) -> str:
    return Template(template).render(Context({"value": value}))


@pytest.mark.parametrize(
    ("size", "exact", "short"),
    [
        (0, "0 bytes", "0\xa0bytes"),
        (1, "1 byte", "1\xa0byte"),
        (1_234_567, "1,234,567 bytes", "1.2\xa0MB"),
        (5 * 2**40, "5,497,558,138,880 bytes", "5.0\xa0TB"),
    ],
)
def test_a_size(size: int, exact: str, short: str) -> None:
    expected = f'<data value="{size}" title="{exact}">{short}</data>'
    assert shown("{{ value|as_size }}", size) == expected


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=5, minutes=30))])
def test_a_moment_is_in_the_sites_time_zone(zone: timezone) -> None:
    assert shown("{{ value|as_moment }}", MOMENT.astimezone(zone)) == (
        '<time datetime="2026-03-09T07:05:02.000060+00:00"'
        ' title="2026-03-09T07:05:02+00:00">9 Mar 2026, 07:05</time>'
    )
