"""A process that sends by a link: `… -m tests.integration.count_worker DATABASE LINK WHOSE SIZE`.

The database is Django's configuration of it, as JSON. It says how many bytes it hands over before
it does, as a process would that is killed after that; it ends its download unless it is killed.
"""

from __future__ import annotations

import json
import sys

import django

PART = 64 * 1024


def main() -> None:
    django.setup()
    from files.vault import counting
    from tests.audit.databases import as_default

    link, whose, size = int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    with as_default(json.loads(sys.argv[1])):
        try:
            mine = counting.reserve(link, counting.Wanted("content", whose, size, size, 0, size))
        except (counting.AllReserved, counting.UsedUp) as refused:
            say(type(refused).__name__)
            return
        handed = 0
        while handed < size and mine.lets(handed + PART):
            handed += PART
            say(str(PART))
            # Its reader says when it takes more; a kill comes in between.
            sys.stdin.readline()
        mine.end(handed, handed)
        say("ended")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
