"""A password costs one hash to try, whatever there is."""

from __future__ import annotations

import pytest
from django.contrib.auth import hashers

from accounts.outside import passwords


def test_only_the_password_opens_and_each_try_is_one_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = passwords.hash_of("sesame sesame")
    made: list[str] = []
    hasher = type(hashers.get_hasher("default"))
    encode = hasher.encode

    def counted(self: object, password: str, *rest: object, **more: object) -> object:
        made.append(password)
        return encode(self, password, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(hasher, "encode", counted)
    tried = [("sesame sesame", stored, True), ("sesame", stored, False), ("x", "", False)]
    for text, kept, right in tried:
        assert passwords.matches(text, kept) is right
    assert len(made) == len(tried)
    assert passwords.hash_of("") == ""
    assert not passwords.matches("", "")
