"""What kind of file its type and its name say that it is: what the viewer shows, and what never.

Both are what an uploader said. A listed type decides, for no name that says otherwise; a name
decides where the type says nothing. So the kind is no more than a proposal: what reads the bytes
looks at them first, and what runs or loads anything (SVG, HTML) has no kind.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from files.records.names import UNKNOWN_TYPE


class Kind(StrEnum):
    """How a file is shown."""

    PDF = "pdf"
    IMAGE = "image"
    TEXT = "text"
    AUDIO = "audio"
    VIDEO = "video"


PLAYED: Final = frozenset({Kind.AUDIO, Kind.VIDEO})
"""Played by the browser itself, in the page; all others are drawn in the viewer's frame."""

_TYPES: Final = {
    Kind.PDF: ("application/pdf",),
    Kind.IMAGE: tuple(f"image/{name}" for name in ("png", "jpeg", "gif", "webp", "avif", "bmp")),
    Kind.TEXT: (
        *("text/plain", "text/markdown", "text/x-markdown", "text/csv"),
        *("text/tab-separated-values", "text/x-log", "application/json"),
    ),
    Kind.AUDIO: (
        *("audio/mpeg", "audio/mp4", "audio/x-m4a", "audio/aac", "audio/ogg", "audio/opus"),
        *("audio/flac", "audio/x-flac", "audio/wav", "audio/x-wav", "audio/wave", "audio/webm"),
    ),
    Kind.VIDEO: ("video/mp4", "video/webm", "video/ogg", "video/x-m4v"),
}
_ENDINGS: Final = {
    Kind.PDF: ("pdf",),
    Kind.IMAGE: ("png", "jpg", "jpeg", "gif", "webp", "avif", "bmp"),
    Kind.TEXT: ("txt", "text", "md", "markdown", "csv", "tsv", "json", "log"),
    Kind.AUDIO: ("mp3", "m4a", "aac", "ogg", "oga", "opus", "flac", "wav"),
    Kind.VIDEO: ("mp4", "m4v", "webm", "ogv"),
}
_KIND_OF_TYPE: Final = {name: kind for kind, names in _TYPES.items() for name in names}
_KIND_OF_ENDING: Final = {name: kind for kind, names in _ENDINGS.items() for name in names}
_NEVER: Final = frozenset(
    {
        *("svg", "svgz", "html", "htm", "xhtml", "xht", "shtml", "mht", "mhtml", "xml", "xsl"),
        *("xslt", "js", "mjs", "cjs", "css", "hta", "swf", "wasm"),
    }
)
"""Endings of what a browser would run or lay out: not even as text, whatever the type says."""


def kind_of(content_type: str, name: str) -> Kind | None:
    """How a file of that type and name is shown; None where it is not."""
    ending = name.rpartition(".")[2].casefold() if "." in name else ""
    if ending in _NEVER:
        return None
    if content_type == UNKNOWN_TYPE:
        return _KIND_OF_ENDING.get(ending)
    return _KIND_OF_TYPE.get(content_type)
