"""Names of files, from any text to the header and the archive in which they leave."""

from __future__ import annotations

import io
import re
import unicodedata
import zipfile
from urllib.parse import unquote

from django.http import HttpResponse
from hypothesis import example, given
from hypothesis import strategies as st
from zipstream import ZipStream

from files.crypto.portable import seen, told_apart
from files.records.names import (
    JOINERS,
    MAX_NAME_BYTES,
    BadName,
    clean_content_type,
    clean_name,
    portable_name,
    same_file,
)
from files.web.transfers.downloads import as_attachment
from tests.files.fuzz.amount import examples
from tests.hostile import NASTY, hostile

anything = st.one_of(
    hostile,
    st.text(st.characters(exclude_categories=[]), max_size=300),
    st.text("/\\. :\u202e\u200d\u0301e\r\n\t\"';%", max_size=40),
    st.lists(st.sampled_from(NASTY), max_size=4).map("".join),
)
NEVER = frozenset({"Cc", "Cs", "Co", "Zl", "Zp"})


@given(anything)
@example("a" * 256)
@example("\u0958" * 85)  # NFC makes it longer.
@example("\ufb1d" * 64)
@example("e\u200b\u0301")
@example("\u200d. \u200d.")
@example(" \u0301")
@examples(300)
def test_a_kept_name_is_safe_everywhere(raw: str) -> None:
    try:
        name = clean_name(raw)
    except BadName:
        return
    assert clean_name(name) == name
    assert not set(name) & set("/\\\r\n\t\0")
    assert not any(unicodedata.category(char) in NEVER for char in name if char not in JOINERS)
    assert 0 < len(name.encode()) <= MAX_NAME_BYTES
    assert name not in {".", ".."}
    assert name == unicodedata.normalize("NFC", name)
    assert seen(name).strip()


def _filename_in(header: str) -> str:
    """The name of an attachment (RFC 6266, RFC 8187), whatever a client understands of it."""
    if header == "attachment":
        return ""
    found = re.fullmatch(
        r"attachment; filename=\"([^\"\\%]+)\"(?:; filename\*=utf-8''([A-Za-z0-9%._~!$&+^`|-]+))?",
        header,
    )
    assert found, header
    if found[2] is None:
        return found[1]
    # For clients that know no more: a name for any system.
    assert portable_name(found[1]) == found[1]
    return unquote(found[2])


@given(anything)
@example("<>")
@example("%41\u20ac")
@example('a"; filename="b.exe')
@example("\\")
@example("%0d%0aX: y")
@examples(300)
def test_a_header_tells_the_name_and_nothing_else(raw: str) -> None:
    """Whatever the text: a header must not depend on the rule for names."""
    response = HttpResponse()
    as_attachment(response, raw)
    header = response["Content-Disposition"]
    assert header.isascii()
    assert header.isprintable()
    _filename_in(header)
    try:
        name = clean_name(raw)
    except BadName:
        return
    as_attachment(response, name)
    assert _filename_in(response["Content-Disposition"]) == name


@given(st.lists(anything, min_size=1, max_size=6))
@example(["con", "CON", "con.", "a:b", "a\u200db", "ab"])
@example(["a" * 255, "A" * 255])
@examples(100)
def test_names_survive_an_archive(raw: list[str]) -> None:
    names = told_apart(raw)
    assert len({same_file(name) for name in names}) == len(raw)
    archive = ZipStream(sized=True)
    for number, name in enumerate(names):
        assert len(name.encode()) <= MAX_NAME_BYTES
        assert portable_name(name) == name
        archive.add(str(number).encode(), name)
    with zipfile.ZipFile(io.BytesIO(b"".join(archive))) as read:
        assert read.namelist() == names
        assert [read.read(name) for name in names] == [
            str(number).encode() for number in range(len(names))
        ]


@given(anything)
@examples(200)
def test_a_content_type_is_bare_or_unknown(raw: str) -> None:
    kept = clean_content_type(raw)
    assert clean_content_type(kept) == kept
    assert kept.isascii()
    assert kept.isprintable()
    assert kept.count("/") == 1
