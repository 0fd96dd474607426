"""What `doctor` says of store and keys: each thing is broken once, and nothing is left behind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from django.utils import timezone

from files.crypto import lanes
from files.crypto.fernetkey import generate_master_key
from files.keys.master_keys import keyring
from files.models import FileRecord, MasterKey
from files.upkeep import diagnosis
from files.vault import stored_objects
from runtime.findings import Level, Line, examine
from tests.files.conftest import UseKeys
from tests.files.crypto.ways import in_c, taken

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

pytestmark = pytest.mark.django_db
Answer = Callable[[Callable[[], Any], dict[str, Any]], Any]


def lines() -> dict[str, Line]:
    return {line.part: line for line in examine(diagnosis.probes())}


def levels() -> dict[str, Level]:
    return {part: line.level for part, line in lines().items()}


def refuse(code: str, status: int) -> Answer:
    def answer(ask: Callable[[], Any], parameters: dict[str, Any]) -> Any:
        told: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
        raise ClientError(told, "Operation")

    return answer


@pytest.mark.parametrize(
    ("mode", "level", "said"),
    [
        ("python", Level.OK, "in Python, as CRYPTO_LANES says."),
        ("auto", Level.OK, "in Python, for lanes are for Linux on x86-64"),
        ("native", Level.FAIL, "CRYPTO_LANES=native cannot be had: lanes are for"),
    ],
)
def test_which_way_frames_go_is_said(
    monkeypatch: pytest.MonkeyPatch, mode: str, level: Level, said: str
) -> None:
    monkeypatch.setattr(lanes, "_taken", [])
    monkeypatch.setattr(lanes, "is_for_this_machine", lambda: False)
    lanes.choose(mode)
    [line] = diagnosis.check_lanes()
    assert line.level == level
    assert said in line.said


def test_that_frames_go_side_by_side_is_said() -> None:
    with taken(in_c(ciphers=4, macs=2)):
        [line] = diagnosis.check_lanes()
    assert line.said == "frames are sealed and opened in C, for a test."


@pytest.fixture
def behave(monkeypatch: pytest.MonkeyPatch, s3: S3Client) -> Callable[[str, Answer], None]:
    """Makes the store answer one operation otherwise."""
    client = stored_objects.storage().client
    original = client._make_api_call  # type: ignore[attr-defined]
    ways: dict[str, Answer] = {}

    def call(operation: str, parameters: dict[str, Any]) -> Any:
        def ask() -> Any:
            return original(operation, parameters)

        return ways[operation](ask, parameters) if operation in ways else ask()

    monkeypatch.setattr(client, "_make_api_call", call)
    return ways.__setitem__


@pytest.mark.usefixtures("s3")
def test_a_good_store_passes_and_is_left_as_it_was(
    record: FileRecord, store_is_empty: Callable[[], bool], s3: S3Client, settings: Any
) -> None:
    found = lines()
    # The store in memory lets strangers list a bucket, and read nothing. It has no clock.
    assert found.pop("store privacy").said == "strangers may list it."
    assert found.pop("store clock").said == "it does not tell its time."
    assert {part for part, line in found.items() if line.level != Level.OK} == set()
    assert keyring().primary_id in found["keyring"].said
    listed = s3.list_objects_v2(Bucket=settings.S3_BUCKET)["Contents"]
    assert [one["Key"] for one in listed] == [record.current.object_name]
    assert not s3.list_multipart_uploads(Bucket=settings.S3_BUCKET).get("Uploads")


def test_a_bucket_that_keeps_what_is_deleted_is_warned_of(s3: S3Client, settings: Any) -> None:
    s3.put_bucket_versioning(
        Bucket=settings.S3_BUCKET, VersioningConfiguration={"Status": "Enabled"}
    )
    line = lines()["store versions"]
    assert (line.level, "is versioned" in line.said) == (Level.WARN, True)
    assert "lifecycle" in line.remedy


# --- Reached -------------------------------------------------------------------------------------


def test_of_a_store_that_is_down_nothing_else_is_asked(
    behave: Callable[[str, Answer], None],
) -> None:
    def down(ask: Callable[[], Any], parameters: dict[str, Any]) -> Any:
        raise EndpointConnectionError(endpoint_url="http://store.invalid")

    behave("HeadBucket", down)
    found = lines()
    assert [part for part in found if part.startswith("store")] == ["store"]
    assert found["store"].level == Level.FAIL
    assert "S3_ENDPOINT_URL" in found["store"].remedy


def test_a_bucket_that_is_missing_is_told_from_a_refusal(
    behave: Callable[[str, Answer], None],
) -> None:
    behave("HeadBucket", refuse("404", 404))
    assert "setup_vault" in lines()["store"].remedy
    behave("HeadBucket", refuse("403", 403))
    assert "AWS_*" in lines()["store"].remedy


# --- Each part broken ----------------------------------------------------------------------------


def without(*names: str) -> Answer:
    """The store does not know these parameters of a request."""

    def answer(ask: Callable[[], Any], parameters: dict[str, Any]) -> Any:
        for name in names:
            parameters.pop(name, None)
        return ask()

    return answer


def clock(seconds: int) -> Answer:
    def answer(ask: Callable[[], Any], parameters: dict[str, Any]) -> Any:
        got = ask()
        moment = datetime.now(UTC) + timedelta(seconds=seconds)
        told = moment.strftime("%a, %d %b %Y %H:%M:%S GMT") if seconds else "no time"
        got["ResponseMetadata"]["HTTPHeaders"]["date"] = told
        return got

    return answer


def nothing(ask: Callable[[], Any], parameters: dict[str, Any]) -> Any:
    return {"ETag": '"?"', "ResponseMetadata": {"HTTPHeaders": {}}}


@pytest.mark.parametrize(
    ("operation", "answer", "part", "level"),
    [
        ("HeadBucket", clock(-90), "store clock", Level.WARN),
        ("HeadBucket", clock(900), "store clock", Level.FAIL),
        ("HeadBucket", clock(0), "store clock", Level.WARN),
        ("PutObject", without("IfNoneMatch"), "store writes", Level.WARN),
        ("PutObject", refuse("AccessDenied", 403), "store writes", Level.FAIL),
        ("GetObject", without("IfMatch"), "store reads", Level.WARN),
        ("GetObject", without("Range"), "store ranges", Level.FAIL),
        ("GetObject", refuse("AccessDenied", 403), "store missing", Level.WARN),
        ("CreateMultipartUpload", refuse("NotImplemented", 501), "store multipart", Level.FAIL),
        ("CompleteMultipartUpload", refuse("InternalError", 500), "store multipart", Level.FAIL),
        ("AbortMultipartUpload", refuse("AccessDenied", 403), "store abort", Level.FAIL),
        ("ListMultipartUploads", refuse("AccessDenied", 403), "store listing", Level.FAIL),
        ("ListObjectsV2", refuse("AccessDenied", 403), "store listing", Level.FAIL),
        ("ListObjectsV2", nothing, "store listing", Level.WARN),
        ("DeleteObject", refuse("AccessDenied", 403), "store scratch", Level.WARN),
    ],
)
def test_each_fault_has_its_line_and_its_remedy(
    behave: Callable[[str, Answer], None], operation: str, answer: Answer, part: str, level: Level
) -> None:
    behave(operation, answer)
    line = lines()[part]
    assert line.level == level
    assert line.remedy
    assert "\n" not in str(line)


def test_a_store_that_mixes_up_parts_is_found(behave: Callable[[str, Answer], None]) -> None:
    def first(ask: Callable[[], Any], parameters: dict[str, Any]) -> Any:
        parameters["Body"] = b"stuck"
        return ask()

    behave("UploadPart", first)
    assert lines()["store multipart"].level == Level.FAIL


# --- Keys ----------------------------------------------------------------------------------------


def test_a_key_that_files_need_is_missed(record: FileRecord, use_keys: UseKeys) -> None:
    needed = record.current.master_key_id
    use_keys(generate_master_key())
    line = lines()["master keys"]
    assert line.level == Level.FAIL
    assert needed in line.said


@pytest.mark.usefixtures("s3")
def test_all_fingerprints_are_told_and_no_key(use_keys: UseKeys) -> None:
    keys = generate_master_key(), generate_master_key()
    use_keys(*keys)
    said = lines()["keyring"].said
    assert all(key_id in said for key_id in keyring().ids)
    assert not any(key in said for key in keys)


@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize("primary", [True, False])
def test_a_retired_key_that_is_configured_is_told(use_keys: UseKeys, primary: bool) -> None:
    use_keys(generate_master_key(), generate_master_key())
    key_id = keyring().ids[0 if primary else 1]
    MasterKey.objects.create(key_id=key_id, retired_at=timezone.now())
    found = [line for line in examine(diagnosis.probes()) if line.part == "master keys"]
    assert found[0].level == (Level.FAIL if primary else Level.OK)
    assert found[-1].level == Level.WARN
    assert key_id in found[-1].said


@pytest.mark.usefixtures("s3")
def test_keys_that_make_no_sense_are_a_line(use_keys: UseKeys) -> None:
    use_keys("not a key")
    found = levels()
    assert (found["keyring"], found["master keys"]) == (Level.FAIL, Level.FAIL)
    assert found["store"] == Level.OK
