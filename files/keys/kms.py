"""AWS KMS over boto3: the configured client, and the one place that reads its errors.

Every call is bounded: `KMS_CONNECT_TIMEOUT` and `KMS_READ_TIMEOUT` seconds, `KMS_MAX_ATTEMPTS`
tries with boto's back-off between them. Never logs a plaintext: messages carry the call, the
service's code and its own words.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import boto3
import environ
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    MetadataRetrievalError,
    TokenRetrievalError,
)
from django.core.exceptions import ImproperlyConfigured
from urllib3.exceptions import HTTPError as Urllib3Error

from files.crypto.errors import Damaged, KeyServiceRefused, KeyServiceUnavailable
from files.crypto.kms import KeyDescription, KmsMasterKey
from runtime.aws_errors import refusal
from runtime.configuration import endpoint, optional_secret, whole

_KEY_ARN = re.compile(r"arn:[a-z-]+:kms:(?P<region>[a-z0-9-]+):\d{12}:key/[A-Za-z0-9-]+")

_DAMAGED = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})
_BUSY = frozenset(
    {
        "DependencyTimeoutException",
        "KeyUnavailableException",
        "KMSInternalException",
        "LimitExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_TRANSIENT = (
    HTTPClientError,
    ConnectionError,
    CredentialRetrievalError,
    MetadataRetrievalError,
    TokenRetrievalError,
    Urllib3Error,
    OSError,
)
"""What is about this one try; botocore's other errors are about how it is configured."""


class AwsKms:
    """The service of one region, over one client, which threads share."""

    def __init__(self, region: str, **options: Any) -> None:
        """`options` are those of boto3's client."""
        self._region = region
        self._options = options
        self._lock = threading.Lock()
        self._made: Any = None

    @property
    def _client(self) -> Any:
        with self._lock:
            if self._made is None:
                session = boto3.session.Session()
                self._made = session.client("kms", region_name=self._region, **self._options)
            return self._made

    def encrypt(self, key_id: str, plaintext: bytes, context: Mapping[str, str]) -> bytes:
        with kms_errors("encrypt"):
            answer = self._client.encrypt(
                KeyId=key_id, Plaintext=plaintext, EncryptionContext=dict(context)
            )
        return bytes(answer["CiphertextBlob"])

    def decrypt(self, key_id: str, ciphertext: bytes, context: Mapping[str, str]) -> bytes:
        with kms_errors("decrypt"):
            answer = self._client.decrypt(
                KeyId=key_id, CiphertextBlob=ciphertext, EncryptionContext=dict(context)
            )
        return bytes(answer["Plaintext"])

    def re_encrypt(
        self, source_id: str, key_id: str, ciphertext: bytes, context: Mapping[str, str]
    ) -> bytes:
        with kms_errors("re-encrypt"):
            answer = self._client.re_encrypt(
                SourceKeyId=source_id,
                SourceEncryptionContext=dict(context),
                DestinationKeyId=key_id,
                DestinationEncryptionContext=dict(context),
                CiphertextBlob=ciphertext,
            )
        return bytes(answer["CiphertextBlob"])

    def describe(self, key_id: str) -> KeyDescription:
        with kms_errors("describe a key"):
            found = self._client.describe_key(KeyId=key_id)["KeyMetadata"]
        return KeyDescription(found["Arn"], found.get("KeyState") == "Enabled")


@contextmanager
def kms_errors(doing: str) -> Iterator[None]:
    """Translate what boto3 raises; `doing` names the call for logs and operators."""
    try:
        yield
    except ClientError as error:
        told = error.response.get("Error", {})
        code = told.get("Code", "")
        said = f"{doing}: KMS answered {code}"
        if code in _DAMAGED:
            raise Damaged(said) from error
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code in _BUSY or status >= 500 or status == 429:
            raise KeyServiceUnavailable(said) from error
        if (why := refusal(error)) is not None:
            said = f"{said}: {why.reason}"
        words = told.get("Message", "")[:200]
        raise KeyServiceRefused(f"{said}: {words}", why.remedy if why else "") from error
    except _TRANSIENT as error:
        raise KeyServiceUnavailable(f"{doing}: {type(error).__name__}") from error
    except BotoCoreError as error:
        raise KeyServiceRefused(f"{doing}: {type(error).__name__}") from error


def configured_keys(env: environ.Env) -> list[KmsMasterKey]:
    """The keys that `KMS_KEY_ID` names, in its order; none where it is not set.

    An ARN costs no request; an id or an alias is looked up. Raises ImproperlyConfigured,
    KeyServiceError.
    """
    keys = []
    services: dict[str, AwsKms] = {}
    for name in filter(None, re.split(r"[\s,]+", env.str("KMS_KEY_ID", default=""))):
        arn = _KEY_ARN.fullmatch(name)
        if arn is None and name.startswith("arn:") and ":alias/" not in name:
            raise ImproperlyConfigured(f"KMS_KEY_ID: {name} is not the ARN of a KMS key.")
        region = arn["region"] if arn else _region_of(env, name)
        service = services.setdefault(region, _service(env, region))
        keys.append(KmsMasterKey(service, name if arn else service.describe(name).arn))
    return keys


def _region_of(env: environ.Env, name: str) -> str:
    if name.startswith("arn:"):
        return name.split(":")[3]
    return str(
        env.str("KMS_REGION", default="") or env.str("AWS_DEFAULT_REGION", default="us-east-1")
    )


def _service(env: environ.Env, region: str) -> AwsKms:
    # Credentials of its own, for the store may be another one than AWS.
    own = env.str("KMS_ACCESS_KEY_ID", default="")
    secret_name = "KMS_SECRET_ACCESS_KEY" if own else "AWS_SECRET_ACCESS_KEY"
    return AwsKms(
        region,
        endpoint_url=endpoint(env, "KMS_ENDPOINT_URL"),
        aws_access_key_id=own or env.str("AWS_ACCESS_KEY_ID", default="") or None,
        aws_secret_access_key=optional_secret(env, secret_name),
        config=Config(
            connect_timeout=whole(env, "KMS_CONNECT_TIMEOUT", 3),
            read_timeout=whole(env, "KMS_READ_TIMEOUT", 5),
            retries={
                "mode": "standard",
                "total_max_attempts": whole(env, "KMS_MAX_ATTEMPTS", 3),
            },
            max_pool_connections=32,
            tcp_keepalive=True,
        ),
    )
