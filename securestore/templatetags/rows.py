"""The rows of a list, where a page has a place for them."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.safestring import SafeString

from files.web import rows

register = template.Library()

LOOKS = ("pick", "may_download", "who", "when", "note", "until")
"""What `files/_rows.html` is given that decides how rows look."""


@register.simple_tag(takes_context=True)
def file_rows(context: Any) -> SafeString:
    """The rows of `rows`, for `user`."""
    page = {name: context.get(name) or "" for name in LOOKS}
    return rows.as_html(context["rows"], user_id=context["user"].pk, **page)
