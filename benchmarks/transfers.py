"""Uploads and downloads through the running site, beside a client that uses its store directly.

The peers encrypt nothing and ask nobody's permission: boto3 sends the same bytes to the same
SeaweedFS, and a view of the same server (`peer_urls`) streams the same object as it lies there.
Every round has a site of its own in memory, so that rounds cannot fill it and no disk is measured.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from benchmarks.measure import MIB, Figure, Peer, against, rates, seconds
from benchmarks.site import MEMORY, MeasuredSite, launched
from benchmarks.visitor import Slice, Visitor, body_of

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

NAME = "peer"
TUS_CHUNK = 64 * MIB

UPLOADS = {"boto up": Peer("boto3 upload_fileobj to the store", 0.95)}
PLAIN_UP = Peer("a view that does not encrypt", 1.6, at_most=True)
PLAIN_DOWN = Peer("a view that does not decrypt", 1.6, at_most=True)
DOWNLOADS = {
    "view": Peer("a view that decrypts nothing", 0.85),
    "boto down": Peer("GET from the store"),
}


@dataclass(frozen=True)
class Bench:
    """A site in memory, somebody who is signed in, the store's own client, and a file to send."""

    site: MeasuredSite
    visitor: Visitor
    store: "S3Client"
    bucket: str
    input: Path


@contextmanager
def bench(size: int) -> Iterator[Bench]:
    """A site with a warm web process, and a file of `size` random bytes beside it."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        path = Path(folder) / "input"
        with path.open("wb") as file:
            for start in range(0, size, MIB):
                file.write(os.urandom(min(MIB, size - start)))
        with launched(Path(folder), settings="benchmarks.peer_settings") as site:
            visitor = Visitor(site.port)
            visitor.sign_in()
            store = client(site)
            bucket = store.list_buckets()["Buckets"][0]["Name"]
            warm = visitor.upload_form("warm", MIB, body_of(MIB))
            visitor.upload_tus("warm", MIB, body_of(MIB))
            visitor.download(warm)
            store.put_object(Bucket=bucket, Key="warm", Body=b"warm")
            yield Bench(site, visitor, store, bucket, path)


def figures(size: int, runs: int) -> Iterator[Figure]:
    """Rates of each way in and out."""
    times: dict[str, list[float]] = {}
    busy: dict[str, list[float]] = {}
    for number in range(runs):
        with bench(size) as ready:
            # What the store has taken already costs whoever comes next: they take turns.
            for ways in (uploads(ready, size), downloads(ready)):
                for name, work in sorted(ways, reverse=bool(number % 2)):
                    before = ready.site.busy()
                    times.setdefault(name, []).append(seconds(work))
                    busy.setdefault(name, []).append(ready.site.busy() - before)
    measured = rates(size / MIB, times)
    yield from against("Upload by form", "MiB/s", measured, ours="form", peers=UPLOADS)
    yield from against("Upload by tus, 64 MiB", "MiB/s", measured, ours="tus", peers=UPLOADS)
    yield from against("Download", "MiB/s", measured, ours="download", peers=DOWNLOADS)
    of = "Web process, CPU of"
    yield from against(f"{of} an upload", "s", busy, ours="form", peers={"plain up": PLAIN_UP})
    yield from against(f"{of} tus", "s", busy, ours="tus", peers={"plain up": PLAIN_UP})
    yield from against(f"{of} a download", "s", busy, ours="download", peers={"view": PLAIN_DOWN})


Work = tuple[str, Callable[[], object]]


def uploads(ready: Bench, size: int) -> Iterator[Work]:
    """Each way in, by its name, for the input of `size` bytes."""

    def boto() -> None:
        with ready.input.open("rb") as file:
            ready.store.upload_fileobj(file, ready.bucket, NAME)

    whole = Slice(ready.input, 0, size)
    yield "form", lambda: ready.visitor.upload_form("form", size, [whole])
    yield "tus", lambda: ready.visitor.upload_chunks("tus", ready.input, TUS_CHUNK)
    yield "boto up", boto
    yield "plain up", lambda: ready.visitor.put("/uploads/peer/plain", size, [whole])


def downloads(ready: Bench) -> Iterator[Work]:
    """Each way out, by its name, for what was uploaded by form."""
    file_id = ready.visitor.find("form")
    name = ready.site.object_name(file_id)
    yield "download", lambda: ready.visitor.download(file_id)
    yield "view", lambda: ready.visitor.fetch(f"/peer/{name}")
    yield (
        "boto down",
        lambda: drain(ready.store.get_object(Bucket=ready.bucket, Key=name)["Body"]),
    )


def drain(body: Any) -> int:
    """Read an answer of the store to nowhere; the bytes that came."""
    total = 0
    while piece := body.read(MIB):
        total += len(piece)
    return total


def client(site: MeasuredSite) -> "S3Client":
    """boto3 with its default settings, at the site's store."""
    return boto3.client(
        "s3",
        endpoint_url=site.configured("S3_ENDPOINT_URL"),
        region_name=site.configured("AWS_DEFAULT_REGION"),
        aws_access_key_id=site.configured("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=site.configured("AWS_SECRET_ACCESS_KEY"),
    )
