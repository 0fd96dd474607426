"""The `.env` of an installation: written once with fresh secrets, read ever after.

Its keys open every stored file. So it is created with mode 0600, whole or not at all, and this
module must never overwrite one, nor make a new one beside data that an older one encrypted.
"""

import base64
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from launcher.errors import LaunchError
from launcher.ports import LOOPBACK, free_port
from runtime.configuration import flag, optional_secret, read_environment

TEMPLATE = """\
# Securestore's configuration, written once by `make run`. docs/operations.md explains each name.
# MASTER_KEYS opens every stored file: keep a copy of this file in a safe place, away from backups
# of the data. Whoever has both can read everything; without it nobody can.
SECRET_KEY={secret_key}
MASTER_KEYS={master_key}
AUDIT_KEY={audit_key}

DATABASE_URL=sqlite:///{database}
STATIC_ROOT={static}

# The store that `make run` starts. With EMBEDDED_STORE=false, name your own S3 store here.
EMBEDDED_STORE=true
S3_BUCKET=securestore
S3_ENDPOINT_URL=http://{loopback}:{store_port}
AWS_ACCESS_KEY_ID={access_key}
AWS_SECRET_ACCESS_KEY={secret_access_key}
AWS_DEFAULT_REGION=us-east-1

ALLOWED_HOSTS=localhost,127.0.0.1,[::1]
# false is for plain HTTP on this machine only: cookies without Secure, no HSTS.
HTTPS=false
DEBUG=false
"""


@dataclass(frozen=True)
class Environment:
    """What the launcher itself needs to know of the configuration."""

    embedded_store: bool
    endpoint_url: str
    access_key: str
    secret_key: str
    allowed_hosts: tuple[str, ...]
    site_url: str = ""

    @property
    def store_port(self) -> int:
        """The port of the embedded store. Raises `LaunchError` when the endpoint is elsewhere."""
        try:
            parts = urlsplit(self.endpoint_url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme != "http" or parts.hostname != LOOPBACK or port is None:
            raise LaunchError(
                f"S3_ENDPOINT_URL must be http://{LOOPBACK}:<port> for the embedded store, and is "
                f"{self.endpoint_url or 'not set'}. For a store of your own, set "
                "EMBEDDED_STORE=false in .env."
            )
        return port


def create(path: Path, *, root: Path, data: Path) -> bool:
    """Write `path` with fresh secrets unless it exists; return whether it was written.

    `root` is the project, `data` the folder of the installation's data: when it already holds
    some, their keys were in a file that is missing now, and `LaunchError` says so.
    """
    if path.exists():
        return False
    if any((data / name).exists() for name in ("db.sqlite3", "store")):
        raise LaunchError(
            f"{data} holds data, but {path}, which has the keys to it, is gone. Put that file back "
            f"from your copy; or move {data} away to begin anew."
        )
    # Relative, so that the whole folder can be moved.
    folder = data.relative_to(root) if data.is_relative_to(root) else data
    content = TEMPLATE.format(
        secret_key=secrets.token_urlsafe(64),
        master_key=_key(),
        audit_key=_key(),
        database=folder / "db.sqlite3",
        static=folder / "static",
        loopback=LOOPBACK,
        store_port=free_port(),
        access_key=secrets.token_hex(10).upper(),
        secret_access_key=secrets.token_urlsafe(30),
    )
    # Complete before it has its name: a crash leaves no half a file, and the link fails rather
    # than replace a file that someone else made meanwhile.
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return False
    finally:
        draft.unlink()
    return True


def read() -> Environment:
    """The configuration as the site itself reads it. Raises `LaunchError` with what to do."""
    try:
        env = read_environment()
        return Environment(
            embedded_store=flag(env, "EMBEDDED_STORE", default=False),
            endpoint_url=env.str("S3_ENDPOINT_URL", default=""),
            access_key=env.str("AWS_ACCESS_KEY_ID", default=""),
            secret_key=optional_secret(env, "AWS_SECRET_ACCESS_KEY") or "",
            allowed_hosts=tuple(env.list("ALLOWED_HOSTS", default=[])),
            site_url=env.str("SITE_URL", default=""),
        )
    except (ImproperlyConfigured, ValueError) as error:
        raise LaunchError(f"Configuration error: {error}") from None


def _key() -> str:
    """32 random bytes in URL-safe base64: what a Fernet key is (Fernet specification)."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode("ascii")
