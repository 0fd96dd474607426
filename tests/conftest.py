"""Fixtures that every test may use: the cast of users, the real store.

No test reaches beyond this machine: a connection to anything but loopback fails the test.
"""

import gc
import ipaddress
import os
import socket
import sys
import weakref
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from _pytest import runner
from botocore.config import Config
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.core.cache import cache
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http.response import HttpResponseBase
from django.test import Client
from django.utils import timezone, translation
from hypothesis import settings as hypothesis_settings
from pytest_django import DjangoDbBlocker

from accounts.members import NAME as MEMBERS
from accounts.members import PERMISSIONS
from accounts.models import NameWord
from launcher.ports import LOOPBACK, free_port
from launcher.preflight import is_loopback
from launcher.process import Child
from launcher.store import EmbeddedStore
from runtime.inserting import insert
from securestore import health

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

    from accounts.models import User

pytest_plugins = [
    *("tests.audit.flush", "tests.aws", "tests.databases", "tests.sessions", "tests.stages"),
]

# The same examples in every run, so that a red run can be had again; more of them in `make soak`.
# `--hypothesis-profile=search` looks for new ones.
hypothesis_settings.register_profile(
    "ci", derandomize=True, deadline=None, print_blob=True, max_examples=25
)
hypothesis_settings.register_profile(
    "soak", hypothesis_settings.get_profile("ci"), max_examples=500
)
hypothesis_settings.register_profile("search", deadline=None, max_examples=2000)
hypothesis_settings.load_profile("ci")


# Each process of a parallel run loads all tests; to compile them first takes three times as long.
# pytest keeps what it compiled beside them (`__pycache__`), unless the environment forbids it.
sys.dont_write_bytecode = False

# Next to nothing of what is made until the tests begin is garbage.
gc.disable()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Spare the collector of garbage what stays to the end: to look through it took a sixth."""
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """How many processes `-n auto` is: one more than there are cores, for some tests wait."""
    return len(os.sched_getaffinity(0)) + 1


LONGEST = [
    *("integration/test_outages.py", "integration/test_migrations_on_line.py"),
    *("integration/test_rolling_restart.py", "integration/test_crowds.py"),
    *("integration/test_crashes.py", "integration/test_procedures.py"),
    *("integration/test_pooling.py", "integration/test_verification.py"),
    *("launcher/test_launcher.py", "integration/test_move_database.py"),
    *("integration/test_site_faults.py", "browser/test_every_page.py"),
    *("browser/test_administration.py", "browser/test_every_page_of_others.py"),
    *("browser/test_upload_contents.py", "browser/test_upload_lists.py", "browser/test_upload.py"),
    *("browser/test_viewer.py", "browser/test_sharing.py", "browser/test_viewer_hostile.py"),
]
"""Files that take minutes. Several run at once, and one that is begun last is waited for alone."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put them first; the order of the others stays as chance has made it."""
    here = Path(__file__).parent
    ranks = {here / name: rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path, len(ranks)))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Send nothing of what a test said that passed: each of its requests is a line, or two.

    In a parallel run all of it would go from one process to another, and nobody reads it there.
    """
    report = yield
    if report.passed and not {"A", "P"} & set(item.config.getoption("reportchars")):
        report.sections = []
    return report


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> object:
    """Run the test on a part of the interpreter's stack that has room for all that it calls.

    Python's frames lie in chunks of 16 KiB, which it gets from the system and gives back one by
    one: a test whose depth is that of the end of a chunk does so with every call, hundreds of times
    in each request. A frame that is larger gets a larger chunk, of which the others take the rest.
    """
    return runner.pytest_runtest_protocol(item, nextitem)


# In slots of eight bytes: too large for half a megabyte, so it gets one, and half of it stays free.
pytest_runtest_protocol.__code__ = pytest_runtest_protocol.__code__.replace(co_stacksize=2**16)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call() -> Iterator[None]:
    """Close what a test began to read and left: the collector would, in the middle of another.

    The end of a download is an event, and a test that counts events would find it among its own.
    """
    begun: list[weakref.ref[HttpResponseBase]] = []
    answer_to = Client.request

    def noted(self: Client, **request: Any) -> Any:
        answer = answer_to(self, **request)
        if answer.streaming:
            begun.append(weakref.ref(answer))
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Client, "request", noted)
        yield
    for reference in begun:
        if (answer := reference()) is not None:
            answer.close()


class NetworkForbidden(RuntimeError):
    """A test tried to reach another machine."""


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Iterator[None]:
    """Refuse every connection, and every look-up of a name, that leaves this machine."""
    connect, lookup = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _require_loopback(address[0])
        connect(self, address)

    def guarded_lookup(host: Any, *arguments: Any, **options: Any) -> Any:
        _require_no_dns(host)
        return lookup(host, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket, "getaddrinfo", guarded_lookup)
        yield


@pytest.fixture(autouse=True, scope="session")
def _transactions_outlive_requests() -> Iterator[None]:
    """Let the end of a request, which is that of its answer, not end the transaction of the test.

    Django's client sees to that as well, but not for an answer that a test closes by itself.
    """
    close = BaseDatabaseWrapper.close_if_unusable_or_obsolete

    def close_outside_of_transactions(self: BaseDatabaseWrapper) -> None:
        if not self.in_atomic_block:
            close(self)

    with pytest.MonkeyPatch.context() as patch:
        name = "close_if_unusable_or_obsolete"
        patch.setattr(BaseDatabaseWrapper, name, close_outside_of_transactions)
        yield


def _require_loopback(host: str) -> None:
    if not is_loopback(host):
        raise NetworkForbidden(f"a test tried to connect to {host}")


def _require_no_dns(host: str | bytes | None) -> None:
    name = host.decode("ascii") if isinstance(host, bytes) else host
    try:
        ipaddress.ip_address(name or LOOPBACK)
    except ValueError:
        if name != "localhost":
            raise NetworkForbidden(f"a test tried to look up {name}") from None


@pytest.fixture(scope="session")
def django_db_setup(
    _migrated_once: pytest.MonkeyPatch,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> None:
    """A run's database; a test that migrates does so itself."""
    _migrated_once.undo()
    with django_db_blocker.unblock():
        # Asked of SQLite once in each process: no test that counts queries is to be the first.
        assert connection.features.supports_json_field


# --- People -----------------------------------------------------------------------------------
PASSWORD = "correct horse battery staple"


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    """Rate limits of one test must not count in the next, nor its language, its time zone, or what
    it learnt of other parts."""
    yield
    translation.deactivate()
    timezone.deactivate()
    cache.clear()
    for probe in health.PROBES:
        probe.forget()


def person(name: str) -> "User":
    """Somebody who has been a member for a while: what made them one is not in the log."""
    user = _account(name)
    joined = get_user_model().groups.through
    insert(joined(user_id=user.pk, group_id=_members()))
    return user


def _account(name: str, **fields: Any) -> "User":
    """An account and its word, as saving one makes them."""
    people = get_user_model()
    hashed = make_password(PASSWORD)
    user = people(username=name, email=f"{name}@example.org", password=hashed, **fields)
    people.objects.bulk_create([user])
    insert(NameWord(user=user, word=name))
    return user


def _members() -> int:
    """The group of members, in as few queries as can be: most tests begin with it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM auth_group WHERE name = %s", [MEMBERS])
        if found := cursor.fetchone():
            return int(found[0])
        cursor.execute("INSERT INTO auth_group (name) VALUES (%s) RETURNING id", [MEMBERS])
        [number] = cursor.fetchone()
        places = ", ".join(["%s"] * len(PERMISSIONS))
        cursor.execute(
            "INSERT INTO auth_group_permissions (group_id, permission_id)"  # noqa: S608 - places alone
            f" SELECT %s, id FROM auth_permission WHERE codename IN ({places})",
            [number, *PERMISSIONS],
        )
    return int(number)


@pytest.fixture
def password() -> str:
    """The password of everybody below."""
    return PASSWORD


@pytest.fixture
def alice(db: None) -> "User":
    """A member. By convention she owns the file of the test."""
    return person("alice")


@pytest.fixture
def bob(db: None) -> "User":
    """A member. By convention he is given grants."""
    return person("bob")


@pytest.fixture
def mallory(db: None) -> "User":
    """A member who has no business with anyone's files."""
    return person("mallory")


@pytest.fixture
def root(db: None) -> "User":
    """A superuser. That alone opens no file."""
    return _account("root", is_staff=True, is_superuser=True)


# --- The real store, for integration tests ----------------------------------------------------
@dataclass(frozen=True)
class Weed:
    """A running SeaweedFS of the test session's own."""

    store: EmbeddedStore
    pid: int

    @property
    def endpoint_url(self) -> str:
        return self.store.endpoint_url

    @property
    def access_key(self) -> str:
        return self.store.access_key

    @property
    def secret_key(self) -> str:
        return self.store.secret_key

    def client(self) -> "S3Client":
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 2}),
        )


@pytest.fixture(scope="session")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weed]:
    """The store that users run, one for each process of a parallel run."""
    folder = tmp_path_factory.mktemp("weed")
    store = EmbeddedStore(folder / "store", free_port(), "tests-access", "tests-secret-key")
    store.prepare()
    child = Child(
        store.name,
        store.command(),
        env=store.environment(),
        cwd=store.data,
        log=folder / "store.log",
        # What it holds is thrown away: it need not finish what clients left half done.
        grace=1,
    )
    try:
        child.wait_until(store.is_ready, seconds=60)
        yield Weed(store, child.pid)
    finally:
        child.stop()
