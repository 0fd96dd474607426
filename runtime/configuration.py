"""Typed readers for the configuration that comes from outside: environment, `.env`, secret files.

Every secret may also be given as `NAME_FILE`, the path of a file that holds it (systemd
credentials, container secrets). A missing or malformed value raises `ImproperlyConfigured` with
what to do. This module must never put a secret into a message.
"""

import io
import logging
import os
import re
import stat
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from email.utils import parseaddr
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, ClassVar, Final, TextIO
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent


log = logging.getLogger(__name__)

OPENS_FILES = frozenset({"MASTER_KEYS"})
"""Secrets that open stored files: a file of theirs that others may read is not used."""


def env_file() -> Path | None:
    """The file that stands in for the environment, or None where there is none.

    `SECURESTORE_ENV_FILE` names another one; empty, it says to read no file at all.
    """
    named = os.environ.get("SECURESTORE_ENV_FILE")
    if named is None:
        path = BASE_DIR / ".env"
        return path if path.is_file() else None
    if not named:
        return None
    path = Path(named)
    if not path.is_file():
        raise ImproperlyConfigured(f"SECURESTORE_ENV_FILE names {path}, which is not a file.")
    return path


def read_environment() -> environ.Env:
    """A reader over the process's variables, completed from `env_file()`.

    What comes from the file stays in this reader: the process's own environment, which every
    child inherits and crash reports show, gains no secret.
    """

    class Environment(environ.Env):
        ENVIRON: ClassVar[dict[str, str]] = dict(os.environ)

    path = env_file()
    if path is not None:
        refuse_readable_by_others(path)
        Environment.read_env(io.StringIO(_well_formed(path)), overwrite=False)
    return Environment()


_LINE = re.compile(r"(?:export )?[A-Z_][A-Z0-9_]*=.*|#.*|\s*")


def _well_formed(path: Path) -> str:
    """The text of an environment file. Raises `ImproperlyConfigured` for a line that is none.

    Such a line may be a key that an editor wrapped: django-environ would log it, or take it for a
    name and leave the key out.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise ImproperlyConfigured(f"{path} cannot be read ({reason}).") from None
    for number, line in enumerate(text.splitlines(), start=1):
        if _LINE.fullmatch(line) is None:
            raise ImproperlyConfigured(
                f"{path}, line {number}: expected NAME=value, or a comment that begins with #."
            )
    return text


def master_keys_files(env: environ.Env) -> list[Path]:
    """The files to watch for a change of the master keys; none where they cannot change."""
    files = []
    named = env.str("MASTER_KEYS_FILE", default="")
    if named and "MASTER_KEYS" not in os.environ:
        files.append(Path(named))
    path = env_file()
    if path is not None and not {"MASTER_KEYS", "KMS_KEY_ID"} <= os.environ.keys():
        files.append(path)
    return files


def refuse_readable_by_others(path: Path) -> None:
    """Raise `ImproperlyConfigured` when a file of secrets is open to other accounts."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise ImproperlyConfigured(f"{path} cannot be read ({error.strerror}).") from None
    if mode & 0o077:
        raise ImproperlyConfigured(
            f"{path} holds secrets and other accounts may read it: run `chmod 600 {path}`."
        )


def is_exposed(path: Path) -> bool:
    """Whether a file with one secret is open to other accounts. One that is not there is not.

    What root hands over read-only may have mode 0440 as well: so have container secrets given to a
    group, and so does a systemd credential look, whose access list shows as the group's bits.
    """
    try:
        found = path.stat()
    except OSError:
        return False
    mode = stat.S_IMODE(found.st_mode)
    handed_over = found.st_uid == 0 and not mode & 0o222
    return bool(mode & (0o007 if handed_over else 0o077))


def optional_secret(env: environ.Env, name: str, *, minimum_length: int = 1) -> str | None:
    """The secret `name`, from `name` itself or from the file that `name_FILE` points to.

    Of a file that other accounts may read it warns, and refuses it where the secret opens files.
    One that is there and shorter than that many characters is refused.
    """
    value = env.str(name, default="")
    source = env.str(f"{name}_FILE", default="")
    if value and source:
        raise ImproperlyConfigured(f"Both {name} and {name}_FILE are set: keep one of them.")
    if source:
        path = Path(source)
        if is_exposed(path):
            exposed = f"{path} holds a secret and other accounts may read it"
            if name in OPENS_FILES:
                raise ImproperlyConfigured(
                    f"{exposed}: run `chmod 600 {path}`, or give it to the container with mode "
                    "0400 (docs/operations.md, Secrets in files)."
                )
            log.warning("%s.", exposed)
        try:
            value = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise ImproperlyConfigured(
                f"{name}_FILE names {path}, which cannot be read ({reason})."
            ) from None
    if value and len(value) < minimum_length:
        raise ImproperlyConfigured(f"{name} is shorter than {minimum_length} characters.")
    return value or None


def secret(env: environ.Env, name: str, *, minimum_length: int = 1) -> str:
    """As `optional_secret`, but missing or too short (in characters) is refused."""
    value = optional_secret(env, name, minimum_length=minimum_length)
    if value is None:
        raise ImproperlyConfigured(
            f"{name} is not set. Set {name} or {name}_FILE (docs/operations.md, Configuration)."
        )
    return value


def url(env: environ.Env, name: str, default: str) -> str:
    """A URL, which may hold a password and so may come from `name_FILE`, as text."""
    return optional_secret(env, name) or default


def service(
    env: environ.Env, name: str, default: str, read: Callable[[str], dict[str, Any]], *, like: str
) -> dict[str, Any]:
    """Django's settings of a service, as `read` takes them from a URL; of the default, if not set.

    Nothing that was wrong with it is told: a password with a `/` in it looks like a port.
    """
    text = url(env, name, default)
    try:
        return read(text)
    except (ImproperlyConfigured, ValueError, LookupError):
        raise ImproperlyConfigured(
            f"{name} is not a URL like {like}; of a password, write `/` as %2F and `@` as %40."
        ) from None


_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def byte_size(env: environ.Env, name: str, default: str) -> int:
    """A size in bytes, written plainly or with a unit: `1048576`, `512M`, `5GiB`."""
    text = env.str(name, default=default).strip().lower()
    number = text.removesuffix("ib").removesuffix("b").strip()
    unit = number[-1:] if number[-1:].isalpha() else ""
    digits = number.removesuffix(unit).strip()
    if unit not in _UNITS or not digits.isdecimal() or int(digits) == 0:
        raise ImproperlyConfigured(f"{name} is not a size: write it like 5GiB or 1048576.")
    return int(digits) * _UNITS[unit]


def one_of(env: environ.Env, name: str, choices: tuple[str, ...]) -> str:
    """One of a few words, in any case; the first is the default."""
    value = env.str(name, default="").strip().lower() or choices[0]
    if value not in choices:
        raise ImproperlyConfigured(f"{name} must be one of: {', '.join(choices)}.")
    return value


def positive(env: environ.Env, name: str, default: timedelta, *, unit: str = "seconds") -> int:
    """A whole number of at least 1, in `unit`s; the default is a length of time."""
    text = env.str(name, default="").strip()
    if not text:
        return int(default / timedelta(**{unit: 1}))
    if not text.isdecimal() or len(text) > len(str(MOST)) + 5 or int(text) == 0:
        raise ImproperlyConfigured(f"{name} is a number of {unit}, at least 1.")
    if int(text) > LONGEST / timedelta(**{unit: 1}):
        raise ImproperlyConfigured(f"{name} is longer than a thousand years: is it what you mean?")
    return int(text)


LONGEST: Final = timedelta(days=365_000)
"""A thousand years: dates can be computed with it, either way."""

MOST: Final = 10_000_000
"""More of anything than this is a typing error."""


def days(env: environ.Env, name: str, default: int, *, least: int = 1) -> int:
    """A whole number of days from `least` to those of `LONGEST`."""
    found = whole(env, name, default, least=least)
    if found > LONGEST.days:
        raise ImproperlyConfigured(f"{name} is a number of days from {least} to {LONGEST.days}.")
    return found


_FLAGS: Final = {
    **dict.fromkeys(("true", "t", "on", "ok", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "f", "off", "no", "n", "0"), False),
}


def flag(env: environ.Env, name: str, *, default: bool) -> bool:
    """Yes or no; the default where nothing is said. Another word is refused, never taken for no."""
    text = env.str(name, default="").strip().lower()
    if text and text not in _FLAGS:
        raise ImproperlyConfigured(f"{name} is true or false.")
    return _FLAGS[text] if text else default


def folder(env: environ.Env, name: str, default: str) -> Path:
    """A folder, from the project's on; the default where nothing is named, and not the project."""
    return BASE_DIR / (env.str(name, default="").strip() or default)


def time_zone(env: environ.Env, name: str, default: str) -> str:
    """The name of a time zone, as `Europe/Berlin`."""
    text: str = env.str(name, default="").strip() or default
    try:
        ZoneInfo(text)
    except (OSError, ValueError, ZoneInfoNotFoundError):
        raise ImproperlyConfigured(
            f"{name} is no time zone: write it like Europe/Berlin."
        ) from None
    return text


def whole(env: environ.Env, name: str, default: int, *, least: int = 1) -> int:
    """A whole number from `least` to `MOST`."""
    text = env.str(name, default="").strip()
    if not text:
        return default
    if not text.isdecimal() or len(text) > len(str(MOST)) or not least <= int(text) <= MOST:
        raise ImproperlyConfigured(f"{name} is a whole number from {least} to {MOST}.")
    return int(text)


def endpoint(
    env: environ.Env, name: str, *, like: str = "https://s3.example.org:9000"
) -> str | None:
    """The address of a service, `https://host:port`; None where it is not set."""
    text: str = env.str(name, default="").strip()
    if not text:
        return None
    try:
        parts = urlsplit(text)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # The port is no number, for one.
        sound = False
    if not sound or re.search(r"\s", text):
        raise ImproperlyConfigured(f"{name} is not a URL like {like}.")
    return text


def contact(env: environ.Env, name: str) -> str:
    """How somebody is reached: an address of mail, or the URL of a page; empty where not set."""
    text: str = env.str(name, default="").strip()
    if text and not re.fullmatch(r"[^\s@]+@[^\s@]+\.[^\s@]+|https?://\S+", text):
        raise ImproperlyConfigured(f"{name} is no address, like abuse@example.org, and no URL.")
    return text


def sender(env: environ.Env, name: str, default: str) -> str:
    """Whom mails come from: an address, or `Name <address>`."""
    text: str = env.str(name, default="").strip() or default
    if not re.fullmatch(r"[^\s@]+@[^\s@]+", parseaddr(text)[1]):
        raise ImproperlyConfigured(f"{name} is no address, like vault@example.org.")
    return text


def domains(env: environ.Env, name: str) -> list[str]:
    """Domains of mail addresses, with commas: `example.org,firm.example`. None by default."""
    found = [text.strip().lower().removeprefix("@") for text in env.list(name, default=[])]
    for text in found:
        if not re.fullmatch(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", text):
            raise ImproperlyConfigured(f"{name} is not a list of domains like example.org.")
    return found


def database(env: environ.Env, default: str, name: str = "DATABASE_URL") -> dict[str, Any]:
    """What `DATABASE_URL` names, as Django takes it. What is wrong with it is never repeated."""
    found: dict[str, Any] = {}
    # The library's warning of an unknown scheme would show the password.
    with suppress(ValueError, KeyError), warnings.catch_warnings(action="ignore"):
        found = env.db_url_config(url(env, name, default))
    if not found.get("ENGINE", "").startswith("django."):
        raise ImproperlyConfigured(
            f"{name} is not the URL of a database: write it like "
            "postgres://user:password@host:5432/name or sqlite:////path/db.sqlite3, and special "
            "characters of a password as %40 and so on."
        )
    return found


def session_options(*, lock: int, idle: int, statement: int) -> str:
    """What every session of PostgreSQL's begins with, for libpq's `options`; seconds, 0: no end."""
    settings = {
        # Compiling a query takes a second at times, and no query of ours ever gains as much.
        "jit": "off",
        "lock_timeout": f"{lock}s",
        "idle_in_transaction_session_timeout": f"{idle}s",
        "statement_timeout": f"{statement}s",
    }
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


def networks(env: environ.Env, name: str) -> list[IPv4Network | IPv6Network]:
    """Networks in CIDR notation, separated by commas: `10.0.0.0/8,::1`. None by default."""
    try:
        return [ip_network(text.strip()) for text in env.list(name, default=[])]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} is not a list of networks: {error}.") from None


def log_format(env: environ.Env, stream: TextIO | None = None) -> str:
    """How the log is written to a stream (standard error): `json` or `plain`.

    By default plain where a person looks, at a terminal, and JSON elsewhere.
    """
    name: str = env.str("LOG_FORMAT", default="auto").strip().lower()
    if name == "auto":
        return "plain" if (stream or sys.stderr).isatty() else "json"
    if name not in {"json", "plain"}:
        raise ImproperlyConfigured("LOG_FORMAT is none of json, plain and auto.")
    return name
