"""Two hundred cut connections for each client, over files of up to 64 MiB: every byte arrives.

The clients are our own, which knows where it was cut, and one that we did not write: tuspy. What
tus-js-client makes of as many cuts is `test_browser_cuts`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.conftest import Weed
from tests.integration.cutting import CuttingProxy
from tests.integration.tus import Client, Server, upload_with_cuts
from tests.integration.tuspy_client import upload_through

pytestmark = pytest.mark.soak

CUTS = 200
LARGEST = 64 * 1024 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, weed: Weed) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("tus"), weed)
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def client(server: Server) -> Client:
    return Client(server.port).sign_in()


def content_of(chance: random.Random) -> bytes:
    """Small ones are complete in one part, or in less than a frame; they are the cheap half."""
    return chance.randbytes(chance.randrange(1, chance.choice([600_000, LARGEST])))


def test_two_hundred_cuts_lose_nothing(client: Client) -> None:
    chance = random.Random(20)  # noqa: S311  the same in every run
    cuts = 0
    while cuts < CUTS:
        content = content_of(chance)
        done = upload_with_cuts(client, content, 6, chance)
        assert client.download(done.file_id) == content
        cuts += done.cuts


def test_tuspy_comes_through_two_hundred_cuts(server: Server, client: Client) -> None:
    chance = random.Random(21)  # noqa: S311  the same in every run
    with CuttingProxy(server.port, chance, cuts=0, least=200, most=LARGEST) as proxy:
        while proxy.cuts < CUTS:
            proxy.allow(6)
            content = content_of(chance)
            assert client.download(upload_through(proxy, client, content, chance)) == content
