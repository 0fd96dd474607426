"""What the viewer shows, by type and name; and what it never does, whatever they say."""

from __future__ import annotations

import pytest

from files.records.kinds import PLAYED, Kind, kind_of
from files.records.names import UNKNOWN_TYPE


@pytest.mark.parametrize(
    ("content_type", "name", "kind"),
    [
        ("application/pdf", "report.pdf", Kind.PDF),
        ("application/pdf", "report", Kind.PDF),
        ("image/jpeg", "photo.JPG", Kind.IMAGE),
        ("text/markdown", "README.md", Kind.TEXT),
        ("audio/mpeg", "talk.mp3", Kind.AUDIO),
        ("video/mp4", "talk.mp4", Kind.VIDEO),
        # Nothing is said by the type: the name says it.
        (UNKNOWN_TYPE, "report.PDF", Kind.PDF),
        (UNKNOWN_TYPE, "notes.md", Kind.TEXT),
        (UNKNOWN_TYPE, "archive.tar", None),
        (UNKNOWN_TYPE, "pdf", None),
        (UNKNOWN_TYPE, "notes.", None),
    ],
)
def test_what_is_shown(content_type: str, name: str, kind: Kind | None) -> None:
    assert kind_of(content_type, name) is kind


@pytest.mark.parametrize(
    ("content_type", "name"),
    [
        ("image/svg+xml", "drawing.svg"),
        ("image/svg+xml", "drawing.png"),
        ("text/html", "page.html"),
        ("text/html", "page.txt"),
        ("application/xhtml+xml", "page.pdf"),
        # A type that is listed, and a name that a browser would run.
        ("image/png", "drawing.SVG"),
        ("text/plain", "page.html"),
        ("text/plain", "page.xhtml"),
        (UNKNOWN_TYPE, "page.htm"),
        (UNKNOWN_TYPE, "script.mjs"),
        ("text/javascript", "script.txt"),
        ("application/zip", "report.pdf"),
    ],
)
def test_what_is_never_shown(content_type: str, name: str) -> None:
    assert kind_of(content_type, name) is None


def test_only_sound_and_video_are_left_to_the_browser_itself() -> None:
    assert set(Kind) - PLAYED == {Kind.PDF, Kind.IMAGE, Kind.TEXT}
