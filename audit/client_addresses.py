"""The client's address, believing only those proxies that the settings name.

`X-Forwarded-For` grows to the right: each proxy appends the address that it was called from, and
everything to the left of that is whatever the client chose to send. So it is read from the right,
past the proxies of `settings.TRUSTED_PROXIES`, and the first address that is not one of them
is the client's.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

from django.conf import settings
from django.http import HttpRequest

Address = IPv4Address | IPv6Address


def client_address(request: HttpRequest) -> str:
    """The client's IP address as text; empty where the server has none (a Unix socket)."""
    address = _parse(request.META.get("REMOTE_ADDR", ""))
    hops = request.headers.get("X-Forwarded-For", "").split(",")
    while address is not None and hops and _is_trusted(address):
        before = _parse(hops.pop())
        if before is None:
            # Not an address: nothing to the left of it can be believed either.
            break
        address = before
    return str(address) if address is not None else ""


def _is_trusted(address: Address) -> bool:
    return any(address in network for network in settings.TRUSTED_PROXIES)


def _parse(text: str) -> Address | None:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    # A socket that listens on both families shows IPv4 clients as ::ffff:192.0.2.1.
    return getattr(address, "ipv4_mapped", None) or address
