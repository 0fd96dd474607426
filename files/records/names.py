"""The one rule for file names: what is cleaned and what is refused.

A name is text that people read, never a path. It reaches pages, headers, logs and archives, so
what could deceive or break one of these never enters the database:

- Some browsers send a path: everything up to the last `/` or `\\` is dropped.
- Unicode is normalised to NFC; line breaks and tabs become spaces; control characters, bidi
  controls, private use and what shows nothing go (`files.crypto.portable`). What people see stays,
  also a character that is younger than this Python.
- White space at both ends goes, and runs of it become one space.
- Refused afterwards: a name of which nothing is seen, `.`, `..`, and more than 255 bytes of UTF-8.

What shapes the characters beside it stays: joiners, variation selectors, the tags of flags.
"""

import re

from django.utils.translation import gettext

from files.crypto import portable, unicode14
from files.crypto.portable import JOINERS, clean_line, portable_name, same_file, shortened

__all__ = [
    "JOINERS",
    "MAX_NAME_BYTES",
    "UNKNOWN_TYPE",
    "BadName",
    "clean_content_type",
    "clean_folder_name",
    "clean_line",
    "clean_name",
    "entry_key",
    "fold_name",
    "in_one_piece",
    "key_file_name",
    "numbered",
    "plain_name",
    "portable_name",
    "same_file",
    "shortened",
]

MAX_NAME_BYTES = portable.LONGEST


class BadName(ValueError):
    """The name cannot be kept. The message says why and what to do, and may be shown."""


class NoName(BadName):
    """Nothing of it can be seen."""

    def __init__(self) -> None:
        super().__init__(gettext("The file has no name: rename it and try again."))


class LongName(BadName):
    """It has too many bytes: `length`."""

    def __init__(self, length: int) -> None:
        text = gettext(
            "The file's name is longer than %(most)d bytes: shorten it and try again. It has "
            "%(length)d."
        )
        super().__init__(text % {"most": MAX_NAME_BYTES, "length": length})
        self.length = length


def clean_name(raw: str) -> str:
    """Return the name to keep: NFC, 1 to 255 bytes of UTF-8. Raises BadName."""
    name = clean_line(re.split(r"[/\\]", raw)[-1])
    if portable.seen(name).strip() in {"", ".", ".."}:
        raise NoName
    if (length := len(name.encode())) > MAX_NAME_BYTES:
        raise LongName(length)
    return name


def in_one_piece(raw: str) -> str:
    """A file's name that somebody typed. Raises BadName where it has `/` or `\\` in it.

    What browsers send may be a path, of which the end is the name. What is typed is meant whole:
    “AC/DC.mp3” is not to be called “DC.mp3” without a word.
    """
    if re.search(r"[/\\]", raw):
        raise BadName(gettext("A file's name cannot contain “/” or “\\”: choose another one."))
    return raw


def key_file_name(name: str) -> str:
    """The name of the file that a held file's key is saved in, at most 255 bytes."""
    stem, ending = portable.split_ending(name)
    return shortened(stem, f"{ending}.key")


def clean_folder_name(raw: str) -> str:
    """The name of a folder to keep, by the same rule. Raises BadName.

    A name with `/` or `\\` in it is refused: a folder comes from no path.
    """
    if re.search(r"[/\\]", raw):
        raise BadName(gettext("A folder's name cannot contain “/” or “\\”: choose another one."))
    try:
        return clean_name(raw)
    except NoName:
        raise BadName(gettext("The folder needs a name: type one.")) from None
    except LongName as long:
        text = gettext(
            "The folder's name is longer than %(most)d bytes: shorten it and try again. It has "
            "%(length)d."
        )
        raise BadName(text % {"most": MAX_NAME_BYTES, "length": long.length}) from None


def entry_key(name: str) -> str:
    """What makes two names in one folder the same: NFC, and no case, as of Unicode 14.

    Unique in a folder, for files and folders alike. Its meaning never changes: paths rest on it.
    """
    return unicode14.caseless(name)


def numbered(name: str, number: int) -> str:
    """The name with ` (number)` before its ending, at most 255 bytes: `report (2).pdf`."""
    stem, ending = portable.split_ending(name)
    return shortened(stem, f" ({number}){ending}")


def plain_name(name: str) -> str:
    """The form that a search compares: no case, no accents, compatibility forms made equal.

    `Müller` is `muller`, `Łódź` is `lodz`. It is kept, so it must be the same on any later Python:
    as of Unicode 14. Where a name is ASCII it is the name in small letters, which triggers of the
    database rely on.
    """
    return unicode14.plain(name)


def fold_name(name: str) -> str:
    """What a search compared before `plain_name`, with accents: kept for processes of that release.

    As of Unicode 14.
    """
    return unicode14.fold(name)


_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
UNKNOWN_TYPE = "application/octet-stream"


def clean_content_type(raw: str | None) -> str:
    """A bare media type (RFC 6838), or `application/octet-stream` where there is no sound one."""
    bare = (raw or "").partition(";")[0].strip().lower()
    return bare if _TYPE.fullmatch(bare) else UNKNOWN_TYPE
