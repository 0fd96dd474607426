"""`make messages`: bring the catalogues up to the source, and say what is left to translate.

Each message stands in `locale/<language>/LC_MESSAGES/*.po` with an empty translation until somebody
writes one; then the same again compiles it. The status is 1 while something is left or wrong.
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

from tests.languages import catalogues


def main() -> int:
    """Renew every catalogue. Prints what is amiss in which."""
    left = 0
    for domain in catalogues.DOMAINS:
        found = catalogues.fresh(domain)
        for language in catalogues.LANGUAGES:
            catalogues.renew(language, domain, found)
            for message in catalogues.read(language, domain):
                if message.id and (what := catalogues.amiss(message)):
                    left += 1
                    print(f"{catalogues.stored(language, domain)}: {what}: {message.id!r}")
    print(f"{left} to be translated or mended" if left else "Complete")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
