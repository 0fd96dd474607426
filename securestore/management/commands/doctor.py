"""`manage.py doctor`: is everything as the vault needs it, and if not, what to do?"""

import json
from argparse import ArgumentParser
from itertools import chain
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from files.upkeep import diagnosis as vaults
from runtime.findings import Level, examine
from securestore.diagnosis import probes


class Command(BaseCommand):
    help = (
        "Look at settings, database, audit log, cache, e-mail, clock, secrets, keys and store, and "
        "say in one line each how it is and what to do. Tries the store out on scratch objects, "
        "which it removes. Exit code 1: something fails."
    )
    # It runs the checks itself, and goes on when they find something.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the lines as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        lines = []
        for line in examine(chain(probes.probes(), vaults.probes())):
            lines.append(line)
            if not options["json"]:
                self.stdout.write(str(line))
                self.stdout.flush()
        failures = sum(line.level == Level.FAIL for line in lines)
        if options["json"]:
            outcome = {
                "ok": not failures,
                "lines": [
                    {
                        "level": str(line.level),
                        "part": line.part,
                        "said": line.said,
                        "remedy": line.remedy,
                    }
                    for line in lines
                ],
            }
            self.stdout.write(json.dumps(outcome))
        if failures:
            raise CommandError(f"{failures} of {len(lines)} fail.")
