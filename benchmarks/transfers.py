"""Uploads and downloads through the running site, beside a client that uses its store directly.

The peer encrypts nothing, asks nobody's permission and speaks to the same SeaweedFS. Every run
has a site of its own in memory, so that runs cannot fill it and no disk is measured.
"""

import io
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import boto3
from botocore.config import Config

from benchmarks.measure import MIB, Figure, Peer, against, rates, seconds
from benchmarks.site import MeasuredSite, growth, launched
from benchmarks.visitor import CHUNK, Visitor, body_of

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory; the folder is made by tempfile
NAME = "peer"
RANGE = 8 * MIB

UPLOADS = {"boto up": Peer("boto3 upload_fileobj to the store", 0.95)}
DOWNLOADS = {
    "boto down": Peer("GET from the store"),
    "boto ranges": Peer("GETs of 8 MiB from the store"),
}


class Endless(io.RawIOBase):
    """A file of `size` bytes that are made while they are read."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._left = size
        self._chunk = next(body_of(CHUNK))

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        self._left -= wanted
        return (self._chunk * (wanted // CHUNK + 1))[:wanted]


def figures(size: int, runs: int) -> Iterator[Figure]:
    """Rates of each way in and out, then what they cost the web process in memory."""
    times: dict[str, list[float]] = {}
    grown: dict[str, list[int]] = {}
    for _ in range(runs):
        with tempfile.TemporaryDirectory(dir=MEMORY) as folder, launched(Path(folder)) as site:
            _one_run(site, size, times, grown)
    measured = rates(size / MIB, times)
    yield from against("Upload by form", "MiB/s", measured, ours="form", peers=UPLOADS)
    yield from against("Upload by tus", "MiB/s", measured, ours="tus", peers=UPLOADS)
    yield from against("Download", "MiB/s", measured, ours="download", peers=DOWNLOADS)
    for name, peaks in grown.items():
        yield Figure(f"Peak memory added: {name}", "MiB", [peak / MIB for peak in peaks])


def _one_run(
    site: MeasuredSite, size: int, times: dict[str, list[float]], grown: dict[str, list[int]]
) -> None:
    visitor, client = Visitor(site.port), _client(site)
    bucket = client.list_buckets()["Buckets"][0]["Name"]
    visitor.sign_in()
    warm = visitor.upload_form("warm", MIB, body_of(MIB))
    visitor.upload_tus("warm", MIB, body_of(MIB))
    visitor.download(warm)

    def timed(name: str, work: Callable[[], object]) -> None:
        times.setdefault(name, []).append(seconds(work))

    def measured(name: str, work: Callable[[], object]) -> None:
        grown.setdefault(name, []).append(growth(site, lambda: timed(name, work)))

    measured("form", lambda: visitor.upload_form("form", size, body_of(size)))
    measured("tus", lambda: visitor.upload_tus("tus", size, body_of(size)))
    timed("boto up", lambda: client.upload_fileobj(cast("IO[bytes]", Endless(size)), bucket, NAME))
    stored = visitor.find("form")
    measured("download", lambda: visitor.download(stored))
    timed("boto down", lambda: _drain(client.get_object(Bucket=bucket, Key=NAME)["Body"]))
    timed("boto ranges", lambda: _ranges(client, bucket, size))


def _ranges(client: "S3Client", bucket: str, size: int) -> None:
    for start in range(0, size, RANGE):
        wanted = f"bytes={start}-{min(start + RANGE, size) - 1}"
        _drain(client.get_object(Bucket=bucket, Key=NAME, Range=wanted)["Body"])


def _drain(body: Any) -> None:
    while body.read(CHUNK):
        pass


def _client(site: MeasuredSite) -> "S3Client":
    lines = site.env_file.read_text().splitlines()
    values = {name: value for name, _, value in (line.partition("=") for line in lines)}
    return boto3.client(
        "s3",
        endpoint_url=values["S3_ENDPOINT_URL"],
        region_name=values["AWS_DEFAULT_REGION"],
        aws_access_key_id=values["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=values["AWS_SECRET_ACCESS_KEY"],
        # As the site's own client: see files.storage.
        config=Config(
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
