"""A process that delivers: `python -m tests.integration.mail_worker CONFIGURATION PORT OPTIONS…`.

The configuration is Django's of one database, as JSON. Says `ready`, and begins when its input
ends.
"""

from __future__ import annotations

import json
import sys

import django


def main() -> None:
    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    from tests.audit.databases import as_default

    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", int(sys.argv[2])
    with as_default(json.loads(sys.argv[1])):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()
        call_command("deliver", *sys.argv[3:])


if __name__ == "__main__":
    main()
