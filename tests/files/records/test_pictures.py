"""The kind of a file: told by its type, and where that says nothing by the end of its name."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from files.records.pictures import Picture, picture_of

SPRITE = Path(__file__).parents[3] / "static" / "img" / "kinds.svg"


@pytest.mark.parametrize(
    ("content_type", "name", "kind"),
    [
        ("application/pdf", "x", Picture.PDF),
        ("image/png", "a.txt", Picture.IMAGE),
        ("TEXT/HTML; charset=utf-8", "a", Picture.TEXT),
        ("application/octet-stream", "Bericht.PDF", Picture.PDF),
        ("", "notes.md", Picture.TEXT),
        ("", "table.ods", Picture.SHEET),
        ("", "talk.pptx", Picture.SLIDES),
        ("", "backup.tar.gz", Picture.ARCHIVE),
        ("", "song.mp3", Picture.AUDIO),
        ("", "film.mp4", Picture.VIDEO),
        ("", "letter.odt", Picture.DOCUMENT),
        ("text/csv", "a.txt", Picture.SHEET),
        ("application/octet-stream", "pdf", Picture.OTHER),
        ("", "", Picture.OTHER),
        ("font/woff2", "a.woff2", Picture.OTHER),
    ],
)
def test_a_kind_is_told(content_type: str, name: str, kind: Picture) -> None:
    assert picture_of(content_type, name) is kind


def test_every_kind_has_its_picture() -> None:
    views = ET.parse(SPRITE).getroot().iter("{http://www.w3.org/2000/svg}view")  # noqa: S314
    assert {one.get("id") for one in views} == {"folder", *Picture}
