"""What can go wrong between us and the store, and the one place that reads botocore's errors.

Damage is not here: bytes that do not authenticate raise `files.crypto.errors.Damaged`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from botocore.exceptions import (
    BotoCoreError,
    ChecksumError,
    ClientError,
    ConnectionError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    MetadataRetrievalError,
    TokenRetrievalError,
)
from urllib3.exceptions import HTTPError as Urllib3Error

from files.crypto.errors import Damaged
from runtime.aws_errors import refusal


class StoreError(Exception):
    """Anything that the store did not do. Messages name no secret and no file."""


class StoreUnavailable(StoreError):
    """The store could not be reached, or said that it is busy. Trying again may succeed."""


class StoreRefused(StoreError):
    """The store understood and said no: credentials, bucket, clock or configuration are wrong.

    `remedy` is what to do, in a sentence; empty where the answer did not tell enough.
    """

    def __init__(self, said: str, remedy: str = "") -> None:
        super().__init__(said)
        self.remedy = remedy


class ObjectMissing(StoreError, FileNotFoundError):
    """The store says that there is no such object."""


class PreconditionFailed(StoreError):
    """The object exists already, or is no longer the one that the read began with."""


_TRANSIENT = (
    HTTPClientError,
    ConnectionError,
    IncompleteReadError,
    ChecksumError,
    FlexibleChecksumError,
    CredentialRetrievalError,
    MetadataRetrievalError,
    TokenRetrievalError,
    Urllib3Error,
    OSError,
)
"""What is about this one try; botocore's other errors are about how it is configured."""

_NEVER_SENT = (EndpointConnectionError, ConnectTimeoutError, ClientError)
"""After these the store has done nothing, and will not do it later."""

_LOST_PARTS = frozenset({"InvalidPart", "InvalidPartOrder"})
_MISSING = frozenset({"404", "NoSuchKey", "NotFound", "NoSuchUpload"})


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def is_missing(error: ClientError) -> bool:
    """Whether the answer means that the object, or the multipart upload, does not exist."""
    return error.response.get("Error", {}).get("Code") in _MISSING


def may_still_happen(error: StoreUnavailable) -> bool:
    """Whether a request that failed like this may be under way, and be done later."""
    return not isinstance(error.__cause__, _NEVER_SENT)


@contextmanager
def store_errors(doing: str) -> Iterator[None]:
    """Translate what boto3 raises into this module's errors; `doing` names the call for logs."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        status = _status(error)
        said = f"{doing}: the store answered {status} {code}"
        if is_missing(error):
            raise ObjectMissing(said) from error
        if status == 412 or code in {"PreconditionFailed", "ConditionalRequestConflict"}:
            raise PreconditionFailed(said) from error
        if status == 416:
            raise Damaged(
                f"{doing}: the object is shorter than its record", another_length=True
            ) from error
        if code in _LOST_PARTS:
            raise Damaged(f"{doing}: a part is not what the store had confirmed") from error
        if _is_busy(status, code):
            raise StoreUnavailable(said) from error
        if (why := refusal(error)) is not None:
            raise StoreRefused(f"{said}: {why.reason}", why.remedy) from error
        raise StoreRefused(said) from error
    except _TRANSIENT as error:
        raise StoreUnavailable(f"{doing}: {type(error).__name__}") from error
    except BotoCoreError as error:
        raise StoreRefused(f"{doing}: {type(error).__name__}") from error


def _is_busy(status: int, code: str) -> bool:
    if status == HTTPStatus.NOT_IMPLEMENTED:
        return False
    return status >= 500 or status == 429 or code in {"SlowDown", "RequestTimeout"}
