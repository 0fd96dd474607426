"""How botocore's errors are read: try again, or set it right, or the object is the matter."""

from __future__ import annotations

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    FlexibleChecksumError,
    IncompleteReadError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
    ResponseStreamingError,
    SSLError,
)
from botocore.stub import Stubber
from urllib3.exceptions import ProtocolError

from files.crypto.errors import Damaged
from files.storage import ObjectMissing, StoreError, StoreRefused, StoreUnavailable
from files.storage.errors import PreconditionFailed, may_still_happen, store_errors
from launcher.ports import LOOPBACK, free_port

_SLOW_DOWN = ClientError(
    {"Error": {"Code": "SlowDown"}, "ResponseMetadata": {"HTTPStatusCode": 503}},  # type: ignore[typeddict-item]
    "PutObject",
)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (404, "NoSuchKey", ObjectMissing),
        (404, "404", ObjectMissing),
        (404, "NoSuchUpload", ObjectMissing),
        (404, "NoSuchBucket", StoreRefused),
        (412, "PreconditionFailed", PreconditionFailed),
        (412, "", PreconditionFailed),
        (409, "ConditionalRequestConflict", PreconditionFailed),
        (416, "InvalidRange", Damaged),
        (400, "InvalidPart", Damaged),
        (500, "InternalError", StoreUnavailable),
        (502, "", StoreUnavailable),
        (503, "SlowDown", StoreUnavailable),
        (429, "TooManyRequests", StoreUnavailable),
        (400, "RequestTimeout", StoreUnavailable),
        (501, "NotImplemented", StoreRefused),
        (400, "InvalidArgument", StoreRefused),
        (403, "AccessDenied", StoreRefused),
        (403, "InvalidAccessKeyId", StoreRefused),
        (301, "PermanentRedirect", StoreRefused),
    ],
)
def test_an_answer_is_read_for_what_to_do(
    status: int, code: str, expected: type[Exception]
) -> None:
    client = boto3.client("s3", region_name="us-east-1")
    with Stubber(client) as stub:
        stub.add_client_error("get_object", code, "a secret of the store", status)
        with pytest.raises(expected) as raised, store_errors("get an object"):
            client.get_object(Bucket="b", Key="k")
    assert type(raised.value) is expected
    assert "a secret" not in str(raised.value)
    assert "get an object" in str(raised.value)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectTimeoutError(endpoint_url="http://store"), StoreUnavailable),
        (ReadTimeoutError(endpoint_url="http://store"), StoreUnavailable),
        (EndpointConnectionError(endpoint_url="http://store"), StoreUnavailable),
        (SSLError(endpoint_url="http://store", error=OSError()), StoreUnavailable),
        (ResponseStreamingError(error="reset"), StoreUnavailable),
        (IncompleteReadError(actual_bytes=1, expected_bytes=2), StoreUnavailable),
        (FlexibleChecksumError(error_msg="crc"), StoreUnavailable),
        (CredentialRetrievalError(provider="x", error_msg="y"), StoreUnavailable),
        (ProtocolError("reset"), StoreUnavailable),
        (ConnectionResetError(), StoreUnavailable),
        (TimeoutError(), StoreUnavailable),
        (NoCredentialsError(), StoreRefused),
        (ParamValidationError(report="x"), StoreRefused),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_an_error_without_an_answer_is_read_too(
    error: BotoCoreError | OSError, expected: type[StoreError]
) -> None:
    with pytest.raises(expected) as raised, store_errors("get an object"):
        raise error
    assert raised.value.__cause__ is error


@pytest.mark.parametrize(
    ("error", "late"),
    [
        (ReadTimeoutError(endpoint_url="http://store"), True),
        (ConnectionClosedError(endpoint_url="http://store"), True),
        (ProtocolError("reset"), True),
        (ConnectTimeoutError(endpoint_url="http://store"), False),
        (EndpointConnectionError(endpoint_url="http://store"), False),
        (_SLOW_DOWN, False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_was_sent_may_still_happen(error: Exception, late: bool) -> None:
    with pytest.raises(StoreError) as raised, store_errors("put an object"):
        raise error
    assert isinstance(raised.value, StoreUnavailable)
    assert may_still_happen(raised.value) == late


def test_a_port_where_nobody_listens_is_unavailable() -> None:
    client = boto3.client(
        "s3",
        region_name="us-east-1",
        endpoint_url=f"http://{LOOPBACK}:{free_port()}",
        config=Config(retries={"total_max_attempts": 1}),
    )
    with pytest.raises(StoreUnavailable), store_errors("reach the bucket"):
        client.head_bucket(Bucket="b")


def test_other_errors_pass() -> None:
    with pytest.raises(ZeroDivisionError), store_errors("divide"):
        raise ZeroDivisionError


def test_a_missing_object_is_a_missing_file() -> None:
    assert issubclass(ObjectMissing, FileNotFoundError)
    assert issubclass(ObjectMissing, StoreError)
