"""All probes of `doctor` that are the site's own, in the order in which it tells of them."""

from __future__ import annotations

from collections.abc import Iterator

from runtime.findings import Probe
from securestore.diagnosis import agreement, database, surroundings


def probes() -> Iterator[tuple[str, Probe]]:
    """Everything that this module looks at."""
    yield "settings", surroundings.check_settings
    yield "database", database.check_database
    yield "service", database.check_service
    yield "migrations", database.check_migrations
    yield "audit log", agreement.check_audit_log
    yield "foreign triggers", agreement.check_foreign
    yield "accounting", agreement.check_accounts
    yield "search index", agreement.check_upkeep
    yield "folders", agreement.check_tree
    yield "names of people", agreement.check_names_of_people
    yield "database disk", database.check_disk
    yield "cache", surroundings.check_cache
    yield "e-mail", surroundings.check_mail
    yield "mails", surroundings.check_mails
    yield "clock", surroundings.check_clock
    yield "secrets", surroundings.check_secrets
