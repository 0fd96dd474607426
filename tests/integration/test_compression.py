"""Text is compressed on its way to a browser, with the shipped proxy and without; files are not."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.conftest import Weed
from tests.integration.deployment import HOST, Address, Alone, Deployment, Visitor, people

STORE = """
from accounts.members import ensure_members_group
from accounts.models import User
from files.vault import storing
from files.models import Grant
owner = User.objects.get(username="visitor")
record = storing.store(owner, [b"text " * 100_000], name="page.html", content_type="text/html")
Grant.objects.create(file=record, group=ensure_members_group(), granted_by=owner)
print(record.pk)
"""
SIZE = 500_000


@dataclass(frozen=True)
class Served:
    visitor: Visitor
    file_id: str


@pytest.fixture(scope="module", params=[Deployment, Alone], ids=["behind the proxy", "alone"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, weed: Weed
) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("compression")
    if request.param is Deployment:
        proxied = Deployment(folder, weed, servers=1)
        with proxied.running():
            yield _somebody(Address(proxied.port, HOST, proxied.context), proxied)
    else:
        alone = Alone(folder, weed)
        with alone.running():
            yield _somebody(alone.address, alone)


def _somebody(address: Address, site: Deployment | Alone) -> Served:
    people(site.installation, 0)
    [file_id] = site.installation.python(STORE)
    [cookie] = people(site.installation, 1)
    cookies = dict(part.split("=", 1) for part in cookie.split("; "))
    return Served(Visitor(address, cookies), file_id)


def test_text_is_compressed_and_bytes_of_files_are_not(served: Served) -> None:
    def ask(path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        status, told, content = served.visitor.ask("GET", path, None, **sent)
        return status, {name.lower(): value for name, value in told.items()}, content

    status, told, page = ask("/shared/", Accept_Encoding="gzip, br")
    assert (status, told["content-encoding"]) == (200, "gzip")
    assert int(told["content-length"]) == len(page)
    assert "accept-encoding" in told["vary"].lower()
    plain = gzip.decompress(page)
    assert b"page.html" in plain
    assert len(page) < len(plain) / 2
    status, told, content = ask("/shared/", Accept_Encoding="identity")
    assert "content-encoding" not in told
    assert b"page.html" in content
    for kind in (rb'href="(/static/[^"]+\.css)"', rb'src="(/static/[^"]+\.js)"'):
        found = re.search(kind, plain)
        assert found is not None
        status, told, content = ask(found[1].decode(), Accept_Encoding="gzip")
        if len(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content) > 1000:
            assert told["content-encoding"] == "gzip", found[1]
    address = f"/files/{served.file_id}/download/"
    status, told, content = ask(address, Accept_Encoding="gzip, br")
    assert (status, told.get("content-encoding"), len(content)) == (200, None, SIZE)
    assert int(told["content-length"]) == SIZE
    assert told["etag"].startswith('"')
    status, told, content = ask(address, Accept_Encoding="gzip, br", Range="bytes=5-104")
    assert (status, told.get("content-encoding")) == (206, None)
    assert told["content-range"] == f"bytes 5-104/{SIZE}"
    assert content == b"text " * 20
