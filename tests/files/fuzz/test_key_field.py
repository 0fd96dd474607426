"""What people, or programs, put into the field for a held file's key."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from hypothesis import example, given
from hypothesis import strategies as st

from accounts.models import User
from files.models import FileRecord
from tests.files.conftest import KEY
from tests.files.fuzz.amount import examples
from tests.files.fuzz.edits import apply, edits
from tests.hostile import hostile

URL_SAFE = "ABCXYZabcxyz0189-_="

keys = st.one_of(
    hostile.map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.binary(max_size=80),
    st.text(URL_SAFE, min_size=42, max_size=46).map(str.encode),
    st.binary(min_size=32, max_size=32).map(lambda raw: raw.hex().encode()),
    st.lists(edits((0, 43, 44)), min_size=1, max_size=2).map(
        lambda changes: apply(KEY.encode(), changes)
    ),
)


@pytest.fixture
def owner(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def answer_to(typed: bytes, owner: Client, record: FileRecord) -> Any:
    cache.clear()  # Guesses are counted; here each is the first.
    owner.cookies.pop("unlocked", None)
    return owner.post(
        f"/files/{record.pk}/unlock/",
        b"key=" + b"".join(b"%%%02x" % byte for byte in typed),
        content_type="application/x-www-form-urlencoded",
    )


@pytest.fixture
def own_words(owner: Client, held_record: FileRecord) -> list[bytes]:
    """What the answers say by themselves: to what is no key, and to a wrong one."""
    return [answer_to(typed, owner, held_record).content for typed in (b"-", b"A" * 43 + b"=")]


def same_key(text: str) -> bool:
    """Whether it is KEY, or KEY with other bits where the last character's are not used."""
    alike = re.fullmatch(r"[\w-]{43}=", text, re.ASCII)
    return alike is not None and urlsafe_b64decode(text) == urlsafe_b64decode(KEY)


@given(typed=keys)
@example(KEY.encode())
@example(KEY.encode()[:-1])
@example(KEY.encode()[:-2] + bytes([KEY.encode()[-2] + 1]) + b"=")
@example(f" {KEY}\r\n".encode())
@example(KEY.encode()[:-1] + b"%3D")
@example("\uff21".encode() * 43 + b"=")
@example(b"\xff" * 44)
@example(b"\0" * 44)
@example(b"A" * 42 + b"B=")  # Bits of the last character that no decoder looks at.
@example(b"autocapit")  # A word of the page, typed.
@examples(40)
def test_the_right_key_opens_and_nothing_else(
    owner: Client, held_record: FileRecord, own_words: list[bytes], typed: bytes
) -> None:
    answer = answer_to(typed, owner, held_record)
    is_key = same_key(typed.decode("utf-8", "replace").strip())
    assert answer.status_code == 302 if is_key else answer.status_code in {400, 403}
    if len(typed) > 8 and typed not in KEY.encode():
        assert answer.content.count(typed) <= max(page.count(typed) for page in own_words)
