"""The upload form: several files of one field, and a custody that the site offers."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import UploadedFile
from django.utils.datastructures import MultiValueDict

from files.crypto.passphrase import Derivation
from files.web.forms import UploadForm
from tests.files.conftest import PASSPHRASE


def form(*files: Any, **data: str) -> UploadForm:
    return UploadForm(data, MultiValueDict({"files": list(files)} if files else {}))


def uploaded(name: str, size: int = 1) -> UploadedFile[bytes]:
    return UploadedFile(None, name, "text/plain", size)


def test_all_files_are_taken_in_their_order() -> None:
    checked = form(uploaded("a"), uploaded("b"), uploaded("a"))
    assert checked.is_valid()
    assert [one.name for one in checked.cleaned_data["files"]] == ["a", "b", "a"]


def test_an_empty_file_is_a_file() -> None:
    assert form(uploaded("empty", size=0)).is_valid()


@pytest.mark.parametrize("files", [(), ("text",), (None,)])
def test_no_file_is_an_error_in_words(files: tuple[Any, ...]) -> None:
    checked = form(*files)
    assert checked.errors == {"files": ["Choose at least one file."]}


@pytest.mark.parametrize("custody", ["", "managed"])
def test_custody_is_managed_unless_asked_for(custody: str) -> None:
    checked = form(uploaded("a"), custody=custody)
    assert checked.is_valid()
    assert checked.new_keys(1) is None


def test_in_held_custody_every_file_gets_a_key_of_its_own() -> None:
    checked = form(uploaded("a"), uploaded("b"), custody="held")
    assert checked.is_valid()
    keys = checked.new_keys(2) or []
    assert len({key.text for key in keys}) == 2
    assert not any(key.derivation for key in keys)


def test_a_passphrase_takes_the_place_of_the_keys() -> None:
    typed = {"passphrase": PASSPHRASE, "passphrase_again": PASSPHRASE}
    checked = form(uploaded("a"), uploaded("b"), custody="held", **typed)
    assert checked.is_valid()
    [first, second] = checked.new_keys(2) or []
    assert first == second
    assert Derivation.decode(first.derivation).derive(PASSPHRASE) == first.text


@pytest.mark.parametrize(
    ("data", "field", "words"),
    [
        ({"passphrase": PASSPHRASE}, "passphrase_again", "not the same"),
        ({"passphrase_again": PASSPHRASE}, "passphrase_again", "not the same"),
        ({"passphrase": "password1234", "passphrase_again": "password1234"}, "passphrase", "guess"),
        ({"passphrase": "short", "passphrase_again": "short"}, "passphrase", "12 characters"),
        (
            {"custody": "managed", "passphrase": PASSPHRASE, "passphrase_again": PASSPHRASE},
            "custody",
            "for files whose key you keep",
        ),
    ],
)
def test_a_passphrase_that_is_refused(data: dict[str, str], field: str, words: str) -> None:
    checked = form(uploaded("a"), **{"custody": "held", **data})
    [error] = checked.errors[field]
    assert words in str(error)
    assert PASSPHRASE not in str(checked.errors)


@pytest.mark.parametrize("custody", ["other", "<b>"])
def test_another_custody_is_an_error_in_words(custody: str) -> None:
    [error] = form(uploaded("a"), custody=custody).errors["custody"]
    assert "is no answer to who keeps the key" in str(error)
