"""The upload form: several files of one field, and a custody that the site offers."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import UploadedFile
from django.utils.datastructures import MultiValueDict

from files.forms import UploadForm


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
    assert form(uploaded("a"), custody=custody).is_valid()


@pytest.mark.parametrize("custody", ["held", "other", "<b>"])
def test_another_custody_is_an_error_in_words(custody: str) -> None:
    [error] = form(uploaded("a"), custody=custody).errors["custody"]
    assert "is not a custody that this site offers" in str(error)
