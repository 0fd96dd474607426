"""A pattern, filled in, is what its template would have been."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.template.loader import render_to_string
from django.utils import translation

from runtime.patterns import pattern

ROW = "files/_row.html"
PAGE = {"pick": True, "may_download": True, "when": "Uploaded", "is_folder": False}
TEXTS = ("id", "kind", "name", "picture", "size", "person", "at", "sender", "told", "end")


def texts(name: str = "a") -> dict[str, object]:
    return {**dict.fromkeys(TEXTS, ""), "id": uuid4(), "name": name, "picture": "pdf"}


@pytest.mark.parametrize("language", ["en-gb", "de"])
@pytest.mark.parametrize("name", ["plain", "<b>&\"'</b>", "{{ user }}{% now %}%s%%(name)s"])
def test_it_is_as_its_template_would_be(name: str, language: str) -> None:
    given = texts(name)
    with translation.override(language):
        filled = pattern(ROW, TEXTS, **PAGE).fill(given)
        assert filled == render_to_string(ROW, {**PAGE, **given})


def test_what_is_looked_at_makes_another_pattern() -> None:
    given = texts()
    one, other = (pattern(ROW, TEXTS, **{**PAGE, "pick": pick}) for pick in (True, False))
    assert ("checkbox" in one.fill(given), "checkbox" in other.fill(given)) == (True, False)


def test_a_pattern_is_made_once_for_a_language() -> None:
    with translation.override("de"):
        german = pattern(ROW, TEXTS, **PAGE)
        assert pattern(ROW, TEXTS, **PAGE) is german
    with translation.override("fr"):
        assert pattern(ROW, TEXTS, **PAGE) is not german


def test_a_text_that_is_missing_is_noticed() -> None:
    with pytest.raises(KeyError):
        pattern(ROW, TEXTS, **PAGE).fill({"id": uuid4()})
