"""System checks of the site's own settings: what would let strangers in is an error.

They run with every command, and `wsgi.start` refuses to serve while one of them finds an error.
A message names settings and never shows a secret. docs/operations.md lists them by id.
"""

from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from runtime.configured_secrets import foreign_secrets, own_secrets
from runtime.weak_secrets import is_placeholder, weakness

UNSHARED_CACHES = ("LocMemCache", "FileBasedCache", "DummyCache")
UNSAFE_SESSIONS = ("signed_cookies", "file")
UNDELIVERED_MAIL = ("console", "dummy", "locmem", "filebased")
# The widest networks of one owner: 10.0.0.0/8, and the unique local addresses fc00::/7.
WIDEST_PROXIES = {4: 8, 6: 7}


def is_public(host: str) -> bool:
    """Whether others could reach the site by that entry of ALLOWED_HOSTS."""
    name = host.strip().lower().lstrip(".").rstrip(".")
    try:
        return not ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        # `testserver` is how Django's own test client calls the site; no name service knows it.
        return name not in {"", "localhost", "testserver"} and not name.endswith(".localhost")


def public_hosts() -> list[str]:
    """The entries of ALLOWED_HOSTS that are not this machine alone."""
    return [host for host in settings.ALLOWED_HOSTS if is_public(host)]


@register(Tags.security)
def no_debug_in_public(**kwargs: Any) -> list[CheckMessage]:
    """Debug pages show source, settings and the variables of every frame."""
    if not settings.DEBUG or not (hosts := public_hosts()):
        return []
    return [
        Error(
            f"DEBUG is true and the site answers to {hosts[0]}: error pages would show its insides "
            "to strangers.",
            hint="Set DEBUG=false, or ALLOWED_HOSTS to localhost alone.",
            id="securestore.E001",
        )
    ]


@register(Tags.security)
def https_in_public(**kwargs: Any) -> list[CheckMessage]:
    """Without HTTPS, cookies, passwords and files pass in the clear."""
    if settings.HTTPS or settings.ACCEPT_PLAIN_HTTP or not (hosts := public_hosts()):
        return []
    return [
        Error(
            f"HTTPS is false and the site answers to {hosts[0]}: cookies, passwords and files "
            "would pass in the clear.",
            hint="Remove HTTPS=false and put a TLS proxy before the site. For a network where "
            "nobody listens: ACCEPT_PLAIN_HTTP=true.",
            id="securestore.E002",
        )
    ]


@register(Tags.security)
def no_wildcard_host(**kwargs: Any) -> list[CheckMessage]:
    """A Host that the client chooses would end up in links, e-mails among them."""
    if not any(host.strip() in {"*", ".", ".*"} for host in settings.ALLOWED_HOSTS):
        return []
    return [
        Error(
            "ALLOWED_HOSTS allows every host: links in e-mails would lead wherever a request says.",
            hint="Name the hosts that the site answers to.",
            id="securestore.E003",
        )
    ]


@register(Tags.security)
def shared_cache(**kwargs: Any) -> list[CheckMessage]:
    """Guesses are counted in the cache: each process with its own would multiply the limit."""
    return [
        Error(
            f"CACHES[{alias!r}] is not shared between processes, or keeps nothing: guesses at "
            "passwords and keys would not be counted.",
            hint="Remove CACHE_URL, or set it to redis://host:6379/1.",
            id="securestore.E004",
        )
        for alias, cache in settings.CACHES.items()
        if cache.get("BACKEND", "").rpartition(".")[2] in UNSHARED_CACHES
    ]


@register(Tags.security)
def revocable_sessions(**kwargs: Any) -> list[CheckMessage]:
    """A session in a cookie cannot be ended; one in a file lies in a folder for temporary ones."""
    engine = settings.SESSION_ENGINE
    if engine.rpartition(".")[2] not in UNSAFE_SESSIONS:
        return []
    return [
        Error(
            f"SESSION_ENGINE is {engine}: sessions in cookies cannot be ended, and those in files "
            "are not shared between hosts.",
            hint="Use accounts.session_store.",
            id="securestore.E005",
        )
    ]


@register(Tags.security)
def strong_secrets(**kwargs: Any) -> list[CheckMessage]:
    """A secret that is printed somewhere, or could be guessed, is none."""
    strict = bool(public_hosts())
    found = [
        (name, reason)
        for name, value in own_secrets()
        if (reason := weakness(value, strict=strict))
    ]
    found += [
        (n, "is a placeholder or an example") for n, v in foreign_secrets() if is_placeholder(v)
    ]
    return [
        Error(
            f"{name} {reason}.",
            hint="Make it anew from random bytes (docs/operations.md, Install)."
            if name != "MASTER_KEYS"
            else "Put a new key first (manage.py generate_master_key), then rotate_master_key.",
            id="securestore.E006",
        )
        for name, reason in dict(found).items()
    ]


@register(Tags.security)
def one_purpose_each(**kwargs: Any) -> list[CheckMessage]:
    """A secret that serves two purposes leaks by the weaker one."""
    seen: dict[str, str] = {}
    clashes = []
    for name, value in [*own_secrets(), *foreign_secrets()]:
        other = seen.setdefault(value, name)
        if other != name:
            clashes.append((other, name))
    return [
        Error(
            f"{other} and {name} are the same: who learns the one has the other.",
            hint="Give each a secret of its own.",
            id="securestore.E007",
        )
        for other, name in dict.fromkeys(clashes)
    ]


@register(Tags.security)
def narrow_proxies(**kwargs: Any) -> list[CheckMessage]:
    """Whoever is trusted as a proxy chooses the address that limits count and the log shows."""
    wide = [n for n in settings.TRUSTED_PROXIES if n.prefixlen < WIDEST_PROXIES[n.version]]
    if not wide:
        return []
    return [
        Error(
            f"TRUSTED_PROXIES has {wide[0]}: strangers could choose the address that limits count.",
            hint="Name the addresses of your own proxies.",
            id="securestore.E008",
        )
    ]


@register(Tags.security)
def bounded_bodies(**kwargs: Any) -> list[CheckMessage]:
    """Bodies other than uploads are held in memory."""
    if settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        return []
    return [
        Error(
            "DATA_UPLOAD_MAX_MEMORY_SIZE is not set: one request could fill the memory.",
            hint="Leave it at its default, 1 MiB. Files do not count against it.",
            id="securestore.E009",
        )
    ]


@register(Tags.security, deploy=True)
def delivered_mail(**kwargs: Any) -> list[CheckMessage]:
    """Mail holds links that open accounts."""
    backend = settings.EMAIL_BACKEND.rpartition(".")[0].rpartition(".")[2]
    if backend not in UNDELIVERED_MAIL or not public_hosts():
        return []
    return [
        Warning(
            f"E-mail is not delivered ({backend}): nobody can reset a password, and with the "
            "console backend the links are in the service's output.",
            hint="Set EMAIL_URL, as in smtp+tls://user:password@host:587.",
            id="securestore.W001",
        )
    ]


@register(Tags.security, deploy=True)
def store_over_tls(**kwargs: Any) -> list[CheckMessage]:
    """Contents are encrypted; names of objects, sizes and times are not."""
    endpoint = urlsplit(settings.S3_ENDPOINT_URL or "")
    if endpoint.scheme != "http" or not is_public(endpoint.hostname or ""):
        return []
    return [
        Warning(
            f"S3_ENDPOINT_URL is plain HTTP to {endpoint.hostname}: whoever is on the way sees "
            "which objects are read and written, and can keep them from arriving.",
            hint="Use https.",
            id="securestore.W002",
        )
    ]
