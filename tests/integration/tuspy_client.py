"""tuspy, the Python client of the tus project, as somebody on a bad network would use it."""

from __future__ import annotations

import io
import random
from contextlib import suppress

from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError, TusUploadFailed

from tests.integration.cutting import CuttingProxy
from tests.integration.tus import Client

MIB = 2**20


def upload_through(
    proxy: CuttingProxy, client: Client, content: bytes, chance: random.Random
) -> str:
    """Upload over the proxy, going on by the upload's address as often as it takes.

    The chunks' size is chance's, too. Returns the id of the file.
    """
    there = TusClient(f"http://127.0.0.1:{proxy.port}/uploads/", headers=client.headers)
    file, chunk = io.BytesIO(content), chance.choice([300_000, 2 * MIB, 100 * MIB])
    uploader = there.uploader(file_stream=file, chunk_size=chunk, metadata={"filename": "tuspy"})
    url = ""
    while not url:
        # A creation whose answer was lost is begun anew: what it left expires.
        with suppress(TusCommunicationError):
            url = str(uploader.create_url())
    uploader.set_url(url)
    arrived = False
    while not arrived:
        with suppress(TusCommunicationError, TusUploadFailed):
            # What tuspy believes after a cut is what it believed before: it asks anew.
            uploader.offset = uploader.get_offset()
            uploader.upload()
            arrived = True
    offset, file_id = client.head("/uploads/" + url.rpartition("/")[2])
    assert offset == len(content)
    assert file_id is not None
    return file_id
