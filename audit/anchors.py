"""Anchors as they were kept elsewhere: lines of `audit_anchor`, and lines of the process's log.

Only what wrote the line is believed to name an anchor, never what is quoted in one: a user agent
may hold text that looks like an anchor.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from audit.announcements import log
from audit.chain import Anchor


def read(lines: Iterable[str]) -> Iterator[Anchor]:
    """The anchors in these lines, in their order; other lines are passed over.

    A line is an anchor alone, or a JSON object of the log, which a collector may have put
    something before (`Nov 24 20:00:01 host granian[7]: {...}`).
    """
    for line in lines:
        text = line.strip()
        found = _of_log(text) if "{" in text else _alone(text)
        if found is not None:
            yield found


def _alone(text: str) -> Anchor | None:
    try:
        return Anchor.parse(text)
    except ValueError:
        return None


def _of_log(text: str) -> Anchor | None:
    try:
        entry: Any = json.loads(text[text.index("{") :])
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict) or entry.get("logger") != log.name:
        return None
    return _alone(f"{entry.get('number')}:{entry.get('mac')}")
