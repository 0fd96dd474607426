"""Redis as the cache: how it fails. What it does when it works is tried with a real one."""

from __future__ import annotations

import socket
import time

import pytest

from launcher.ports import LOOPBACK, free_port
from runtime.caches import METHODS, CacheUnavailable
from runtime.redis_cache import RedisCache
from tests.runtime.test_caches import ASK

OPTIONS = {"OPTIONS": {"socket_timeout": 0.1, "socket_connect_timeout": 0.1}}


@pytest.mark.parametrize("method", METHODS)
def test_one_that_is_not_there_has_one_name(method: str) -> None:
    cache = RedisCache(f"redis://{LOOPBACK}:{free_port()}/1", dict(OPTIONS))
    with pytest.raises(CacheUnavailable):
        ASK[method](cache)


def test_one_that_hangs_is_waited_for_once() -> None:
    with socket.create_server((LOOPBACK, 0)) as silent:
        cache = RedisCache(f"redis://{LOOPBACK}:{silent.getsockname()[1]}/1", dict(OPTIONS))
        begun = time.monotonic()
        with pytest.raises(CacheUnavailable, match="Timeout"):
            cache.get("a")
        assert time.monotonic() - begun < 2
