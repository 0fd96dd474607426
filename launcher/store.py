"""The embedded S3 store: SeaweedFS in one process, for one machine, on loopback only.

SeaweedFS is several servers, of which S3 alone asks for credentials by itself: the others, HTTP
and gRPC, delete a bucket for whoever asks. So S3 takes the keys of `.env`, every other port and
gRPC socket a certificate that nobody but the process has a use for, and the store counts as ready
when each has turned away who has none. Like every store, it sees only ciphertext and is not
trusted.
"""

import contextlib
import http.client
import os
import secrets
import shutil
import sysconfig
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from launcher.errors import LaunchError
from launcher.mutual_tls import Identity
from launcher.ports import LOOPBACK, free_port


@dataclass(frozen=True)
class EmbeddedStore:
    """How to run the store: its data folder, its S3 port on loopback and its one pair of keys."""

    data: Path
    port: int
    access_key: str
    secret_key: str

    name = "The embedded store"
    # Seconds. It closes what it knows of files first, in two, and would then wait for connections
    # among its own servers that were never used. What it said is stored survives a kill anyway.
    grace = 5.0

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

    @property
    def identity(self) -> Identity:
        """What its servers know one another by."""
        return Identity(self.data / "identity")

    @cached_property
    def inner_ports(self) -> dict[str, int]:
        """Every port but that of S3, by its option: drawn afresh, only the store uses them."""
        return {
            option: free_port()
            for option in (
                "s3.port.grpc",
                *(f"{part}.port{kind}" for part in PARTS for kind in ("", ".grpc")),
            )
        }

    def prepare(self) -> None:
        """Make the data folder (mode 0700), and the certificate of the next start."""
        try:
            self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.identity.renew()
        except OSError as error:
            raise LaunchError(
                f"The embedded store cannot write to {self.data} ({error.strerror}): give this "
                "account the folder, or make room on its disk."
            ) from None

    def command(self) -> list[str]:
        """The command line, for the data folder as the working directory."""
        options = {
            "dir": self.data,
            "master.dir": self.data,
            "ip": LOOPBACK,
            "ip.bind": LOOPBACK,
            "s3.port": self.port,
            **self.inner_ports,
            # In the data folder, not in that of everybody. Relative: a socket's path is short.
            "s3.localSocket": "s3.sock",
            "filer.localSocket": "filer.sock",
            # What nobody asked for stays shut: not even a certificate opens the HTTP of master and
            # filer, and no page of another origin is told anything (RFC 6761, 6.4).
            "disableHttp": "true",
            "s3.allowedOrigins": "https://nobody.invalid",
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.iam": "false",
            "admin.ui": "false",
            "webdav": "false",
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": self._volume_size(),
            # Nobody has to be told first: there is no other.
            "volume.preStopSeconds": 0,
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
            # What would be its security.toml, and comes before one that the machine has.
            **self._certificates(),
            # Behind the certificate, tokens signed with these.
            **{f"WEED_JWT_{door}_KEY": secrets.token_urlsafe(32) for door in DOORS},
        }

    def _certificates(self) -> dict[str, str]:
        """TLS on both sides for gRPC, and for HTTP but that of S3."""
        authority = str(self.identity.authority)
        pair = {"CERT": str(self.identity.certificate), "KEY": str(self.identity.key)}
        settings = {"GRPC_CA": authority, "HTTPS_CLIENT_ENABLED": "true"}
        for part in GRPC_PARTS:
            settings |= {f"GRPC_{part}_{name}": path for name, path in pair.items()}
        for part in HTTPS_PARTS:
            settings |= {f"HTTPS_{part}_{name}": path for name, path in pair.items()}
            settings[f"HTTPS_{part}_CA"] = authority
        return {f"WEED_{name}": value for name, value in settings.items()}

    def is_ready(self) -> bool:
        """Whether S3 answers, and every door refuses a stranger as it should.

        SeaweedFS serves without TLS where it cannot use the certificate, so that is looked at: then
        `LaunchError` is raised.
        """
        try:
            return self._s3_refuses_strangers() and all(
                map(self._is_shut, self.inner_ports.values())
            )
        except OSError:
            return False

    def _s3_refuses_strangers(self) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=2)
        with contextlib.closing(connection):
            try:
                connection.request("GET", "/")
                status = connection.getresponse().status
            except http.client.HTTPException:
                return False
        if status < http.client.BAD_REQUEST:
            raise LaunchError(
                f"What answers at {self.endpoint_url} lets anyone in: it is not used. Stop it, or "
                "change the port in S3_ENDPOINT_URL in .env."
            )
        return status == http.client.FORBIDDEN

    def _is_shut(self, port: int) -> bool:
        if not self.identity.is_asked_for(port):
            raise LaunchError(
                f"What answers at port {port}, which is for the embedded store's own servers, does "
                "not ask for their certificate: it is not used. Start again; store.log says more."
            )
        return True


VOLUMES = 8
"""How many volumes the free space shall be good for: the store begins one after the other."""

MIN_VOLUME, MAX_VOLUME = 128, 4096
"""MiB; the store's own choice is a 64th of the space."""

PARTS = ("master", "volume", "filer", "admin")
HTTPS_PARTS = ("CLIENT", "MASTER", "VOLUME", "FILER", "ADMIN")
GRPC_PARTS = (*HTTPS_PARTS, "S3", "WORKER")
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
