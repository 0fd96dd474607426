"""`manage.py generate_master_key`: a new master key on standard output, and nothing else there."""

from typing import Any

from django.core.management.base import BaseCommand

from files.crypto.fernetkey import generate_master_key
from files.crypto.masterkey import LocalMasterKey


class Command(BaseCommand):
    help = (
        "Print a new master key. Put it first in MASTER_KEYS, keep the old keys after it, and run "
        "rotate_master_key. Nothing is stored: the key is lost unless you keep it."
    )
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        key = generate_master_key()
        # Notes go to standard error, so that KEY=$(manage.py generate_master_key) gets the key.
        self.stderr.write(f"Key id: {LocalMasterKey(key).id}", ending="\n")
        self.stdout.write(key)
