"""What a management command checks before it works.

Must not load addresses, pages or forms: a command has none, and they take a third of its start.
`manage.py check` and `doctor` check these too, and a site does before it serves.
"""

from typing import Final

from django.core.checks import Tags

CHECKED: Final = (Tags.security, Tags.caches, Tags.database)
"""For `requires_system_checks`: settings that would leak or lose files end a command."""
