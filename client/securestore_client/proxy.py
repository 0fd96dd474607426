"""The proxy that the environment names for TLS (`https_proxy`, `no_proxy`), and what it answers.

Plain HTTP is for this machine alone, and goes through none. The proxy sees the site's name and
nothing of what is said there: it must be given nothing but its own name and password.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import SplitResult, unquote, urlsplit

from .errors import ProxyRefused

PORT: Final = 3128
BUSY: Final = frozenset({408, 425, 429})
"""Refusals after which the same may well be let through."""


@dataclass(frozen=True)
class Proxy:
    """What a connection goes through, and what is said to it alone."""

    host: str
    port: int
    headers: dict[str, str] = field(repr=False)

    @classmethod
    def of(cls, address: SplitResult) -> Self:
        """As its address says, with its name and password (RFC 7617) where it has them."""
        headers = {}
        if address.username is not None:
            pair = f"{unquote(address.username)}:{unquote(address.password or '')}"
            headers["Proxy-Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        return cls(address.hostname or "", address.port or PORT, headers)

    def refused(self, error: OSError, site: str) -> ProxyRefused | None:
        """What to do about a proxy that says no; None where it was merely broken, or is busy."""
        # What `http.client` makes of an answer to CONNECT (RFC 9110, section 9.3.6).
        answer = re.match(r"Tunnel connection failed: (4\d\d)\b", str(error))
        if answer is None or int(answer[1]) in BUSY:
            return None
        if answer[1] == "407":
            return ProxyRefused(
                f"The proxy {self.host}:{self.port} takes nobody without a name and password that "
                f"it knows: https_proxy=http://NAME:PASSWORD@{self.host}:{self.port}"
            )
        return ProxyRefused(
            f"The proxy {self.host}:{self.port} does not let you through to {site} "
            f"({answer[1]}): ask who runs it, or name the site in no_proxy."
        )


def proxy_to(host: str) -> Proxy | None:
    """The proxy to that host, where the environment names one."""
    # Loaded where it is used: what starts a command is waited for.
    import urllib.request

    if urllib.request.proxy_bypass(host):
        return None
    named = urllib.request.getproxies().get("https", "")
    address = urlsplit(named if "//" in named else f"//{named}")
    return Proxy.of(address) if address.hostname else None
