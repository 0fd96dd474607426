"""Sizes and moments on pages: short for people, exact for who looks closer and for programs.

Filters, and no included templates, since a list shows a hundred of them. Words and numbers are
those of the language, and moments those of the time zone, that `accounts.preferences` has found.
"""

from __future__ import annotations

from django import template
from django.conf import settings
from django.utils.html import format_html

from runtime.moments import as_moment
from runtime.sizes import as_size

register = template.Library()


register.filter(as_size)
register.filter(as_moment)


@register.simple_tag
def largest_upload() -> str:
    """Bytes that a file may have, in digits, for scripts."""
    return str(settings.MAX_UPLOAD_SIZE)


@register.simple_tag
def abuse_contact() -> str:
    """Whom people tell of misuse, as a link; empty where the site names nobody."""
    text: str = settings.ABUSE_CONTACT
    target = text if text.startswith("http") else f"mailto:{text}"
    return format_html('<a href="{}" rel="noreferrer">{}</a>', target, text) if text else ""
