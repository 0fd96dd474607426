"""The system checks of the settings: each finds what it is for, and lets a good setting pass."""

from __future__ import annotations

import copy
import os
import secrets
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import Tags, registry, run_checks
from pytest_django import Settings

from files.crypto.fernetkey import generate_master_key
from runtime.configuration import BASE_DIR
from securestore.checks import is_public

PUBLIC = ["files.example.org"]


@pytest.fixture(autouse=True)
def production(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings as a deployment has them, in which no check finds anything."""
    settings.SILENCED_SYSTEM_CHECKS = []
    settings.ALLOWED_HOSTS = PUBLIC
    settings.HTTPS = True
    settings.SECRET_KEY = secrets.token_urlsafe(64)
    settings.AUDIT_KEY = secrets.token_urlsafe(32)
    monkeypatch.setenv("MASTER_KEYS", f"{generate_master_key()},{generate_master_key()}")
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache"}
    }
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST_PASSWORD = secrets.token_urlsafe(12)
    return settings


OURS = (Tags.security, Tags.database)


def test_our_checks_are_all_looked_at() -> None:
    for check in registry.registry.get_checks(include_deployment_checks=True):
        ours = check.__module__.split(".")[0] in {"securestore", "files", "accounts", "audit"}
        if (
            ours and check.__module__ != "securestore.apps"
        ):  # Which are Django's, when pages are there.
            assert not set(OURS).isdisjoint(check.tags), check


def found() -> dict[str, str]:
    """Our own messages by their id, with those that only `check --deploy` gives."""
    # Not those of models, addresses and templates: they take long and are all of Django's.
    messages = run_checks(tags=OURS, include_deployment_checks=True)
    return {m.id: m.msg for m in messages if m.id and m.id.startswith("securestore.")}


def test_good_settings_pass() -> None:
    assert found() == {}


@pytest.mark.parametrize(
    ("host", "public"),
    [
        ("localhost", False),
        ("app.localhost", False),
        ("127.0.0.1", False),
        ("127.8.9.1", False),
        ("[::1]", False),
        ("testserver", False),
        ("files.example.org", True),
        (".example.org", True),
        ("192.168.0.7", True),
        ("[fe80::1]", True),
        ("*", True),
        ("localhost.example.org", True),
    ],
)
def test_a_host_is_public_unless_only_this_machine_has_it(host: str, public: bool) -> None:
    assert is_public(host) == public


def test_debug_in_public_is_an_error(settings: Settings) -> None:
    settings.DEBUG = True
    assert "files.example.org" in found()["securestore.E001"]
    settings.ALLOWED_HOSTS = ["localhost", "[::1]"]
    assert found() == {}


def test_plain_http_in_public_is_an_error(settings: Settings) -> None:
    settings.HTTPS = False
    assert "pass in the clear" in found()["securestore.E002"]
    settings.ACCEPT_PLAIN_HTTP = True
    assert found() == {}
    settings.ACCEPT_PLAIN_HTTP = False
    settings.ALLOWED_HOSTS = ["127.0.0.1"]
    assert found() == {}


@pytest.mark.parametrize("hosts", [["*"], ["files.example.org", "*"], ["."]])
def test_a_wildcard_host_is_an_error(settings: Settings, hosts: list[str]) -> None:
    settings.ALLOWED_HOSTS = hosts
    assert set(found()) == {"securestore.E003"}
    settings.ALLOWED_HOSTS = [".example.org"]
    assert found() == {}


@pytest.mark.parametrize(
    "backend",
    [
        "django.core.cache.backends.locmem.LocMemCache",
        "django.core.cache.backends.filebased.FileBasedCache",
        "django.core.cache.backends.dummy.DummyCache",
    ],
)
def test_a_cache_of_one_process_is_an_error(settings: Settings, backend: str) -> None:
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": "/nowhere"}}
    assert "not be counted" in found()["securestore.E004"]
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache"}}
    assert found() == {}


@pytest.mark.parametrize("engine", ["signed_cookies", "file"])
def test_sessions_that_cannot_be_ended_are_an_error(settings: Settings, engine: str) -> None:
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    assert engine in found()["securestore.E005"]
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
    assert found() == {}


@pytest.mark.parametrize("name", ["SECRET_KEY", "AUDIT_KEY"])
@pytest.mark.parametrize("value", ["django-insecure-" + "x7Pq" * 12, "ab" * 30])
def test_a_weak_secret_is_an_error_and_not_shown(settings: Settings, name: str, value: str) -> None:
    setattr(settings, name, value)
    told = found()
    assert set(told) == {"securestore.E006"}
    assert told["securestore.E006"].startswith(name)
    assert value not in told["securestore.E006"]


def test_a_published_master_key_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    known = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="
    monkeypatch.setenv("MASTER_KEYS", f"{generate_master_key()},{known}")
    told = found()["securestore.E006"]
    assert told.startswith("MASTER_KEYS is printed")
    assert known not in told


def _password(settings: Settings, value: str) -> None:
    databases = copy.deepcopy(settings.DATABASES)
    databases["default"]["PASSWORD"] = value
    settings.DATABASES = databases


def _store_secret(settings: Settings, value: str) -> None:
    storages = copy.deepcopy(settings.STORAGES)
    storages["default"]["OPTIONS"]["secret_key"] = value
    settings.STORAGES = storages


@pytest.mark.parametrize("setter", [_password, _store_secret])
@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
def test_a_placeholder_of_another_service_is_an_error(settings: Settings, setter: Any) -> None:
    setter(settings, "...")
    assert set(found()) == {"securestore.E006"}
    setter(settings, "8Jw0zqT4")
    assert found() == {}


def test_one_secret_for_two_purposes_is_an_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.AUDIT_KEY = settings.SECRET_KEY
    told = found()["securestore.E007"]
    assert told.startswith("SECRET_KEY and AUDIT_KEY are the same")
    assert settings.SECRET_KEY not in told
    settings.AUDIT_KEY = generate_master_key()
    assert found() == {}
    monkeypatch.setenv("MASTER_KEYS", settings.AUDIT_KEY)
    assert "AUDIT_KEY and MASTER_KEYS" in found()["securestore.E007"]


@pytest.mark.parametrize(
    ("network", "passes"),
    [
        ("0.0.0.0/0", False),
        ("::/0", False),
        ("0.0.0.0/1", False),
        ("2000::/3", False),
        ("10.0.0.0/8", True),
        ("fc00::/7", True),
        ("127.0.0.1", True),
    ],
)
def test_a_network_of_everybody_is_no_proxy(settings: Settings, network: str, passes: bool) -> None:
    settings.TRUSTED_PROXIES = [ip_network("127.0.0.1"), ip_network(network)]
    assert ("securestore.E008" not in found()) == passes


def test_bodies_without_a_bound_are_an_error(settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = None
    assert set(found()) == {"securestore.E009"}


@pytest.mark.parametrize("kind", ["console", "dummy", "locmem", "filebased"])
def test_mail_that_reaches_nobody_is_a_warning(settings: Settings, kind: str) -> None:
    settings.EMAIL_BACKEND = f"django.core.mail.backends.{kind}.EmailBackend"
    assert set(found()) == {"securestore.W001"}
    settings.ALLOWED_HOSTS = ["localhost"]
    assert found() == {}


def test_a_store_over_plain_http_is_a_warning(settings: Settings) -> None:
    settings.S3_ENDPOINT_URL = "http://store.example.org:9000"
    assert set(found()) == {"securestore.W002"}
    for fine in ("https://store.example.org", "http://127.0.0.1:8333", None):
        settings.S3_ENDPOINT_URL = fine
        assert found() == {}


def check_deploy(tmp_path: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    """`manage.py check --deploy` in a process that knows nothing but a deployment's variables."""
    environment = {
        "PATH": os.environ["PATH"],
        "SECURESTORE_ENV_FILE": "",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "AUDIT_KEY": secrets.token_urlsafe(32),
        "MASTER_KEYS": generate_master_key(),
        "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
        "S3_BUCKET": "securestore-example",
        "AWS_EC2_METADATA_DISABLED": "true",
        "ALLOWED_HOSTS": PUBLIC[0],
        "TRUST_X_FORWARDED_PROTO": "true",
        "TRUSTED_PROXIES": "127.0.0.1,::1",
        "EMAIL_URL": "smtp+tls://user:oL7eF2vK@mail.example.org:587",
        **changes,
    }
    return subprocess.run(
        [sys.executable, "-W", "error", "manage.py", "check", "--deploy", "--fail-level=INFO"],
        cwd=BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.integration
def test_a_deployment_passes_the_check_of_deployments(tmp_path: Path) -> None:
    result = check_deploy(tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert "no issues (0 silenced)" in result.stdout


@pytest.mark.integration
def test_an_unsafe_deployment_does_not(tmp_path: Path) -> None:
    result = check_deploy(tmp_path, DEBUG="true", CACHE_URL="locmemcache://")
    assert result.returncode == 1
    assert "securestore.E001" in result.stderr
    assert "securestore.E004" in result.stderr
