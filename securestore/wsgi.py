"""The entry point of the web server: WSGI only.

Never ASGI: Django spools every ASGI request body to a temporary file, in plaintext.
A process that could not read the files it answers for, or whose settings let strangers in,
refuses to start.
"""

from __future__ import annotations

import gc
import logging
import os
import sys

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application

from runtime import connections, stopping
from runtime.connection_release import Unheld
from runtime.lingering import Lingering
from runtime.slowness import Patient
from securestore.logs import Console

log = logging.getLogger(__name__)


def start() -> WSGIHandler:
    """The application. Raises `SystemExit`, saying why, when the configuration cannot serve."""
    stopping.hear()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "securestore.settings")
    # The settings look whether a person reads there.
    Console.serving = True
    try:
        django.setup(set_prefix=False)
        connections.serve()
        refuse_unsafe_settings()
        from securestore import metrics  # Models exist only from here on.

        metrics.start()
        handler = get_wsgi_application()
        refuse_moved_database()
        refuse_missing_keys()
    except ImproperlyConfigured as error:
        # An operator reads this: a traceback would hide what to do.
        sys.exit(f"Configuration error: {error}")
    return handler


def refuse_unsafe_settings() -> None:
    """Raise `ImproperlyConfigured` for the errors that `manage.py check` finds in the settings.

    A server that is started without that command must not be less safe for it.
    """
    from django.core.checks import ERROR, Tags, run_checks

    # In an order of our own: checks are run in any.
    messages = sorted(run_checks(tags=[Tags.security]), key=lambda message: message.id or "")
    found = [m for m in messages if m.is_serious(ERROR) and not m.is_silenced()]
    if found:
        first, more = found[0], len(found) - 1
        also = f" And {more} more: see `manage.py check`." if more else ""
        raise ImproperlyConfigured(f"{first.msg} {first.hint or ''} ({first.id}){also}")


def refuse_moved_database() -> None:
    """Raise `SystemExit` when the database was moved elsewhere, or has not arrived yet.

    One that is closed is served: pages that change nothing go on. One that cannot be reached is no
    reason, as below; each request looks as well.
    """
    from django.db import connection

    from runtime import database_state

    try:
        state = database_state.read()
    except Exception as error:
        log.warning("whether the database is in service is not known: %s", error)
        return
    finally:
        connection.close()
    if state is not None and not state.readable:
        sys.exit(state.words)


def refuse_missing_keys() -> None:
    """Raise `SystemExit` when a needed master key is not configured, or a retired one is primary.

    A database or key service that cannot be reached, or a database that is not migrated yet, is no
    reason: it may become usable while the process runs, and until then `/readyz` says that it is
    not.
    """
    from django.db import DatabaseError, InterfaceError, connection

    from files.crypto.errors import KeyServiceError
    from files.errors import KeyRetired, KeysMissing
    from files.rotation import rewrapping

    try:
        rewrapping.check_keyring()
    except (KeysMissing, KeyRetired) as unusable:
        sys.exit(str(unusable))
    except KeyServiceError as error:
        log.warning("the master keys are not checked, the key service does not answer: %s", error)
    except (DatabaseError, InterfaceError) as error:
        log.warning("the master keys are not checked, the database cannot be used: %s", error)
    finally:
        # This thread answers no requests; its connection would stay open for nothing.
        connection.close()


def settle_down() -> None:
    """Load what the first request would have loaded, and let no collection look at it again.

    What is loaded stays for as long as the process. To go through all of it again and again, in
    search of what could be freed, takes a sixth of the time of a small request.
    """
    from django.urls import get_resolver

    get_resolver().url_patterns  # noqa: B018 - read, so that every view is imported.
    gc.collect()
    gc.freeze()


application = Lingering(Unheld(Patient(start())))
settle_down()
