"""Only proxies that the settings name are believed, and only as far as they reach."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from audit.client_addresses import client_address

PROXIES = [ip_network("10.0.0.0/8"), ip_network("2001:db8:ffff::/48")]


def address(peer: str, forwarded: str | None = None) -> str:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return client_address(RequestFactory().get("/", headers=headers, REMOTE_ADDR=peer))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        # A client's own header says nothing.
        ("192.0.2.1", "198.51.100.9", "192.0.2.1"),
        # Through one proxy, through two, and through none that added anything.
        ("10.0.0.1", "198.51.100.9", "198.51.100.9"),
        ("10.0.0.1", "198.51.100.9, 10.0.0.2", "198.51.100.9"),
        ("10.0.0.1", None, "10.0.0.1"),
        # What a client made up stands to the left of its own address.
        ("10.0.0.1", "203.0.113.5, 198.51.100.9", "198.51.100.9"),
        ("10.0.0.1", "10.0.0.3, 198.51.100.9, 10.0.0.2", "198.51.100.9"),
        # A request that began inside.
        ("10.0.0.1", "10.0.0.3", "10.0.0.3"),
        # Nothing past what is not an address.
        ("10.0.0.1", "198.51.100.9, unknown, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", ", ,", "10.0.0.1"),
        # IPv6, and IPv4 as a socket for both shows it.
        ("2001:db8:ffff::1", "2001:db8::5", "2001:db8::5"),
        ("::ffff:10.0.0.1", "::ffff:198.51.100.9", "198.51.100.9"),
        # A Unix socket has no address.
        ("", "198.51.100.9", ""),
    ],
)
def test_the_address_is_the_first_that_is_no_proxy(
    settings: Settings, peer: str, forwarded: str | None, client: str
) -> None:
    settings.TRUSTED_PROXIES = PROXIES
    assert address(peer, forwarded) == client


def test_no_proxy_is_trusted_by_default() -> None:
    assert address("10.0.0.1", "198.51.100.9") == "10.0.0.1"


@given(st.text(st.characters(codec="latin-1", exclude_categories=["Cc"])))
def test_a_stranger_cannot_move_the_address(header: str) -> None:
    assert address("192.0.2.1", header) == "192.0.2.1"
