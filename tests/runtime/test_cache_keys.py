"""What lies in the cache tells nothing of what was typed."""

from __future__ import annotations

import pytest
from django.core.cache.backends.db import DatabaseCache
from django.core.management import call_command
from django.db import connection
from pytest_django import Settings

from runtime.cache_keys import make_key


def test_keys_are_told_apart_and_hide_what_they_are_made_of(settings: Settings) -> None:
    keys = {make_key(*parts) for parts in (("a", "", 1), ("b", "", 1), ("a", "x", 1), ("a", "", 2))}
    assert len(keys) == 4
    assert make_key("a", "", 1) == make_key("a", "", 1)
    settings.SECRET_KEY = "another"
    assert make_key("a", "", 1) not in keys


@pytest.mark.django_db
def test_the_table_of_the_cache_has_no_key_in_the_clear(settings: Settings) -> None:
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": "tests_cache",
        }
    }
    call_command("createcachetable", verbosity=0)
    cache = DatabaseCache("tests_cache", {"KEY_FUNCTION": "runtime.cache_keys.make_key"})
    cache.set("user=7&code=123456", "y", 60)
    assert cache.get("user=7&code=123456") == "y"
    with connection.cursor() as cursor:
        cursor.execute("SELECT cache_key, value FROM tests_cache")
        [row] = cursor.fetchall()
    assert "123456" not in str(row)
