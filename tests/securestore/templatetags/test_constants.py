"""Words that stand in a template are those of each language, and what varies is looked up again."""

from __future__ import annotations

from typing import Any

import pytest
from django.template import Context, Template, engines
from django.utils import translation

from securestore.templatetags.constants import Constant


def template(text: str) -> Template:
    engine: Any = engines["django"]
    made: Template = engine.from_string("{% load i18n %}" + text).template
    return made


def shown(made: Template, language: str, **values: object) -> str:
    with translation.override(language):
        return made.render(Context(values))


@pytest.mark.parametrize(
    "text", ['{% translate "Size" %}', '{% translate "Size" as it %}<{{ it }}>']
)
def test_words_are_those_of_the_language_each_time(text: str) -> None:
    made = template(text)
    assert made.nodelist.get_nodes_by_type(Constant)
    for _ in range(2):
        found = [shown(made, language) for language in ("en-gb", "de", "fr")]
        assert ["Size" in found[0], "Größe" in found[1], "Taille" in found[2]] == [True] * 3


def test_what_varies_is_not_kept() -> None:
    made = template("{% translate words %}{% url view %}")
    assert not made.nodelist.get_nodes_by_type(Constant)
    found = [shown(made, "de", words=words, view="home") for words in ("Size", "Name")]
    assert found[0] != found[1]


def test_an_address_is_one_of_the_site() -> None:
    made = template('{% url "files:list" %}|{% url "shared" as there %}{{ there }}')
    assert [shown(made, "en-gb") for _ in range(2)] == ["/files/|/shared/"] * 2
