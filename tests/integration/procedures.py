"""The commands of docs/operations.md, section by section, as they stand there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.integration.installation import ROOT

PAGE = ROOT / "docs" / "operations.md"


def section(heading: str) -> str:
    """The text below a heading, up to the next one of its rank or above."""
    rank, kept, fenced = 0, [], False
    for line in PAGE.read_text(encoding="utf-8").splitlines(keepends=True):
        fenced ^= line.startswith("```")
        found = None if fenced else re.match(r"(#+) (.*)", line)
        if found and rank and len(found[1]) <= rank:
            break
        if rank:
            kept.append(line)
        elif found and found[2] == heading:
            rank = len(found[1])
    assert rank, f"docs/operations.md has no section {heading!r}"
    return "".join(kept)


def commands(heading: str) -> list[list[str]]:
    """The lines of each block of shell commands, without comments and continued lines joined."""
    blocks = re.findall(r"^```sh\n(.*?)^```", section(heading), re.MULTILINE | re.DOTALL)
    return [list(_lines(block)) for block in blocks]


def _lines(block: str) -> Iterator[str]:
    for line in block.replace("\\\n", " ").splitlines():
        bare = re.sub(r"(^|\s+)#.*", "", line).strip()
        if bare:
            yield bare
