"""The index of names: which files may have a name that contains some words, the newest first.

SQLite's FTS5 and PostgreSQL's pg_trgm both know which names have a trigram, three characters in a
row. What is found by it is a proposal: `paging` asks the name itself, and the access rule. The
index knows no owners, so it is never asked for more than a number of files that is given.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache

from django.db import connection

from files.models import FileRecord
from files.records.ordering import LAST

_ASCII_RUN, _RUN = re.compile(r"[0-9a-z]{3}"), re.compile(r"[^\W_]{3}")


def served(words: Iterable[str]) -> list[str]:
    """Those of the words that the index can look for: the others are too short for it."""
    if connection.vendor == "sqlite":
        return [word for word in words if len(word) >= 3]
    # pg_trgm takes letters and digits alone, and what these are depends on the database's locale.
    run = _ASCII_RUN if _knows_ascii_alone(connection.alias) else _RUN
    return [word for word in words if run.search(word)]


def newest(words: Sequence[str], *, before: int | None, at_most: int) -> list[int]:
    """The places of the newest files, before that place, whose names may contain all the words.

    `words` are plain (`names.plain_name`) and `served`. One query.
    """
    end = LAST if before is None else before
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT rowid FROM files_name_index WHERE files_name_index MATCH %s"
                " AND rowid < %s ORDER BY rowid DESC LIMIT %s",
                [_expression(words), end, at_most],
            )
            return [place for (place,) in cursor.fetchall()]
    files = FileRecord.objects.filter(place__lt=end)
    for word in words:
        files = files.filter(plain_name__contains=word)
    return list(files.order_by("-place").values_list("place", flat=True)[:at_most])


def _expression(words: Iterable[str]) -> str:
    """Every word as a string of FTS5 (sqlite.org/fts5.html, section 3.1)."""
    return " AND ".join('"{}"'.format(word.replace('"', '""')) for word in words)


@cache
def _knows_ascii_alone(alias: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT datctype FROM pg_database WHERE datname = current_database()")
        return cursor.fetchone()[0] in {"C", "POSIX"}
