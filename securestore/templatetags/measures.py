"""Sizes and moments on pages: short for people, exact for who looks closer and for programs.

Filters, and no included templates, since a list shows a hundred of them. Words and numbers are
those of the language, and moments those of the time zone, that `accounts.preferences` has found.
"""

from __future__ import annotations

from datetime import datetime

from django import template
from django.conf import settings
from django.contrib.humanize.templatetags.humanize import intcomma
from django.template.defaultfilters import filesizeformat
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import ngettext

from runtime import moments

register = template.Library()


@register.filter
def as_size(size: int) -> SafeString:
    """A number of bytes as a `data` element: `1.2 MB`, and to the byte in its title."""
    exact = ngettext("%(size)s byte", "%(size)s bytes", size) % {"size": intcomma(size)}
    return format_html('<data value="{}" title="{}">{}</data>', size, exact, filesizeformat(size))


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


@register.filter(expects_localtime=True)
def as_moment(moment: datetime) -> SafeString:
    """A moment as a `time` element: to the minute, and by ISO 8601 to the second in its title."""
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(),
        moment.isoformat(sep=" ", timespec="seconds"),
        moments.in_words(moment),
    )
