"""The viewer behind the proxy that is shipped: what keeps its frame to itself arrives as sent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http.client import HTTPMessage

import pytest

from tests.conftest import Weed
from tests.integration.deployment import HOST, Address, Deployment, Visitor, people

STORE = """
from accounts.models import User
from files.vault import storing
owner = User.objects.get(username="visitor")
print(storing.store(owner, [bytes(1 << 20)], name="Plan.pdf", content_type="application/pdf").pk)
"""

OF_THE_VIEWER = (
    "Content-Security-Policy",
    "Connection-Allowlist",
    "Referrer-Policy",
    "X-DNS-Prefetch-Control",
    "X-Frame-Options",
    "X-Content-Type-Options",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
    "Cache-Control",
    "Content-Type",
)


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, weed: Weed) -> Iterator[Deployment]:
    deployment = Deployment(tmp_path_factory.mktemp("deployment"), weed, servers=1)
    with deployment.running():
        yield deployment


@pytest.fixture(scope="module")
def plan(deployment: Deployment) -> str:
    """The address of a file of the visitor's."""
    people(deployment.installation, 0)
    [number] = deployment.installation.python(STORE)
    return f"/files/{number}/"


@pytest.fixture(scope="module")
def visitor(deployment: Deployment, plan: str) -> Visitor:
    """Who owns the file, and has signed in through the proxy."""
    visitor = Visitor(Address(deployment.port, HOST, deployment.context))
    assert visitor.sign_in() == 302
    return visitor


def told(headers: HTTPMessage) -> dict[str, list[str] | None]:
    return {name: headers.get_all(name) for name in OF_THE_VIEWER}


def straight(deployment: Deployment, visitor: Visitor, path: str) -> HTTPMessage:
    """What the server itself answers, asked as the proxy asks it."""
    pool = Visitor(Address(deployment.servers[0].pages.port), cookies=visitor.cookies)
    as_proxy = {"Host": HOST, "X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1"}
    status, headers, _ = pool.ask("GET", path, None, **as_proxy)
    assert status == 200
    return headers


@pytest.mark.parametrize("path", ["view/", "frame"])
def test_nothing_is_added_and_nothing_lost(
    deployment: Deployment, visitor: Visitor, plan: str, path: str
) -> None:
    path = "/files/viewer/" if path == "frame" else f"{plan}{path}"
    status, headers, _ = visitor.ask("GET", path)
    assert status == 200
    assert told(headers) == told(straight(deployment, visitor, path))
    assert len(headers.get_all("Content-Security-Policy", [])) == 1


def test_the_page_lets_no_other_frame_in(visitor: Visitor, plan: str) -> None:
    policy = policy_of(visitor.ask("GET", f"{plan}view/")[1])
    assert policy["frame-src"] == [f"https://{HOST}/files/viewer/"]


def test_the_frame_has_nothing(visitor: Visitor) -> None:
    _, headers, content = visitor.ask("GET", "/files/viewer/")
    policy = policy_of(headers)
    assert policy["default-src"] == policy["connect-src"] == ["'none'"]
    assert policy["sandbox"] == ["allow-scripts"]
    assert policy["frame-ancestors"] == ["'self'"]
    # By the address that browsers see, and not by that of the server behind the proxy.
    assert all(one.startswith(f"https://{HOST}/static/") for one in policy["script-src"])
    assert headers["Connection-Allowlist"] == "(response-origin)"
    # Its scripts are another origin's to it.
    [script] = re.findall(rb'<script type="module" src="([^"]+)"', content)
    status, headers, _ = visitor.ask("GET", script.decode())
    assert status == 200
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Cross-Origin-Resource-Policy"] == "cross-origin"


def test_its_ranges_come_through_whole(visitor: Visitor, plan: str) -> None:
    ask = {"Range": "bytes=1000-1999", "Accept-Encoding": "gzip"}
    status, headers, content = visitor.ask("GET", f"{plan}download/", None, **ask)
    assert status == 206
    assert headers["Content-Range"] == f"bytes 1000-1999/{1 << 20}"
    assert content == bytes(1000)
    assert "Content-Encoding" not in headers
    # A tag that a proxy made weak would never match again.
    status, _, _ = visitor.ask(
        "GET", f"{plan}download/", None, **ask, **{"If-Match": headers["ETag"]}
    )
    assert status == 206
    status, _, _ = visitor.ask("GET", f"{plan}download/", None, **ask, **{"If-Match": '"another"'})
    assert status == 412


def policy_of(headers: HTTPMessage) -> dict[str, list[str]]:
    parts = (part.split() for part in headers["Content-Security-Policy"].split(";"))
    return {name: values for name, *values in filter(None, parts)}
