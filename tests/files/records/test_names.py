"""The rule for file names, clause by clause, and what holds for every text there is."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from files.records.names import (
    MAX_NAME_BYTES,
    UNKNOWN_TYPE,
    BadName,
    clean_content_type,
    clean_name,
    fold_name,
    key_file_name,
    portable_name,
    same_file,
)
from tests.hostile import hostile

HIDDEN = frozenset({"Cc", "Cs", "Co", "Zl", "Zp"})
JOINERS = "\u200c\u200d"


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("report.pdf", "report.pdf"),
        # Paths
        ("C:\\Users\\ann\\report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("a/b\\c", "c"),
        # Control characters and line breaks
        ("a\x00b\x1b[31m.txt", "ab[31m.txt"),
        ("a\r\nSet-Cookie: b", "a Set-Cookie: b"),
        ("a\tb\u2028c\u2029d\x85e", "a b c d e"),
        # Bidi controls: they make gpj.exe look like exe.jpg
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("\u2066a\u2069\u200e\u200f\u061cb", "ab"),
        # What shows nothing
        ("a\u200bb\u2060c\ufeffd\u00ade", "abcde"),
        ("a\ud800b", "ab"),
        ("a\ue000b\U000f0000c\uffffd", "abcd"),
        # White space
        ("  a   b\u00a0\u3000c  ", "a b c"),
        # NFC
        ("e\u0301.txt", "\u00e9.txt"),
        ("\u212b", "\u00c5"),
        # A mark that an invisible character kept away from its letter
        ("e\u200b\u0301.txt", "\u00e9.txt"),
        # Joiners stay where they spell something
        (
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        ),
        ("\U0001f469\u200d\U0001f4bb.png", "\U0001f469\u200d\U0001f4bb.png"),
        # What people see, whether this Python knows it or not
        ("\U0001fa77", "\U0001fa77"),  # A pink heart, of Unicode 15
        ("\U0001fae9 \U0001f6d8.txt", "\U0001fae9 \U0001f6d8.txt"),  # 16 and 17
        ("\U0002ebf0\U00031350.txt", "\U0002ebf0\U00031350.txt"),  # Ideographs, 15.1 and 15
        ("\u088f\U0001e6c0", "\u088f\U0001e6c0"),  # Not assigned by anybody yet
        ("\u06dd\u0600\u070f", "\u06dd\u0600\u070f"),  # Format characters that show
        ("\u2764\ufe0f", "\u2764\ufe0f"),
        ("\u845b\U000e0100\u57ce", "\u845b\U000e0100\u57ce"),
        (
            "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
            "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        ),
        (
            "\U0001f468\u200d\U0001f469\u200d\U0001f467.png",
            "\U0001f468\u200d\U0001f469\u200d\U0001f467.png",
        ),
        ("\u182a\u180b\u180e\u1820", "\u182a\u180b\u180e\u1820"),
        # Text that nobody sees
        ("a\U000e0068\U000e0069.txt", "a.txt"),
        ("\U0001f3f4\U000e0068\U000e007f", "\U0001f3f4"),
        ("a\ufe01\ufe02\ufe03", "a\ufe01"),
        ("\ufe0fa b\u180e", "a b"),
        ("a\u180eb", "ab"),
        ("a\ufff0\ufdd0\U0001ffffb", "ab"),
        # White space that does not look like it
        ("invoice.pdf\u2800\u2800\u2800.exe", "invoice.pdf .exe"),
        ("\u3164a\uffa0\u3164b", "a b"),
        # Names that merely look special
        ("...", "..."),
        (".profile", ".profile"),
        ("con", "con"),
        ("a" * 255, "a" * 255),
        ("\u00e9" * 127, "\u00e9" * 127),
    ],
)
def test_a_name_is_cleaned(raw: str, kept: str) -> None:
    assert clean_name(raw) == kept


@pytest.mark.parametrize(
    "raw",
    [
        "",
        " ",
        "/",
        "folder/",
        "\\",
        "\x00",
        "\u202e\u200b",
        "\u200d\u200c",
        ".",
        "..",
        "a/..",
        " . ",
        ".\u200b.",
        ".\u200d.",
        "\u3164",
        "\u2800\u2800",
        "\u115f\u1160",
        "\ufe0f",
        "\u034f",
        "\U000e0041",
    ],
)
def test_no_name_is_refused_in_words(raw: str) -> None:
    with pytest.raises(BadName, match="has no name: rename it"):
        clean_name(raw)


@pytest.mark.parametrize("raw", ["a" * 256, "\u00e9" * 128, "\U0001f600" * 64])
def test_a_long_name_is_refused_in_words_and_numbers(raw: str) -> None:
    with pytest.raises(BadName, match=r"longer than 255 bytes: shorten it .* It has 256"):
        clean_name(raw)


@given(st.text(st.characters(codec=None, exclude_categories=())))
@example("e\u200b\u0301")
@example(" \u0301")
def test_every_name_kept_is_valid_and_stays_as_it_is(raw: str) -> None:
    try:
        name = clean_name(raw)
    except BadName:
        return
    assert 1 <= len(name.encode()) <= MAX_NAME_BYTES
    assert unicodedata.is_normalized("NFC", name)
    assert all(char in JOINERS or unicodedata.category(char) not in HIDDEN for char in name)
    assert not set(name) & set("/\\")
    assert name not in {".", ".."}
    assert name == " ".join(name.split())
    assert clean_name(name) == name


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("secret.txt", "secret.txt.key"),
        ("secret", "secret.key"),
        ("a" * 255, "a" * 251 + ".key"),
        ("\u00e9" * 125 + ".tar", "\u00e9" * 123 + ".tar.key"),
    ],
)
def test_the_name_of_a_saved_key_fits_and_keeps_its_ending(name: str, saved: str) -> None:
    assert key_file_name(name) == saved


@given(st.text())
def test_a_folded_name_is_found_by_itself_whatever_its_case(name: str) -> None:
    assert fold_name(fold_name(name)) == fold_name(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [("STRASSE", "stra\u00dfe"), ("\u00c4rger", "a\u0308RGER"), ("\uff21\uff22", "ab")],
)
def test_names_that_read_alike_fold_alike(one: str, other: str) -> None:
    assert fold_name(one) == fold_name(other)


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("text/plain", "text/plain"),
        ("Text/HTML; charset=utf-8", "text/html"),
        ("application/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.text"),
        ("image/svg+xml", "image/svg+xml"),
        (None, UNKNOWN_TYPE),
        ("", UNKNOWN_TYPE),
        ("text", UNKNOWN_TYPE),
        ("text/plain\r\nSet-Cookie: a", UNKNOWN_TYPE),
        ("text/pl\u00e4in", UNKNOWN_TYPE),
        ("a/" + "b" * 128, UNKNOWN_TYPE),
        ("*/*", UNKNOWN_TYPE),
    ],
)
def test_a_content_type_is_bare_or_unknown(raw: str | None, kept: str) -> None:
    assert clean_content_type(raw) == kept


# --- Names in an archive ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "portable"),
    [
        ("report.pdf", "report.pdf"),
        ("\u6587\u4ef6 (1).txt", "\u6587\u4ef6 (1).txt"),
        ("C:evil.txt", "C_evil.txt"),
        ("file.txt:stream", "file.txt_stream"),
        ("con", "_con"),
        ("Aux.tar.gz", "_Aux.tar.gz"),
        ("nul .txt", "_nul .txt"),
        ("COM\u00b9", "_COM\u00b9"),
        ("console.txt", "console.txt"),
        ("lpt10.txt", "lpt10.txt"),
        # With one of these Explorer shows the whole archive as empty.
        ("what?.txt", "what_.txt"),
        ('a*b<c>d|e"f.txt', "a_b_c_d_e_f.txt"),
        ("???", "___"),
        # Options, to whom `*` finds it
        ("-rf", "_-rf"),
        ("a-b", "a-b"),
        ("~$report.docx", "~$report.docx"),
        ("name.", "name_"),
        ("...", "___"),
        ("a" * 255, "a" * 255),
        # What the rule never lets in, were it there all the same.
        ("../../etc/passwd", "passwd"),
        ("\x00\u202e", "unnamed"),
        ("..", "unnamed"),
    ],
)
def test_a_name_in_an_archive(name: str, portable: str) -> None:
    assert portable_name(name) == portable


@given(hostile)
def test_every_name_in_an_archive_is_a_file_beside_it_on_every_system(name: str) -> None:
    found = portable_name(name)
    assert 1 <= len(found.encode()) <= MAX_NAME_BYTES
    assert not set(found) & set('<>:"/\\|?*\x00')
    assert not found.startswith("-")
    assert found.strip(". ")
    assert not found.endswith((".", " "))
    assert not PureWindowsPath(found).is_reserved()
    assert PureWindowsPath(found).name == PurePosixPath(found).name == found
    assert all(char in JOINERS or unicodedata.category(char) not in HIDDEN for char in found)
    assert portable_name(found) == found


def test_names_that_some_system_takes_for_one_are_the_same() -> None:
    assert same_file("A.TXT") == same_file("a.txt")
    assert same_file("a\u200db") == same_file("ab")
    assert same_file("a") != same_file("b")
