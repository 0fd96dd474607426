"""The embedded store: shut to everyone without its keys, at every door."""

import http.client
import os
import shutil
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from launcher.errors import LaunchError
from launcher.mutual_tls import Identity
from launcher.ports import LOOPBACK, free_port
from launcher.process import Child
from launcher.store import EmbeddedStore, program
from tests.conftest import Weed
from tests.launcher.sockets import Listener, listeners
from tests.launcher.strangers import (
    Request,
    Way,
    calls,
    is_answered,
    obeyed,
    status,
    trusting_anybody,
)

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

BUCKET = "doors"
CONTENT = b"ciphertext"


def test_it_does_not_run_without_credentials(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match="AWS_ACCESS_KEY_ID"):
        EmbeddedStore(tmp_path, 20_000, "", "")


def test_everything_listens_on_loopback_and_nothing_optional_runs(tmp_path: Path) -> None:
    command = EmbeddedStore(tmp_path, 20_000, "a", "s").command()
    assert {"-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3.port=20000"} <= set(command)
    assert {"-webdav=false", "-admin.ui=false", "-s3.iam=false", "-master.telemetry=false"} <= set(
        command
    )


@pytest.mark.parametrize(
    ("free", "volume"), [(0, 128), (1_600, 200), (8_000, 1_000), (10_000_000, 4_096)]
)
def test_volumes_suit_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, volume: int
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=free * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    command = EmbeddedStore(tmp_path, 20_000, "a", "s").command()
    assert f"-master.volumeSizeLimitMB={volume}" in command


def test_it_is_told_nothing_that_it_does_not_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASTER_KEYS", "secret")
    names = set(EmbeddedStore(tmp_path, 20_000, "a", "s").environment())
    assert {name for name in names if not name.startswith("WEED_")} == {
        "PATH",
        "HOME",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    }


def test_its_data_folder_is_closed_to_others(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path / "var" / "store", 20_000, "a", "s")
    store.prepare()
    assert stat.S_IMODE(store.data.stat().st_mode) == 0o700


def test_a_store_that_lets_anyone_in_is_not_used(tmp_path: Path) -> None:
    class Open(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer((LOOPBACK, 0), Open) as server:
        answering = Thread(target=server.handle_request)
        answering.start()
        with pytest.raises(LaunchError, match="lets anyone in"):
            EmbeddedStore(tmp_path, server.server_port, "a", "s").is_ready()
        answering.join()


@pytest.fixture(scope="module")
def bucket(weed: Weed) -> str:
    """A bucket with one object, `kept`."""
    client = weed.client()
    client.create_bucket(Bucket=BUCKET)
    client.put_object(Bucket=BUCKET, Key="kept", Body=CONTENT)
    return BUCKET


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> list[Way]:
    """How one may connect without the store's certificate: with one that is made like it, too."""
    forged = Identity(tmp_path_factory.mktemp("stranger"))
    forged.renew()
    ways = [Way("in the clear")]
    for alpn in ("http/1.1", "h2"):
        ways.append(Way(f"TLS, {alpn}", trusting_anybody(alpn)))
        certified = trusting_anybody(alpn)
        certified.load_cert_chain(forged.certificate, forged.key)
        ways.append(Way(f"TLS, {alpn}, a certificate of another's", certified))
    return ways


@pytest.mark.integration
class TestDoors:
    @pytest.fixture(autouse=True)
    def _nothing_is_lost(self, weed: Weed, bucket: str) -> Iterator[None]:
        yield
        body = weed.client().get_object(Bucket=bucket, Key="kept")["Body"]
        assert body.read() == CONTENT

    def test_it_listens_on_loopback_and_in_files_of_this_account(
        self, weed: Weed, bucket: str
    ) -> None:
        found = listeners(weed.pid)
        tcp = {listener for listener in found if listener.kind == "tcp"}
        # So that the tests below have what they are about.
        assert {listener.port for listener in tcp} == {
            weed.store.port,
            *weed.store.inner_ports.values(),
        }
        assert {listener.address for listener in tcp} == {LOOPBACK}
        files = found - tcp
        assert files
        for listener in files:
            assert listener.kind == "unix"
            status = listener.path.stat()
            assert stat.S_ISSOCK(status.st_mode)
            assert stat.S_IMODE(status.st_mode) == 0o700
            assert status.st_uid == os.getuid()

    def test_no_socket_obeys_a_stranger_over_http(
        self, weed: Weed, bucket: str, strangers: list[Way]
    ) -> None:
        let_in = [
            request
            for listener in sorted(listeners(weed.pid), key=str)
            for way in strangers
            for request in obeyed(way, listener, bucket, "kept")
        ]
        assert let_in == []

    def test_no_socket_answers_a_stranger_over_grpc(
        self, weed: Weed, bucket: str, strangers: list[Way]
    ) -> None:
        answered = [
            f"{listener}, {way.name}: {call}"
            for listener in sorted(listeners(weed.pid), key=str)
            for way in strangers
            for call in calls(bucket, "kept")
            if is_answered(way, listener, call)
        ]
        assert answered == []

    def test_the_certificate_is_what_opens_them(self, weed: Weed, bucket: str) -> None:
        """Else the refusals above would say nothing: the same calls, by the store itself."""
        own = trusting_anybody("h2")
        own.load_cert_chain(weed.store.identity.certificate, weed.store.identity.key)
        way = Way("the store's own", own)
        opened = {
            option
            for option, port in weed.store.inner_ports.items()
            for call in calls("none", "none")
            if is_answered(way, Listener("tcp", LOOPBACK, port), call)
        }
        assert {"master.port.grpc", "volume.port.grpc", "filer.port.grpc"} <= opened

    @pytest.mark.parametrize("command", ["fs.ls /buckets", "fs.tree /", "volume.list"])
    def test_its_own_shell_is_a_stranger_without_the_certificate(
        self, weed: Weed, bucket: str, command: str
    ) -> None:
        own = weed.store.environment()
        assert bucket in shell(weed.store, command, own, seconds=60)
        bare = {name: own[name] for name in ("PATH", "HOME")}
        assert bucket not in shell(weed.store, command, bare, seconds=3)

    @pytest.mark.parametrize("path", ["/status", "/healthz"])
    def test_all_that_anybody_learns_is_that_it_lives(self, weed: Weed, path: str) -> None:
        with closing(http.client.HTTPConnection(LOOPBACK, weed.store.port, timeout=10)) as s3:
            s3.request("GET", path)
            assert s3.getresponse().read() == b""

    @pytest.mark.parametrize(
        "signature",
        [pytest.param(UNSIGNED, id="no signature"), pytest.param("v4", id="wrong keys")],
    )
    @pytest.mark.parametrize(
        "attempt",
        [
            pytest.param(lambda s3: s3.list_buckets(), id="list buckets"),
            pytest.param(lambda s3: s3.create_bucket(Bucket="another"), id="create bucket"),
            pytest.param(lambda s3: s3.list_objects_v2(Bucket=BUCKET), id="list"),
            pytest.param(lambda s3: s3.get_object(Bucket=BUCKET, Key="kept"), id="get"),
            pytest.param(lambda s3: s3.put_object(Bucket=BUCKET, Key="new", Body=b""), id="put"),
            pytest.param(lambda s3: s3.delete_object(Bucket=BUCKET, Key="kept"), id="delete"),
        ],
    )
    def test_s3_refuses_strangers(
        self,
        weed: Weed,
        bucket: str,
        signature: Any,
        attempt: Callable[["S3Client"], object],
    ) -> None:
        stranger = boto3.client(
            "s3",
            endpoint_url=weed.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="stranger",
            aws_secret_access_key="guess",
            config=Config(
                signature_version=signature,
                s3={"addressing_style": "path"},
                retries={"max_attempts": 1},
            ),
        )
        with pytest.raises(ClientError) as refused:
            attempt(stranger)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403

    def test_a_bucket_is_made_on_request_only(self, weed: Weed) -> None:
        with pytest.raises(ClientError, match="NoSuchBucket"):
            weed.client().put_object(Bucket="mistyped", Key="k", Body=b"")


def shell(store: EmbeddedStore, command: str, env: Mapping[str, str], *, seconds: float) -> str:
    """What SeaweedFS's own administration says; it tries for ever where it is not let in."""
    ports = store.inner_ports
    master, filer = (
        f"{LOOPBACK}:{ports[f'{part}.port']}.{ports[f'{part}.port.grpc']}"
        for part in ("master", "filer")
    )
    try:
        done = subprocess.run(
            [program(), "shell", f"-master={master}", f"-filer={filer}"],
            input=f"{command}\nexit\n".encode(),
            env=env,
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired as error:
        return (error.stdout or b"").decode()
    return done.stdout.decode()


@contextmanager
def running(store: EmbeddedStore, *, as_before: bool = False) -> Iterator["S3Client"]:
    """The store, killed at the end, or one that asks for no certificate; yields a client."""
    store.prepare()
    command, env = store.command(), store.environment()
    ready = store.is_ready
    if as_before:
        new = ("-disableHttp", "-s3.localSocket", "-filer.localSocket", "-s3.allowedOrigins")
        command = [word for word in command if not word.startswith(new)]
        env = {
            name: value for name, value in env.items() if "GRPC" not in name and "HTTPS" not in name
        }
        ready = partial(listens, store.port)
    log = store.data.parent / "store.log"
    child = Child(store.name, command, env=env, cwd=store.data, log=log, grace=0)
    try:
        child.wait_until(ready, seconds=60)
        with closing(Weed(store, child.pid).client()) as client:
            yield client
    finally:
        child.stop()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


@pytest.mark.integration
def test_what_was_stored_survives_kills_and_older_ways_to_start(tmp_path: Path) -> None:
    """A data folder from before there were certificates, or of a store that was killed, goes on."""
    stored: dict[str, bytes] = {}

    def go_on(client: "S3Client") -> None:
        name = f"object-{len(stored)}"
        stored[name] = os.urandom(5 * 2**20)
        client.put_object(Bucket=BUCKET, Key=name, Body=stored[name])
        for key, content in stored.items():
            assert client.get_object(Bucket=BUCKET, Key=key)["Body"].read() == content

    def store() -> EmbeddedStore:
        return EmbeddedStore(tmp_path / "store", free_port(), "access", "secret")

    with running(store(), as_before=True) as client:
        client.create_bucket(Bucket=BUCKET)
        go_on(client)
    for _ in range(2):
        with running(store()) as client:
            go_on(client)


@pytest.mark.integration
@pytest.mark.parametrize("part", ["GRPC_S3", "HTTPS_VOLUME"])
def test_it_is_not_used_while_a_server_of_it_asks_for_nothing(tmp_path: Path, part: str) -> None:
    """SeaweedFS serves in the clear, without a word, where it cannot read a certificate."""
    store = EmbeddedStore(tmp_path / "store", free_port(), "access", "secret")
    store.prepare()
    env = {name: value for name, value in store.environment().items() if part not in name}
    child = Child(
        store.name, store.command(), env=env, cwd=store.data, log=tmp_path / "log", grace=1
    )
    s3 = Listener("tcp", LOOPBACK, store.port)

    def all_listen() -> bool:
        return all(map(listens, store.inner_ports.values())) and (
            status(Way("in the clear"), s3, Request("GET", "/")) == http.client.FORBIDDEN
        )

    try:
        child.wait_until(all_listen, seconds=60)
        with suppress(LaunchError):
            assert not store.is_ready()
    finally:
        child.stop()
