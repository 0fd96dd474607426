"""The cache that rate limits count in, made to say when it fails.

What counts must never answer "no" where it means "I do not know": Django's cache in the database
takes a table that cannot be written for a key that is there already, and then a limit refuses right
passwords. Here every failure, of whatever part, is one error with a name, and the site answers 503.
Never falls back to another cache: counts of guesses would begin anew there.
"""

from __future__ import annotations

import base64
import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any, TypeVar

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.cache.backends.db import DatabaseCache as DjangoDatabaseCache
from django.db import DatabaseError, InterfaceError, connections, router
from django.utils import timezone

C = TypeVar("C", bound=BaseCache)

METHODS = (
    *("add", "get", "set", "touch", "delete", "has_key", "incr"),
    *("get_many", "set_many", "delete_many", "clear"),
)


class CacheUnavailable(Exception):
    """The cache could not be asked, or could not keep what it was told."""


def naming(*failures: type[Exception]) -> Callable[[type[C]], type[C]]:
    """Have every method of a cache raise `CacheUnavailable` where it fails in one of these ways."""

    def decorate(cache: type[C]) -> type[C]:
        for name in METHODS:
            setattr(cache, name, _named(getattr(cache, name), failures))
        return cache

    return decorate


def _named(method: Callable[..., Any], failures: tuple[type[Exception], ...]) -> Callable[..., Any]:
    @wraps(method)
    def asked(*arguments: Any, **options: Any) -> Any:
        try:
            return method(*arguments, **options)
        except failures as error:
            raise CacheUnavailable(f"the cache: {type(error).__name__}: {error}") from error

    return asked


@naming(DatabaseError, InterfaceError)
class DatabaseCache(DjangoDatabaseCache):
    """As Django's, but a write that fails is an error, and one statement that no other can split.

    For databases that know ON CONFLICT: SQLite and PostgreSQL.
    """

    _table: str
    _max_entries: int
    _cull: Callable[..., None]

    def _base_set(
        self, mode: str, key: str, value: Any, timeout: float | None = DEFAULT_TIMEOUT
    ) -> bool:
        """Write an entry; whether it was. `mode` is Django's: set, add or touch."""
        connection = connections[router.db_for_write(self.cache_model_class)]
        table = connection.ops.quote_name(self._table)
        moment = connection.ops.adapt_datetimefield_value
        now = timezone.now().replace(microsecond=0)
        expires = moment(_expiry(self.get_backend_timeout(timeout)))
        with connection.cursor() as cursor:
            if mode == "touch":
                cursor.execute(
                    f"UPDATE {table} SET expires = %s WHERE cache_key = %s",  # noqa: S608
                    [expires, key],
                )
                return bool(cursor.rowcount > 0)
            cursor.execute(f"SELECT COUNT(*) FROM {table}")  # noqa: S608
            [count] = cursor.fetchone()
            if count > self._max_entries:
                self._cull(connection.alias, cursor, now, count)
            pickled = base64.b64encode(pickle.dumps(value, self.pickle_protocol)).decode("ascii")
            statement = (
                f"INSERT INTO {table} (cache_key, value, expires) VALUES (%s, %s, %s)"  # noqa: S608
                " ON CONFLICT (cache_key) DO UPDATE"
                " SET value = excluded.value, expires = excluded.expires"
            )
            parameters = [key, pickled, expires]
            if mode == "add":
                # What has expired is not there, though nobody has deleted it yet.
                statement += f" WHERE {table}.expires < %s"
                parameters.append(moment(now))
            cursor.execute(statement, parameters)
            return bool(cursor.rowcount > 0)


def _expiry(timestamp: float | None) -> datetime:
    if timestamp is None:
        return datetime.max.replace(microsecond=0)  # noqa: DTZ901  as Django writes "never"
    return datetime.fromtimestamp(timestamp, tz=UTC).replace(microsecond=0)
