"""What kind of thing a file is, as people speak of it: for icons and for filters, and no more.

Told by its content type, which is its uploader's word, and where that says nothing by the end of
its name. Must never decide how bytes are served, or whether they may be shown.
"""

from __future__ import annotations

from enum import StrEnum
from mimetypes import guess_type


class Picture(StrEnum):
    """The kinds; each has its picture in `img/kinds.svg`, by this name."""

    PDF = "pdf"
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    TEXT = "text"
    DOCUMENT = "document"
    SHEET = "sheet"
    SLIDES = "slides"
    ARCHIVE = "archive"
    OTHER = "other"


UNKNOWN = frozenset({"", "application/octet-stream", "binary/octet-stream"})
"""Content types that say nothing."""

_EXACT = {
    Picture.PDF: {"application/pdf"},
    Picture.DOCUMENT: {
        "application/msword",
        "application/rtf",
        "text/rtf",
        "application/vnd.oasis.opendocument.text",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/epub+zip",
    },
    Picture.SHEET: {
        "text/csv",
        "text/tab-separated-values",
        "application/vnd.ms-excel",
        "application/vnd.oasis.opendocument.spreadsheet",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    },
    Picture.SLIDES: {
        "application/vnd.ms-powerpoint",
        "application/vnd.oasis.opendocument.presentation",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    },
    Picture.ARCHIVE: {
        "application/zip",
        "application/x-zip-compressed",
        "application/x-tar",
        "application/gzip",
        "application/x-gzip",
        "application/x-bzip2",
        "application/x-xz",
        "application/zstd",
        "application/x-7z-compressed",
        "application/vnd.rar",
        "application/x-rar-compressed",
    },
    Picture.TEXT: {"application/json", "application/xml", "application/javascript"},
}
_OF_TYPE = {name: kind for kind, names in _EXACT.items() for name in names}
_OF_FAMILY = {
    "image": Picture.IMAGE,
    "audio": Picture.AUDIO,
    "video": Picture.VIDEO,
    "text": Picture.TEXT,
}

_OF_END = {
    **dict.fromkeys(("doc", "docx", "odt", "rtf", "pages", "epub"), Picture.DOCUMENT),
    **dict.fromkeys(("xls", "xlsx", "ods", "csv", "tsv", "numbers"), Picture.SHEET),
    **dict.fromkeys(("ppt", "pptx", "odp", "key"), Picture.SLIDES),
    **dict.fromkeys(("zip", "tar", "gz", "tgz", "bz2", "xz", "zst", "7z", "rar"), Picture.ARCHIVE),
    **dict.fromkeys(("md", "log", "ini", "toml", "yaml", "yml"), Picture.TEXT),
}
"""Ends of names that not every system has a type for."""


def picture_of(content_type: str, name: str) -> Picture:
    """The picture of a file of that content type and name."""
    bare = content_type.partition(";")[0].strip().lower()
    if bare in UNKNOWN:
        end = name.rpartition(".")[2].lower() if "." in name else ""
        if end in _OF_END:
            return _OF_END[end]
        bare = guess_type(f"x.{end}", strict=False)[0] or ""
    return _OF_TYPE.get(bare) or _OF_FAMILY.get(bare.partition("/")[0], Picture.OTHER)
