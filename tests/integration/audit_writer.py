"""A process that appends events: `python -m tests.integration.audit_writer CONFIGURATION COUNT`.

The configuration is Django's of one database, as JSON. Says `ready`, begins when its input ends,
and says the number of each event that has committed. A count of 0 goes on until it is killed.
"""

from __future__ import annotations

import json
import sys
from itertools import count

import django


def main() -> None:
    django.setup()
    from django.db import transaction

    from audit import Event, record
    from tests.audit.databases import as_default

    limit = int(sys.argv[2])
    with as_default(json.loads(sys.argv[1])):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()
        for number in range(limit) if limit else count():
            with transaction.atomic():
                event = record(Event.SWEPT, number=number)
            sys.stdout.write(f"{event.id}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
