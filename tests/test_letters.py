"""What holds of every mail: it is short, in its reader's language, and fetches nothing."""

from __future__ import annotations

import re

import pytest

from tests.letters import ORIGIN, Letter, letters, written

EVERY = {letter.name: letter for letter in letters()}


def test_all_of_them_are_here() -> None:
    assert len(written()) > 15
    assert {"link-code", "request-code", "invitation", "notice-link-opened"} <= EVERY.keys()


@pytest.mark.parametrize("letter", EVERY.values(), ids=EVERY)
def test_it_fetches_nothing_and_leads_here_alone(letter: Letter) -> None:
    assert not re.search(r"<(?!/?(?:html|head|meta|title|body|p|br|a)\b|!DOCTYPE)", letter.html)
    html = letter.html.replace('<body style="overflow-wrap: anywhere">', "<body>")
    assert not re.search(r"\b(?:src|style|background|on\w+)\s*=|url\(|@import", html)
    for address in re.findall(r'href="([^"]*)"', letter.html):
        assert address.startswith(f"{ORIGIN}/")
        assert address in letter.text
    for address in re.findall(r"https?://\S+", letter.text):
        assert f'href="{address}"' in letter.html
    assert "\n" not in letter.subject
    assert all(len(line) < 998 for line in letter.text.splitlines())
    assert "{{" not in letter.text + letter.subject


@pytest.mark.parametrize("language", ["de", "fr"])
def test_it_is_in_the_language_of_its_reader(language: str) -> None:
    for letter in letters(language):
        assert letter.text != EVERY[letter.name].text, letter.name
        assert letter.subject != EVERY[letter.name].subject, letter.name
        assert f'lang="{language}"' in letter.html
