"""Sizes are written as the language of the page writes numbers, whatever was asked before."""

from __future__ import annotations

from django.utils import translation

from runtime.sizes import as_size


def test_a_size_is_in_the_language_of_the_page() -> None:
    for _ in range(2):
        found = []
        for language in ("en-gb", "de"):
            with translation.override(language):
                found.append(str(as_size(1_234_567)))
        assert ["1,234,567" in found[0], "1.234.567" in found[1]] == [True, True]
        assert ["1.2\xa0MB" in found[0], "1,2\xa0MB" in found[1]] == [True, True]
