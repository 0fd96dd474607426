"""Why a store or a key service said no, and what to do about it: read from its answer in one place.

A wrong clock looks like wrong credentials to whoever is refused, an expired session like a wrong
key. The words here name no secret, and never repeat what the other side wrote.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from botocore.exceptions import ClientError

TOO_FAR = 900
"""Seconds between two clocks beyond which S3 refuses every request; the key service allows 300."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One sentence without its full stop, and one that says what to do."""

    reason: str
    remedy: str


_KEY = Refusal(
    "it does not know the access key",
    "See to AWS_ACCESS_KEY_ID (of a key service that has its own, KMS_ACCESS_KEY_ID).",
)
_SECRET = Refusal(
    "the secret key is not that of the access key",
    "See to AWS_SECRET_ACCESS_KEY (of a key service that has its own, KMS_SECRET_ACCESS_KEY); a "
    "proxy that alters requests looks the same.",
)
_EXPIRED = Refusal(
    "the session of the credentials has expired",
    "Renew AWS_SESSION_TOKEN and the two keys that belong to it, or use a role.",
)
_RIGHTS = Refusal(
    "the credentials are good, and lack a right",
    "Give their user or role the right, in its policy or in that of the bucket or key.",
)
_REGION = Refusal("it is of another region", "See to AWS_DEFAULT_REGION, and to the endpoint.")
_BUCKET = Refusal("there is no such bucket", "See to S3_BUCKET, or run `manage.py setup_vault`.")
_NO_MASTER_KEY = Refusal(
    "it has no such key in this region", "See to KMS_KEY_ID, and to KMS_REGION."
)
_ASLEEP = Refusal(
    "the key is disabled, or waits for its deletion", "Enable it there, or cancel its deletion."
)

_BY_CODE = {
    "AccessDenied": _RIGHTS,
    "AccessDeniedException": _RIGHTS,
    "AuthorizationHeaderMalformed": _REGION,
    "DisabledException": _ASLEEP,
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "IllegalLocationConstraintException": _REGION,
    "InvalidAccessKeyId": _KEY,
    "InvalidClientTokenId": _KEY,
    "InvalidSignatureException": _SECRET,
    "KMSInvalidStateException": _ASLEEP,
    "NoSuchBucket": _BUCKET,
    "NotFoundException": _NO_MASTER_KEY,
    "PermanentRedirect": _REGION,
    "SignatureDoesNotMatch": _SECRET,
    "TokenRefreshRequired": _EXPIRED,
    "UnrecognizedClientException": _KEY,
}
_BY_CLOCK = frozenset({"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"})
_PERHAPS_BY_CLOCK = frozenset(
    {"400", "403", "AccessDenied", "InvalidSignatureException", "SignatureDoesNotMatch"}
)
"""What some stores answer to a signature of another time; 403 is all that HEAD can tell."""


def refusal(error: ClientError) -> Refusal | None:
    """What is known of the reason; None where the code says all that there is."""
    told = error.response.get("Error", {})
    code, words = told.get("Code", ""), told.get("Message", "").lower()
    ahead = _seconds_ahead(error)
    if code in _BY_CLOCK or (
        # The key service's "Signature expired" and "Signature not yet current".
        code == "InvalidSignatureException" and ("expired" in words or "not yet" in words)
    ):
        return _wrong_clock(ahead)
    if code in _PERHAPS_BY_CLOCK and ahead is not None and abs(ahead) > TOO_FAR:
        return _wrong_clock(ahead)
    return _BY_CODE.get(code)


def has_no_words(error: ClientError) -> bool:
    """Whether it answers HEAD, which has no body (RFC 9110, 9.3.2), and so no code."""
    return error.response.get("Error", {}).get("Code", "").isdecimal()


def _seconds_ahead(error: ClientError) -> int | None:
    """How far this machine's clock is ahead of the other's, by the answer's `Date`."""
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        theirs = parsedate_to_datetime(headers["date"])
    except (KeyError, ValueError):
        return None
    if theirs.tzinfo is None:
        theirs = theirs.replace(tzinfo=UTC)
    return round((datetime.now(UTC) - theirs).total_seconds())


def _wrong_clock(ahead: int | None) -> Refusal:
    if ahead is None:
        how_far = "is wrong, or the other side's"
    else:
        how_far = f"is {abs(ahead):,} s {'ahead of' if ahead > 0 else 'behind'} the other side's"
    return Refusal(
        f"this machine's clock {how_far}",
        "Let a time service (NTP) set the clock. The credentials are not the matter.",
    )
