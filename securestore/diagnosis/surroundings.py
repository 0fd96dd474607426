"""What the site stands in: settings, cache, mail, clock, and who may read its secrets.

Must never send a mail, nor show a secret.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from stat import S_IMODE

from django.conf import settings
from django.core import mail
from django.core.cache import cache
from django.core.checks import ERROR, WARNING, CheckMessage, run_checks
from django.utils import timezone

from audit.models import AuditEvent
from notices import state as queue_state
from runtime import clock
from runtime.configuration import BASE_DIR, env_file, read_environment
from runtime.findings import Level, Line, reason
from securestore.diagnosis import database

PATIENCE = 10
"""Seconds to wait for a mail server."""

CHILD_PATIENCE = 60
"""Seconds to wait for a second process."""

APART, FAR_APART = 2, 60
"""Seconds between the clocks of this host and of the database that are a warning, and a failure."""

SECRETS = (
    *("SECRET_KEY", "AUDIT_KEY", "MASTER_KEYS", "AWS_SECRET_ACCESS_KEY"),
    *("DATABASE_URL", "DATABASE_SESSION_URL", "CACHE_URL", "EMAIL_URL"),
)

_WRITE = """
import sys, django
django.setup()
from django.core.cache import cache
cache.set(sys.argv[1], sys.argv[2], 60)
"""


def check_settings() -> Iterator[Line]:
    """Django's and our own system checks, as `check --deploy` runs them."""
    try:
        messages = run_checks(include_deployment_checks=True, databases=["default"])
    except Exception:
        # A database that is down has a line of its own.
        messages = run_checks(include_deployment_checks=True)
    loud = [message for message in messages if not message.is_silenced()]
    errors = [message for message in loud if message.level >= ERROR]
    warnings = [message for message in loud if WARNING <= message.level < ERROR]
    said = f"{_counted(errors, 'error')}, {_counted(warnings, 'warning')}."
    if not errors and not warnings:
        yield Line(Level.OK, "settings", said)
        return
    level = Level.FAIL if errors else Level.WARN
    remedy = "`manage.py check --deploy --database default` says what to do."
    yield Line(level, "settings", said, remedy)


def _counted(messages: list[CheckMessage], word: str) -> str:
    number = len(messages)
    ids = ", ".join(sorted({message.id or "without an id" for message in messages}))
    return f"{number} {word}{'' if number == 1 else 's'}" + (f" ({ids})" if ids else "")


def check_cache() -> Iterator[Line]:
    """Does one process see what another one counts?"""
    key, value = f"doctor-{secrets.token_hex(8)}", secrets.token_hex(8)
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": settings.SETTINGS_MODULE or ""}
    child = subprocess.run(  # noqa: S603  this Python, and nothing from outside
        [sys.executable, "-c", _WRITE, key, value],
        cwd=BASE_DIR,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=CHILD_PATIENCE,
        check=False,
    )
    if child.returncode:
        said = (child.stderr.strip().splitlines() or ["no reason given"])[-1]
        remedy = "See to CACHE_URL; the default needs `manage.py setup_vault` once."
        yield Line(Level.FAIL, "cache", f"it cannot be written ({said}).", remedy)
        return
    try:
        shared = cache.get(key) == value
    except Exception as error:
        yield Line(Level.FAIL, "cache", reason(error), "See to CACHE_URL.")
        return
    if not shared:
        said = "what one process writes, another one does not see: guesses would not be counted."
        remedy = "Remove CACHE_URL, or set it to redis://host:6379/1."
        yield Line(Level.FAIL, "cache", said, remedy)
        return
    yield Line(Level.OK, "cache", "shared between processes.")


def check_mail() -> Iterator[Line]:
    """Does the mail server let us in? Nothing is sent."""
    backend = settings.EMAIL_BACKEND.split(".")[-2]
    if backend != "smtp":
        said = f"the {backend} backend delivers nothing."
        remedy = "Set EMAIL_URL, or nobody can reset a password."
        yield Line(Level.WARN, "e-mail", said, remedy)
        return
    try:
        with mail.get_connection(timeout=PATIENCE):
            pass
    except Exception as error:
        remedy = "See to EMAIL_URL: host, port, name and password."
        yield Line(Level.FAIL, "e-mail", reason(error), remedy)
        return
    yield Line(Level.OK, "e-mail", f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT} lets us in.")


def check_mails() -> Iterator[Line]:
    """Does what waits in the queue go out?"""
    now = timezone.now()
    found = queue_state.read(now)
    if found.is_still(now):
        said = f"{found.waiting} wait, the oldest for {_age(found.oldest)}, and nobody sends them."
        remedy = "Start securestore-deliver.service, or run `manage.py deliver` every minute."
        yield Line(Level.FAIL, "mails", said, remedy)
        return
    if found.failing or found.given_up:
        said = f"{found.failing} fail, {found.given_up} were given up"
        said += f"; the server said: {found.last_error}." if found.last_error else "."
        remedy = "The administration's list of mails says of each what the mail server said."
        yield Line(Level.WARN, "mails", said, remedy)
        return
    yield Line(Level.OK, "mails", f"{found.waiting} wait.")


def _age(age: timedelta) -> str:
    minutes = int(age.total_seconds()) // 60
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"


def check_clock() -> Iterator[Line]:
    """Has the clock gone back behind what was recorded?"""
    now = timezone.now()
    try:
        apart = (clock.now() - now).total_seconds()
    except Exception:
        apart = 0.0  # A database that is down has a line of its own.
    if abs(apart) > APART:
        which = "behind" if apart > 0 else "ahead of"
        said = f"it is {abs(apart):.0f} seconds {which} the database's."
        remedy = "Let a time service (chrony, systemd-timesyncd) set both."
        yield Line(Level.FAIL if abs(apart) > FAR_APART else Level.WARN, "clock", said, remedy)
        return
    said = f"{now:%Y-%m-%d %H:%M:%S} UTC; pages show {settings.TIME_ZONE}."
    try:
        last = AuditEvent.objects.order_by("-id").values_list("at", flat=True).first()
    except Exception:
        # A database that is down has a line of its own.
        last = None
    if last is not None and (last - now).total_seconds() > 60:
        said = f"it says {now:%Y-%m-%d %H:%M:%S} UTC, and an event was recorded at {last:%H:%M:%S}"
        remedy = "Let a time service (chrony, systemd-timesyncd) set it."
        yield Line(Level.FAIL, "clock", f"{said} on {last:%Y-%m-%d}.", remedy)
        return
    yield Line(Level.OK, "clock", said)


def check_secrets() -> Iterator[Line]:
    """Who on this host may read the files that hold secrets, and the database?"""
    files = [path for path in [env_file()] if path is not None]
    environment = read_environment()
    for name in SECRETS:
        if source := environment.str(f"{name}_FILE", default=""):
            files.append(Path(source))
    of_database = database.database_file()
    for path in (*files, *([of_database] if of_database else [])):
        if _open_to_others(path):
            level = Level.WARN if path == of_database else Level.FAIL
            said = f"every account on this host may read {path}."
            yield Line(level, "secrets", said, f"Run `chmod 600 {path}`.")
    if not any(map(_open_to_others, files)):
        yield Line(Level.OK, "secrets", f"files that hold some, closed to others: {len(files)}.")


def _open_to_others(path: Path) -> bool:
    """Whether its mode, and those of all folders above it, let any account read it."""
    try:
        if not S_IMODE(path.stat().st_mode) & 0o004:
            return False
        return all(S_IMODE(above.stat().st_mode) & 0o001 for above in path.resolve().parents)
    except OSError:
        return False
