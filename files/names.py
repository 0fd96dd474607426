"""The one rule for file names: what is cleaned and what is refused.

A name is text that people read, never a path. It reaches pages, headers, logs and archives, so
what could deceive or break one of these never enters the database:

- Some browsers send a path: everything up to the last `/` or `\\` is dropped.
- Unicode is normalised to NFC; line breaks and tabs become spaces; other control characters,
  bidi controls, and characters that show nothing (categories Cc, Cf, Cs, Co, Cn, Zl, Zp) go.
- White space at both ends goes, and runs of it become one space.
- Refused afterwards: an empty name, `.` and `..`, and more than 255 bytes of UTF-8.

Two joiners stay (U+200C, U+200D): Persian, Indic scripts and emoji are misspelt without them.
"""

import re
import unicodedata

MAX_NAME_BYTES = 255
JOINERS = frozenset("\u200c\u200d")
_REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


class BadName(ValueError):
    """The name cannot be kept. The message says why and what to do, and may be shown."""


def clean_name(raw: str) -> str:
    """Return the name to keep: NFC, 1 to 255 bytes of UTF-8. Raises BadName."""
    name = clean_line(re.split(r"[/\\]", raw)[-1])
    if "".join(char for char in name if char not in JOINERS).strip() in {"", ".", ".."}:
        raise BadName("The file has no name: rename it and try again.")
    if len(name.encode()) > MAX_NAME_BYTES:
        raise BadName(
            f"The file's name is longer than {MAX_NAME_BYTES} bytes: shorten it and try again."
        )
    return name


def clean_line(raw: str) -> str:
    """Text of one line in which nothing is hidden and nothing turns the reading direction; NFC."""
    spaced = re.sub(r"\s", " ", raw)
    visible = "".join(
        char
        for char in spaced
        if char in JOINERS or unicodedata.category(char) not in _REFUSED_CATEGORIES
    )
    # Last: what has just gone may have kept a mark from its letter.
    return unicodedata.normalize("NFC", re.sub(r" +", " ", visible).strip())


_DEVICES = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])\s*(?:\.|$)",
    re.IGNORECASE,
)


def portable_name(name: str) -> str:
    """The name in an archive, where it becomes a path on systems that are not ours.

    What Windows would take for a device, a drive, a stream or no part of the name is replaced; it
    is the same name everywhere else. At most 255 bytes. A name that is none becomes `unnamed`.
    """
    try:
        name = clean_name(name)
    except BadName:
        return "unnamed"
    name = name.replace(":", "_")
    name = shortened(f"_{name}" if _DEVICES.match(name) else name)
    bare = name.rstrip(". ")
    return bare + "_" * (len(name) - len(bare))


def shortened(stem: str, suffix: str = "") -> str:
    """Both together, the stem cut so that they have at most 255 bytes."""
    while len(f"{stem}{suffix}".encode()) > MAX_NAME_BYTES and stem:
        stem = stem[:-1]
    return f"{stem}{suffix}"


def same_file(name: str) -> str:
    """Equal for names that some file system takes for one: other case, or joiners alone."""
    return "".join(char for char in fold_name(name) if char not in JOINERS)


def fold_name(name: str) -> str:
    """The form that a search compares: no case, compatibility forms made equal."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
UNKNOWN_TYPE = "application/octet-stream"


def clean_content_type(raw: str | None) -> str:
    """A bare media type (RFC 6838), or `application/octet-stream` where there is no sound one."""
    bare = (raw or "").partition(";")[0].strip().lower()
    return bare if _TYPE.fullmatch(bare) else UNKNOWN_TYPE
