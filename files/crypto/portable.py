"""Names that cross to another system, and the characters of any text of one line that people read.

One rule for whatever becomes a path elsewhere: members of an archive, files of a rescue, the plain
name in a header. It has no Django and no store, so that a rescue can follow it.

Which characters go stands here, as ranges that never change, and not in Python's tables: in those,
a character that is younger than the interpreter is not assigned, and an emoji of this year would
vanish. Sources: Unicode 16.0.0, PropList.txt (Bidi_Control, Noncharacter_Code_Point, White_Space),
DerivedCoreProperties.txt (Default_Ignorable_Code_Point).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from files.crypto import unicode14

LONGEST: Final = 255
"""Bytes of UTF-8 that a name may have: ext4, XFS, ZFS; other systems count less strictly."""

JOINERS: Final = frozenset("\u200c\u200d")
"""Persian, Indic scripts and emoji are misspelt without them."""

# White space of any kind, and three letters that look like nothing else: HANGUL FILLER, its half
# width form, and BRAILLE PATTERN BLANK.
_SPACES: Final = re.compile(
    "[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\u3164\uffa0\u2800]+"
)
# What shows nothing and shapes nothing beside it, what turns the reading direction around, what is
# no character, and private use, which means something else to everybody.
_GONE: Final = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # Controls
    "\xad\u17b4\u17b5\u200b\u2060-\u2065\ufeff\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e001f\U000e0080-\U000e00ff\U000e01f0-\U000e0fff"
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # Bidi controls, and deprecated ones of old
    "\ud800-\udfff\ue000-\uf8ff\U000f0000-\U0010ffff"  # Surrogates, private use
    "\ufdd0-\ufdef\ufffe\uffff"  # Noncharacters
    + "".join(f"{chr(end - 1)}{chr(end)}" for end in range(0x1FFFF, 0xF0000, 0x10000))
    + "]+"
)
_TAGS: Final = "\U000e0020-\U000e007f"
# Flags of England, Scotland and their like (Unicode Technical Standard 51, ED-14a) are a black flag
# with tags behind it. Anywhere else tags are text that nobody sees.
_FLAG: Final = re.compile(
    "(\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f)|[" + _TAGS + "]+"
)
_SELECTORS: Final = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
# One of them chooses a form of the character before it; more, or after nothing, are hidden text.
_STRAY: Final = re.compile(f"(?:(?<=[{_SELECTORS}])|(?<![^ ]))[{_SELECTORS}]+")
# MONGOLIAN VOWEL SEPARATOR is nothing but between Mongolian letters.
_STRAY_SEPARATOR: Final = re.compile(
    "(?<![\u180b-\u180d\u180f\u1820-\u18aa])\u180e+|(?<=\u180e)\u180e+"
)
_UNSEEN: Final = re.compile(f"[\u034f\u115f\u1160\u180b-\u180f\u200c\u200d{_SELECTORS}{_TAGS}]+")
"""What stays in a text because it shapes what is beside it, and shows nothing itself."""


def clean_line(raw: str) -> str:
    """Text of one line in which nothing is hidden and nothing turns the reading direction; NFC."""
    line = raw
    while True:
        # What goes may have kept apart what belongs together: again, until nothing does.
        spaced = _GONE.sub("", _SPACES.sub(" ", line))
        shaped = _STRAY_SEPARATOR.sub("", _FLAG.sub(r"\1", spaced))
        cleaned = unicode14.nfc(_SPACES.sub(" ", _STRAY.sub("", shaped)).strip(" "))
        if cleaned == line:
            return line
        line = cleaned


def marked(raw: str, mark: str) -> str:
    """The text with `mark` in the place of each character that a line must not have."""
    one_line = "".join(mark if char.isspace() and char != " " else char for char in raw)
    return _GONE.sub(lambda found: mark * len(found[0]), one_line)


def seen(text: str) -> str:
    """The text without what shows nothing itself; empty, then nobody sees any of it."""
    return _UNSEEN.sub("", text)


# Windows' documentation of naming files; the superscript digits are those of ISO 8859-1.
_DEVICES: Final = re.compile(
    r"(?:con|prn|aux|nul|clock\$|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])\s*(?:\.|$)",
    re.IGNORECASE,
)
# Of these no name on Windows can consist; Explorer shows an archive that has one as empty. A path
# is none either.
_NEVER: Final = re.compile(r'[<>:"/\\|?*]')
UNNAMED: Final = "unnamed"


def portable_name(name: str, *, longest: int = LONGEST) -> str:
    """The name as a file's on any system: never a path, a device, an option, or hidden in part.

    At most `longest` bytes of UTF-8. The same name wherever it is portable already. What Windows
    takes for a device, a drive, a stream, a pattern or no part of the name is replaced by `_`; so
    is a `-` at the beginning, with which programs take what `*` found for options.
    """
    name = _NEVER.sub("_", clean_line(re.split(r"[/\\]", name)[-1]))
    if seen(name).strip() in {"", ".", ".."}:
        return UNNAMED
    if name.startswith("-") or _DEVICES.match(seen(name)):
        name = f"_{name}"
    if len(name.encode()) > longest:
        name = shortened(*split_ending(name), longest=longest)
    bare = name.rstrip(". ")
    return bare + "_" * (len(name) - len(bare))


def split_ending(name: str) -> tuple[str, str]:
    """The name before its ending, and the ending with its dot.

    Empty where there is none, or where it is too long to be one and would leave no room.
    """
    stem, dot, ending = name.rpartition(".")
    if not seen(stem).strip() or len(ending) > _LONGEST_ENDING or not ending.strip():
        return name, ""
    return stem.rstrip(" "), dot + ending


_LONGEST_ENDING: Final = 15


def shortened(stem: str, suffix: str = "", *, longest: int = LONGEST) -> str:
    """Both together, the stem cut so that they have at most `longest` bytes of UTF-8.

    Cut between what people see as characters, where there is such a place: never between a letter
    and its marks, in an emoji of several, or in a flag.
    """
    room = longest - len(suffix.encode())
    if len(stem.encode()) <= room:
        return stem + suffix
    kept = stem.encode()[: max(room, 0)].decode(errors="ignore")
    end = len(kept)
    while end and _belongs(stem, end):
        end -= 1
    return (stem[:end] or kept).rstrip(" ") + suffix


def _belongs(text: str, at: int) -> bool:
    """Whether the character there is a part of what stands before it (UAX 29, GB9 to GB13)."""
    before, char = text[at - 1], text[at]
    if unicodedata.category(char).startswith("M") or _EXTENDS.match(char) or before == "\u200d":
        return True
    if _is_flag(before) and _is_flag(char):
        run = re.search(f"[{_FLAG_LETTERS}]+$", text[:at])
        return run is not None and len(run[0]) % 2 == 1
    return False


_FLAG_LETTERS: Final = "\U0001f1e6-\U0001f1ff"
_EXTENDS: Final = re.compile(f"[\u200c\u200d\U0001f3fb-\U0001f3ff{_SELECTORS}{_TAGS}]")


def _is_flag(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def same_file(name: str) -> str:
    """Equal for names that some file system takes for one: other case, form, or unseen characters.

    NTFS and APFS fold case, APFS and HFS+ compare any normal form, and HFS+ leaves out what shows
    nothing (Apple Technical Note 1150).
    """
    return seen(unicode14.fold(name))


def told_apart(names: Iterable[str]) -> list[str]:
    """Portable names of these, in their order; a number tells apart what a system could not."""
    taken: dict[str, int] = {}
    found = []
    for raw in names:
        first = name = portable_name(raw)
        stem, suffix = split_ending(name)
        count = taken.get(same_file(first), 1)
        while same_file(name) in taken:
            count += 1
            name = shortened(stem, f" ({count}){suffix}")
        taken[same_file(first)] = count
        taken.setdefault(same_file(name), 1)
        found.append(name)
    return found


def plain(text: str) -> str:
    """The form in which names are found: no case, no accents. Here for who may use nothing else."""
    return unicode14.plain(text)
