"""`login` against the running site: by a browser, by a code, and that the token is kept."""

from __future__ import annotations

import http.client
import json
import re
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from benchmarks.site import PASSWORD, MeasuredSite
from benchmarks.visitor import Visitor
from client.securestore_client import signing_in
from client.securestore_client.errors import ClientError
from client.securestore_client.transport import Server
from tests.integration.commanding import Command
from tests.integration.prepared import launched

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Browser:
    """The browser of somebody who is signed in, as far as these pages need one."""

    site: MeasuredSite
    visitor: Visitor

    def ask(self, method: str, path: str, **fields: str) -> tuple[int, str, str]:
        """Status, where it leads, and the page. A form is sent with its page's token."""
        body = urlencode(fields)
        connection = http.client.HTTPConnection("127.0.0.1", self.site.port, timeout=60)
        try:
            headers = {"Cookie": self.visitor.cookie} | (FORM if body else {})
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            page = answer.read().decode()
            return answer.status, answer.headers.get("Location", ""), page
        finally:
            connection.close()

    def send(self, path: str, **fields: str) -> tuple[int, str, str]:
        _, _, page = self.ask("GET", path)
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert found is not None, page
        return self.ask("POST", path, csrfmiddlewaretoken=found[1], **fields)

    def open(self, address: str, **fields: str) -> bool:
        """Open the address that a program says, and answer; as a browser goes where it is sent."""
        parts = urlsplit(address)
        status, leads, page = self.send(f"{parts.path}?{parts.query}", **fields)
        assert status == 302, page
        there = urlsplit(leads)
        connection = http.client.HTTPConnection(there.hostname or "", there.port, timeout=60)
        connection.request("GET", f"{there.path}?{there.query}")
        assert connection.getresponse().status == 200
        connection.close()
        return True


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with launched(tmp_path_factory.mktemp("site")) as site:
        visitor = Visitor(site.port)
        visitor.sign_in()
        yield Browser(site, visitor)


def test_by_the_browser(browser: Browser) -> None:
    server = Server(browser.site.url)
    token = signing_in.by_browser(
        server,
        ["read", "add"],
        "a test",
        say=lambda text: None,
        open_page=lambda address: browser.open(address, scopes="read", days="1", allow="1"),
        wait=60,
    )
    server.token = token
    me = server.ask("GET", "/api/v1/me").json()
    assert (me["username"], me["token"]["name"]) == ("root", "a test")
    assert me["token"]["scopes"] == ["read"], "less was allowed than was asked for"
    server.close()


def test_refused_in_the_browser(browser: Browser) -> None:
    with pytest.raises(ClientError) as refused:
        signing_in.by_browser(
            Server(browser.site.url),
            ["read"],
            "a test",
            say=lambda text: None,
            open_page=lambda address: browser.open(address, refuse="1"),
            wait=60,
        )
    assert refused.value.exit_code == 4


def test_by_a_code_and_out_again(browser: Browser, tmp_path: Path) -> None:
    command = Command(browser.site, tmp_path)
    del command.env["SECURESTORE_TOKEN_FILE"]
    process = command.start("login", browser.site.url, "--no-browser", "--scopes", "read", "--json")
    assert process.stderr is not None
    said = process.stderr.readline().decode()
    found = re.search(r"[A-Z]{4}-[A-Z]{4}", said)
    assert found is not None, said
    status, leads, _ = browser.send("/accounts/programs/code/", code=found[0])
    assert (status, leads) == (302, "/accounts/programs/confirm/")
    _, _, page = browser.ask("GET", leads)
    assert "127.0.0.1" in page
    answers = {"scopes": "read", "days": "1", "allow": "1", "password": PASSWORD}
    assert browser.send(leads, **answers)[0] == 302
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert json.loads(out)["username"] == "root"
    kept = tmp_path / "config/securestore/settings.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert command.run("ls").code == 0
    assert command.run("mkdir", "x").code == 4, "the token may read alone"
    token = json.loads(kept.read_text())["sites"][browser.site.url]["token"]
    assert command.run("logout").code == 0
    assert token not in kept.read_text()
    assert command.run("ls", "--server", browser.site.url).code == 3
    gone = subprocess.run(
        [
            *("curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}"),
            *("--header", f"Authorization: Bearer {token}", f"{browser.site.url}/api/v1/me"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert gone.stdout == "401"
