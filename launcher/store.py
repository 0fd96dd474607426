"""The embedded S3 store: SeaweedFS in one process, for one machine, on loopback only.

It asks for credentials at every door: S3 for the keys of `.env`, its inner servers for tokens
that nobody outside the process has. Like every store it sees only ciphertext, and is not trusted.
"""

import http.client
import os
import secrets
import shutil
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from launcher.errors import LaunchError
from launcher.ports import LOOPBACK, free_port


@dataclass(frozen=True)
class EmbeddedStore:
    """How to run the store: its data folder, its S3 port on loopback and its one pair of keys."""

    data: Path
    port: int
    access_key: str
    secret_key: str

    name = "The embedded store"

    def __post_init__(self) -> None:
        # Without keys SeaweedFS lets everybody in.
        if not self.access_key or not self.secret_key:
            raise LaunchError(
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set in .env: the embedded "
                "store does not run without credentials."
            )

    @property
    def endpoint_url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def prepare(self) -> None:
        """Make the data folder (mode 0700)."""
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)

    def command(self) -> list[str]:
        """The command line. All ports but that of S3 are drawn afresh: only the store uses them."""
        inner = (
            "s3.port.grpc",
            *(f"{part}.port{kind}" for part in PARTS for kind in ("", ".grpc")),
        )
        options = {
            "dir": self.data,
            "master.dir": self.data,
            "ip": LOOPBACK,
            "ip.bind": LOOPBACK,
            "s3.port": self.port,
            **{option: free_port() for option in inner},
            # What nobody asked for stays shut.
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.iam": "false",
            "admin.ui": "false",
            "webdav": "false",
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": self._volume_size(),
            # Every bucket has a volume of its own, however little is in it.
            "volume.max": 1000,
            "filer.exposeDirectoryData": "false",
            "filer.disableDirListing": "true",
            # A typing error in S3_BUCKET must not make a bucket, nor an order remove a full one.
            "s3.autoCreateBucket": "false",
            "s3.allowDeleteBucketNotEmpty": "false",
        }
        return [str(program()), "mini", *(f"-{key}={value}" for key, value in options.items())]

    def _volume_size(self) -> int:
        """MiB of one volume. Where one is full, writes stand still for a second."""
        free = shutil.disk_usage(self.data).free // 2**20
        return min(max(free // VOLUMES, MIN_VOLUME), MAX_VOLUME)

    def environment(self) -> dict[str, str]:
        """Its whole environment: nothing of ours that it does not need."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.data),
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            # Its inner servers take no request without a token signed with these.
            **{f"WEED_JWT_{door}_KEY": secrets.token_urlsafe(32) for door in DOORS},
        }

    def is_ready(self) -> bool:
        """Whether S3 answers, and refuses a stranger as it should."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=2)
        try:
            connection.request("GET", "/")
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        if status < http.client.BAD_REQUEST:
            raise LaunchError(
                f"What answers at {self.endpoint_url} lets anyone in: it is not used. Stop it, or "
                "change the port in S3_ENDPOINT_URL in .env."
            )
        return status == http.client.FORBIDDEN


VOLUMES = 8
"""How many volumes the free space shall be good for: the store begins one after the other."""

MIN_VOLUME, MAX_VOLUME = 128, 4096
"""MiB; the store's own choice is a 64th of the space."""

PARTS = ("master", "volume", "filer", "admin")
DOORS = ("SIGNING", "SIGNING_READ", "FILER_SIGNING", "FILER_SIGNING_READ")


def program() -> Path:
    """SeaweedFS as requirements-store.txt installs it. Raises `LaunchError` when it is missing."""
    path = Path(sysconfig.get_path("scripts")) / "weed"
    if not path.is_file():
        raise LaunchError(
            "The embedded store is not installed: run `make run`, or set EMBEDDED_STORE=false in "
            ".env and name a store of your own."
        )
    return path
