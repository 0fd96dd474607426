"""The embedded store: shut to everyone without its keys, at every door."""

import http.client
import shutil
import stat
from collections.abc import Callable
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
from launcher.ports import LOOPBACK
from launcher.store import EmbeddedStore
from tests.conftest import Weed

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

BUCKET = "doors"


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
    assert {name for name in names if not name.startswith("WEED_JWT_")} == {
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
    client.put_object(Bucket=BUCKET, Key="kept", Body=b"ciphertext")
    return BUCKET


@pytest.mark.integration
class TestDoors:
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

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
    def test_so_do_the_servers_behind_it(self, weed: Weed, bucket: str, method: str) -> None:
        connection = http.client.HTTPConnection(LOOPBACK, weed.port_of("filer"), timeout=10)
        connection.request(method, f"/buckets/{bucket}/kept")
        assert connection.getresponse().status == 401
        connection.close()

    def test_nothing_of_that_changed_the_object(self, weed: Weed, bucket: str) -> None:
        body = weed.client().get_object(Bucket=bucket, Key="kept")["Body"]
        assert body.read() == b"ciphertext"

    def test_a_bucket_is_made_on_request_only(self, weed: Weed) -> None:
        with pytest.raises(ClientError, match="NoSuchBucket"):
            weed.client().put_object(Bucket="mistyped", Key="k", Body=b"")
