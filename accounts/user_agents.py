"""Which browser on which system, in words, from what a client says of itself (RFC 9110, 10.1.5).

For people who look at their sessions: what every browser says begins alike, and its own name comes
late. Never decides anything: a client says what it likes.
"""

from __future__ import annotations

import re
from typing import Final

from django.utils.translation import gettext, gettext_noop

LONGEST: Final = 80
"""Characters of what is shown of a client that is none of these."""

# In this order: most say the names of others, too, before or after their own.
_BROWSERS: Final = (
    (r"(?:Edg|EdgA|EdgiOS)/(\d+)", "Edge"),
    (r"(?:OPR|OPiOS|Opera)/(\d+)", "Opera"),
    (r"Vivaldi/(\d+)", "Vivaldi"),
    (r"SamsungBrowser/(\d+)", "Samsung Internet"),
    (r"YaBrowser/(\d+)", "Yandex Browser"),
    (r"DuckDuckGo/(\d+)", "DuckDuckGo"),
    (r"(?:Firefox|FxiOS)/(\d+)", "Firefox"),
    (r"HeadlessChrome/(\d+)", gettext_noop("Chrome without a window")),
    (r"Chromium/(\d+)", "Chromium"),
    (r"(?:Chrome|CriOS)/(\d+)", "Chrome"),
    (r"Version/(\d+)\S* (?:Mobile/\S+ )?Safari/", "Safari"),
    (r"\bcurl/(\d+)", "curl"),
    (r"\bWget/(\d+)", "Wget"),
    (r"python-requests/(\d+)", "Python (requests)"),
)
_SYSTEMS: Final = (
    (r"iPhone|iPod", "iPhone"),
    (r"iPad", "iPad"),
    (r"Android", "Android"),
    (r"CrOS", "ChromeOS"),
    (r"Windows", "Windows"),
    (r"Macintosh|Mac OS X", "macOS"),
    (r"FreeBSD|OpenBSD|NetBSD", "BSD"),
    (r"Linux|X11", "Linux"),
)


def in_words(agent: str) -> str:
    """`Firefox 133 on Linux`; the beginning of what it said, where that is nothing known."""
    browser = next(
        (
            f"{gettext(name)} {found[1]}"
            for pattern, name in _BROWSERS
            if (found := re.search(pattern, agent, re.ASCII))
        ),
        "",
    )
    system = next((name for pattern, name in _SYSTEMS if re.search(pattern, agent)), "")
    if browser and system:
        return gettext("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return browser or shortened(agent, LONGEST) or gettext("unknown")


def shortened(agent: str, length: int) -> str:
    """At most so many characters: of a longer one the beginning and the end, which tell the most.

    The system is named first, the browser last.
    """
    if len(agent) <= length:
        return agent
    half = (length - 1) // 2
    return f"{agent[:half]}…{agent[-half:]}"
