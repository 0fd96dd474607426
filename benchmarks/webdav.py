"""The site beside another server that encrypts: rclone's WebDAV over its crypt, on the same store.

curl sends and fetches the same file, whole processes by turns. rclone keeps no record, asks nobody
for a permission, and verifies nothing after it has stored it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.command import token_of
from benchmarks.measure import MIB, Figure, Peer, against, rates, seconds
from benchmarks.site import MEMORY, MeasuredSite, launched
from benchmarks.tool import installed
from launcher.ports import free_port

UP = Peer("rclone serve webdav over crypt, up", 1.6)
DOWN = Peer("rclone serve webdav over crypt, down", 1.6)
PATIENCE = 30.0
"""Seconds to wait for rclone."""


def figures(size: int, runs: int) -> Iterator[Figure]:
    """Rates of one upload and of one download, each by curl."""
    program = installed("rclone")
    if program is None:
        sys.stderr.write("rclone is not installed: left out (run `make bench`)\n")
        return
    times: dict[str, list[float]] = {}
    for number in range(runs):
        with tempfile.TemporaryDirectory(dir=MEMORY) as name:
            folder = Path(name)
            with launched(folder) as site, _rclone(program, folder, site) as webdav:
                curl = _Curl(site, folder, webdav, size)
                for ways in (("put", "webdav put"), ("get", "webdav get")):
                    for way in sorted(ways, reverse=bool(number % 2)):
                        times.setdefault(way, []).append(seconds(partial(curl.do, way)))
    measured = rates(size / MIB, times)
    yield from against("PUT by curl", "MiB/s", measured, ours="put", peers={"webdav put": UP})
    yield from against("GET by curl", "MiB/s", measured, ours="get", peers={"webdav get": DOWN})


class _Curl:
    """A file of `size` random bytes, and what curl is told for each way that it goes."""

    def __init__(self, site: MeasuredSite, folder: Path, webdav: str, size: int) -> None:
        self._folder = folder
        with (folder / "large").open("wb") as file:
            for start in range(0, size, MIB):
                file.write(os.urandom(min(MIB, size - start)))
        (folder / "warm").write_bytes(os.urandom(MIB))
        allowed = ["--header", f"Authorization: Bearer {token_of(site, 'read', 'add')}"]
        ours = f"{site.url}/api/v1/content"
        self._ways = {
            "put": ([*allowed, "--upload-file"], ours),
            "get": ([*allowed, "--output", "got"], ours),
            "webdav put": (["--upload-file"], webdav),
            "webdav get": (["--output", "got"], webdav),
        }
        for way in self._ways:
            self.do(way, "warm")

    def do(self, way: str, name: str = "large") -> None:
        """Send or fetch a file of that name."""
        options, where = self._ways[way]
        file = [name] if options[-1] == "--upload-file" else []
        curl = [shutil.which("curl") or "curl", "--silent", "--show-error", "--fail"]
        subprocess.run(  # noqa: S603 - what both are asked by
            [*curl, *options, *file, f"{where}/{name}"],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        (self._folder / "got").unlink(missing_ok=True)


@contextmanager
def _rclone(program: str, folder: Path, site: MeasuredSite) -> Iterator[str]:
    """rclone as a WebDAV server on the site's own store, with its defaults; its address."""
    said = {"PATH": os.environ["PATH"], "HOME": str(folder), "RCLONE_CONFIG": os.devnull}
    obscured = subprocess.run(  # noqa: S603 - what it is compared with
        [program, "obscure", os.urandom(16).hex()],
        env=said,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    remotes = {
        "STORE_TYPE": "s3",
        "STORE_PROVIDER": "Other",
        "STORE_ENDPOINT": site.configured("S3_ENDPOINT_URL"),
        "STORE_REGION": site.configured("AWS_DEFAULT_REGION"),
        "STORE_ACCESS_KEY_ID": site.configured("AWS_ACCESS_KEY_ID"),
        "STORE_SECRET_ACCESS_KEY": site.configured("AWS_SECRET_ACCESS_KEY"),
        "SEALED_TYPE": "crypt",
        "SEALED_REMOTE": f"STORE:{site.configured('S3_BUCKET')}/webdav",
        "SEALED_PASSWORD": obscured,
    }
    env = said | {f"RCLONE_CONFIG_{name}": value for name, value in remotes.items()}
    port = free_port()
    serve = [program, "serve", "webdav", "SEALED:", "--addr", f"127.0.0.1:{port}"]
    with subprocess.Popen(serve, env=env, stderr=subprocess.DEVNULL) as server:  # noqa: S603
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(address)
            yield address
        finally:
            server.terminate()


def _wait_for(address: str) -> None:
    """Raises TimeoutError for a server that does not answer."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310 - of this machine
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise TimeoutError(address)
