"""What commands take on their command lines: paths. The rest is tried by the commands."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command


@pytest.mark.parametrize("empty", ["", " "])
@pytest.mark.parametrize(
    "command",
    [
        ["backup", "--to={}"],
        ["restore_drill", "--from={}"],
        ["restore_drill", "--backup={}"],
        ["restore_drill", "--keys-export={}"],
        ["restore_drill", "--scratch={}"],
        ["export_keys", "{}"],
        ["import_keys", "{}"],
        ["verify_audit", "--anchors-from={}"],
    ],
)
def test_an_empty_path_is_not_the_folder_that_one_is_in(command: list[str], empty: str) -> None:
    """As `--to "$WHERE"` gives it where WHERE is not set: a backup would lie among the sources."""
    with pytest.raises(CommandError, match="the path is empty"):
        call_command(*[part.format(empty) for part in command])
