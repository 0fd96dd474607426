"""The same words as HTML: paragraphs, and links of this site. Nothing that a reader would fetch.

No picture, no style but that long addresses are broken, nothing that tells when it was read. A link
is what stands alone in its line and leads here: what others typed never becomes one.
"""

from __future__ import annotations

import re

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString


def as_html(text: str, *, origin: str, language: str, title: str) -> str:
    """A document of a mail's text."""
    paragraphs = [part for part in re.split(r"\n\s*\n", text.strip()) if part.strip()]
    body = format_html_join("\n", "<p>{}</p>", ((_lines(part, origin),) for part in paragraphs))
    return format_html(
        '<!DOCTYPE html>\n<html lang="{}">\n<head><meta charset="utf-8"><title>{}</title></head>\n'
        '<body style="overflow-wrap: anywhere">\n{}\n</body>\n</html>\n',
        language,
        title,
        body,
    )


def _lines(paragraph: str, origin: str) -> SafeString:
    lines = (line.strip() for line in paragraph.splitlines())
    return format_html_join(SafeString("<br>\n"), "{}", ((_line(line, origin),) for line in lines))


def _line(line: str, origin: str) -> str:
    if origin and line.startswith(f"{origin}/") and not re.search(r"\s", line):
        return format_html('<a href="{}">{}</a>', line, line)
    return line
