"""Redis as the cache: asked for so long and no longer, and failing by name (see `caches`)."""

from __future__ import annotations

from typing import Any

from django.core.cache.backends.redis import RedisCache as DjangoRedisCache
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import RedisError
from redis.retry import Retry

from runtime.caches import naming


@naming(RedisError, OSError)
class RedisCache(DjangoRedisCache):
    """As Django's. A connection that Redis has closed meanwhile is made anew, once and at once.

    No more tries than that: the library's own would make a request wait several time-outs.
    """

    def __init__(self, server: str | list[str], params: dict[str, Any]) -> None:
        again = Retry(NoBackoff(), 1, supported_errors=(Disconnected,))
        options = {"retry": again, **params.get("OPTIONS", {})}
        super().__init__(server, {**params, "OPTIONS": options})
