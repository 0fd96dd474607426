"""What is no secret is told from what is one, and never repeated."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.weak_secrets import is_placeholder, weakness


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ("django-insecure-3k2j4h5g6f7d8s9a0q1w2e3r4t5y6u7i8o9p", "placeholder"),
        ("change-me-change-me-change-me-change-me-now", "placeholder"),
        ("CHANGEME4711CHANGEME4711CHANGEME4711CHANGEME", "placeholder"),
        ("replace-this-by-fifty-random-characters-please", "placeholder"),
        ("<fifty random characters or more go in here>", "placeholder"),
        ("your-secret-goes-here-and-nobody-will-notice", "placeholder"),
        ("MySecretKey-MySecretKey-0123456789-abcdefghij", "placeholder"),
        (base64.b64encode(b"example-of-a-key-of-32-bytes-012").decode(), "placeholder"),
        ("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=", "printed in a public"),
        ("tests-only-tests-only-tests-only-tests-only", "test suite"),
        ("dGVzdHMtb25seS1tYXN0ZXIta2V5LTAwMDAwMDAwMDA=", "test suite"),
        ("a" * 64, "too regular"),
        (base64.b64encode(bytes(32)).decode(), "too regular"),
        ("12345678" * 8, "too regular"),
        ("0123456789" * 5, None),  # Long units are left to judgement.
    ],
)
def test_what_is_no_secret_is_told(secret: str, reason: str | None) -> None:
    told = weakness(secret)
    assert (told is None) == (reason is None)
    assert (reason or "") in (told or "")
    assert secret not in (told or "")


def test_a_site_of_ones_own_may_use_what_is_weak_but_no_placeholder() -> None:
    assert weakness("a" * 64, strict=False) is None
    assert weakness("tests-only-tests-only-tests-only-tests-only", strict=False) is None
    assert weakness("change-me-change-me-change-me-change-me", strict=False) is not None


@given(st.binary(min_size=32, max_size=64))
def test_random_bytes_pass_in_base64(drawn: bytes) -> None:
    text = base64.urlsafe_b64encode(drawn).decode()
    # What the search for counter-examples likes best is not what a random source gives.
    if len(set(text)) > 20 and not drawn.isascii():
        assert weakness(text) is None


@pytest.mark.parametrize(
    ("secret", "placeholder"),
    [
        ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", True),
        ("...", True),
        ("changeme", True),
        ("<password>", True),
        ("postgres", False),
        ("8Jw0zq", False),
    ],
)
def test_what_others_gave_is_only_asked_to_be_there(secret: str, placeholder: bool) -> None:
    assert is_placeholder(secret) == placeholder
