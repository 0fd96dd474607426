"""Templates that are rendered once and filled in often: a list has fifty rows that look alike.

A template is given two kinds of things. What it looks at, to decide how it is: that is a part of
what its pattern is known by. And texts that only stand somewhere in it: for these it is rendered
with marks, and each filling puts the texts in their places, escaped. It sees nothing else, so a
pattern holds nothing of anybody: languages, flags, and the words of the template.

A text may be shown, given to `blocktranslate` or to `url` (as `id`), and must not be looked at: by
`if`, or by a filter. Must never know what it is about.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from uuid import UUID, uuid4

from django.template import Context
from django.template.loader import get_template
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

KEPT: Final = 512
"""Patterns of one process: each some kilobytes at most."""

# Not what anybody can guess, and no letter that escaping changes.
_SECRET: Final = secrets.token_hex(16)
_ID: Final = uuid4()
_BETWEEN: Final = f"~{_SECRET}~"


@dataclass(frozen=True)
class Pattern:
    """The pieces of a rendered template, and which text stands between each two of them."""

    pieces: tuple[str, ...]
    names: tuple[str, ...]
    used: frozenset[str]

    def fill(self, texts: Mapping[str, Any]) -> SafeString:
        """The template with these texts. Raises KeyError where one is missing."""
        whole = [""] * (2 * len(self.names) + 1)
        whole[0::2] = self.pieces
        escaped = {name: conditional_escape(texts[name]) for name in self.used}
        whole[1::2] = [escaped[name] for name in self.names]
        return mark_safe("".join(whole))  # noqa: S308 - pieces of a template, and escaped texts


def pattern(template: str, texts: Iterable[str], **looks_at: Any) -> Pattern:
    """The pattern of a template in the language of the page. A text called `id` is a UUID's."""
    return _pattern(template, tuple(texts), get_language(), tuple(sorted(looks_at.items())))


@lru_cache(KEPT)
def _pattern(
    template: str,
    texts: tuple[str, ...],
    language: str | None,
    looks_at: tuple[tuple[str, Any], ...],
) -> Pattern:
    del language  # A part of the key: the template's words are in it.
    marks: dict[str, str | UUID] = {name: f"{_BETWEEN}{name}{_BETWEEN}" for name in texts}
    if "id" in marks:
        marks["id"] = _ID
    engine_template: Any = get_template(template)
    rendered = engine_template.template.render(Context({**dict(looks_at), **marks}))
    found = rendered.replace(str(_ID), f"{_BETWEEN}id{_BETWEEN}").split(_BETWEEN)
    return Pattern(tuple(found[0::2]), tuple(found[1::2]), frozenset(found[1::2]))
