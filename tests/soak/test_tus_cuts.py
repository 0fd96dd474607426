"""Two hundred cut connections, over files of up to 64 MiB: every byte arrives."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.conftest import Weed
from tests.integration.tus import Client, Server, upload_with_cuts

pytestmark = pytest.mark.soak

CUTS = 200
LARGEST = 64 * 1024 * 1024


@pytest.fixture
def client(tmp_path_factory: pytest.TempPathFactory, weed: Weed) -> Iterator[Client]:
    server = Server(tmp_path_factory.mktemp("tus"), weed)
    server.start()
    yield Client(server.port).sign_in()
    server.kill()


def test_two_hundred_cuts_lose_nothing(client: Client) -> None:
    chance = random.Random(20)  # noqa: S311  the same in every run
    cuts = 0
    while cuts < CUTS:
        # Small ones are complete in one part, or in less than a frame; they are the cheap half.
        largest = chance.choice([600_000, LARGEST])
        content = chance.randbytes(chance.randrange(1, largest))
        done = upload_with_cuts(client, content, 6, chance)
        assert client.download(done.file_id) == content
        cuts += done.cuts
