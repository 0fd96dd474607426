"""Numbers of bytes: short for people, exact for who looks closer and for programs."""

from __future__ import annotations

from functools import lru_cache

from django.contrib.humanize.templatetags.humanize import intcomma
from django.template.defaultfilters import filesizeformat
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, ngettext


def as_size(size: int) -> SafeString:
    """A number of bytes as a `data` element: `1.2 MB`, and to the byte in its title."""
    return _as_size(get_language(), size)


@lru_cache(4096)
def _as_size(language: str | None, size: int) -> SafeString:
    del language  # Of the key alone: it is that of the page.
    exact = ngettext("%(size)s byte", "%(size)s bytes", size) % {"size": intcomma(size)}
    return format_html('<data value="{}" title="{}">{}</data>', size, exact, filesizeformat(size))
