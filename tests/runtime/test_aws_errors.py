"""A wrong clock is called a wrong clock, and each refusal says what to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from files.crypto.errors import KeyServiceRefused
from files.keys.kms import kms_errors
from files.storage import StoreRefused
from files.storage.errors import store_errors
from runtime.aws_errors import has_no_words, refusal

HOUR = 3600
SECRET = "a secret of the other side"


def answer(
    code: str, *, ahead: int | None = 0, status: int = 403, message: str = SECRET
) -> ClientError:
    """What comes back from a machine that our clock is `ahead` of, by its `Date`."""
    headers = {}
    if ahead is not None:
        theirs = datetime.now(UTC) - timedelta(seconds=ahead)
        headers["date"] = theirs.strftime("%a, %d %b %Y %H:%M:%S GMT")
    told: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers},
    }
    return ClientError(told, "Operation")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("RequestTimeTooSkewed", SECRET),
        ("RequestExpired", SECRET),
        # All that HEAD tells, and what some stores answer to a signature of another time.
        ("403", ""),
        ("AccessDenied", SECRET),
        ("SignatureDoesNotMatch", SECRET),
        ("InvalidSignatureException", "Signature expired: 20261129T100000Z is now earlier than …"),
    ],
)
@pytest.mark.parametrize(("ahead", "word"), [(HOUR, "ahead of"), (-HOUR, "behind")])
def test_a_wrong_clock_is_told_with_its_distance(
    code: str, message: str, ahead: int, word: str
) -> None:
    told = refusal(answer(code, ahead=ahead, message=message))
    assert told is not None
    assert told.reason in {
        f"this machine's clock is {seconds:,} s {word} the other side's"
        for seconds in (HOUR - 1, HOUR, HOUR + 1, HOUR + 2)
    }
    assert "NTP" in told.remedy
    assert "credentials are not" in told.remedy


@pytest.mark.parametrize("code", ["RequestTimeTooSkewed", "RequestExpired"])
@pytest.mark.parametrize("date", ["", "no date", None])
def test_a_wrong_clock_is_told_without_its_distance_too(code: str, date: str | None) -> None:
    error = answer(code, ahead=None)
    if date is not None:
        error.response["ResponseMetadata"]["HTTPHeaders"]["date"] = date
    told = refusal(error)
    assert told is not None
    assert told.reason == "this machine's clock is wrong, or the other side's"


@pytest.mark.parametrize(
    ("code", "reason", "remedy"),
    [
        ("InvalidAccessKeyId", "does not know the access key", "AWS_ACCESS_KEY_ID"),
        ("UnrecognizedClientException", "does not know the access key", "KMS_ACCESS_KEY_ID"),
        ("SignatureDoesNotMatch", "the secret key is not that", "AWS_SECRET_ACCESS_KEY"),
        ("InvalidSignatureException", "the secret key is not that", "KMS_SECRET_ACCESS_KEY"),
        ("ExpiredToken", "has expired", "AWS_SESSION_TOKEN"),
        ("ExpiredTokenException", "has expired", "AWS_SESSION_TOKEN"),
        ("AccessDenied", "lack a right", "policy"),
        ("NoSuchBucket", "no such bucket", "S3_BUCKET"),
        ("PermanentRedirect", "another region", "AWS_DEFAULT_REGION"),
        ("NotFoundException", "no such key", "KMS_KEY_ID"),
        ("DisabledException", "disabled", "Enable"),
    ],
)
# The key of a stranger stays one, whatever the clock says.
@pytest.mark.parametrize("ahead", [0, None])
def test_what_is_wrong_is_told_from_its_siblings(
    code: str, reason: str, remedy: str, ahead: int | None
) -> None:
    told = refusal(answer(code, ahead=ahead))
    assert told is not None
    assert reason in told.reason
    assert remedy in told.remedy
    assert "clock" not in told.reason
    assert SECRET not in f"{told}"


@pytest.mark.parametrize("code", ["InvalidAccessKeyId", "ExpiredToken", "NoSuchBucket"])
def test_a_clock_is_not_blamed_for_what_it_has_no_part_in(code: str) -> None:
    told = refusal(answer(code, ahead=HOUR))
    assert told is not None
    assert "clock" not in told.reason


@pytest.mark.parametrize("code", ["403", "InvalidArgument", "", "NotImplemented"])
def test_of_what_is_not_known_nothing_is_said(code: str) -> None:
    assert refusal(answer(code)) is None


def test_an_answer_to_head_has_no_words() -> None:
    assert has_no_words(answer("403"))
    assert not has_no_words(answer("AccessDenied"))


def test_store_and_key_service_tell_it() -> None:
    with pytest.raises(StoreRefused, match=r"3,[56]\d\d s ahead of") as store, store_errors("list"):
        raise answer("RequestTimeTooSkewed", ahead=HOUR)
    with (
        pytest.raises(KeyServiceRefused, match=r"3,[56]\d\d s behind") as service,
        kms_errors("wrap"),
    ):
        raise answer("InvalidSignatureException", ahead=-HOUR, message="Signature not yet current")
    assert "NTP" in store.value.remedy
    assert "NTP" in service.value.remedy
    assert SECRET not in str(store.value)
