"""botocore's shortcuts: what a call returns and asks is what it was, but for the work."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.config import Config
from botocore.parsers import RestXMLParser
from botocore.session import get_session
from botocore.utils import parse_timestamp
from hypothesis import given
from hypothesis import strategies as st

from files.storage import EncryptedS3Storage
from files.storage.shortcuts import AnswerParser, AnswerParsers, KeptEndpoints, moment, shorten

moments = st.datetimes(
    min_value=datetime(1970, 1, 2),  # noqa: DTZ001 - hypothesis wants naive bounds
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@given(when=moments)
def test_moments_are_those_that_botocore_reads(when: datetime) -> None:
    in_header = format_datetime(when.replace(microsecond=0), usegmt=True)
    milliseconds = when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03}Z"
    for text in (in_header, milliseconds, when.isoformat(), when.strftime("%Y-%m-%dT%H:%M:%SZ")):
        read = moment(text)
        assert read == parse_timestamp(text), text
        assert read.utcoffset() == parse_timestamp(text).utcoffset()


@pytest.mark.parametrize(
    "text",
    ["1764540000", "1764540000.5", 1764540000, "20261130", "2026-11-30T22:00:00", "Nov 2026"],
)
def test_what_is_written_otherwise_goes_to_botocore(text: Any) -> None:
    assert moment(text) == parse_timestamp(text)


@pytest.mark.parametrize("text", ["", "-1", "0", "soon GMT", "2026-13-45T99:00:00Z"])
def test_what_botocore_refuses_is_refused(text: str) -> None:
    try:
        expected: object = parse_timestamp(text)
    except (ValueError, RuntimeError) as error:
        expected = type(error)
    try:
        found: object = moment(text)
    except (ValueError, RuntimeError) as error:
        found = type(error)
    assert found == expected


@cache
def operation(name: str) -> Any:
    """The model of an operation of S3."""
    return get_session().get_service_model("s3").operation_model(name)


BODIES = {
    "PutObject": b"",
    "GetObject": b"the bytes",
    "HeadObject": b"",
    "CreateMultipartUpload": b"<R><Bucket>b</Bucket><UploadId>u</UploadId></R>",
    "UploadPart": b"",
    "CompleteMultipartUpload": b"<R><ETag>e</ETag><Key>k</Key></R>",
    "ListObjectsV2": (
        b"<R><Contents><Key>k</Key><Size>7</Size>"
        b"<LastModified>2026-11-30T22:00:00.000Z</LastModified></Contents></R>"
    ),
    "AbortMultipartUpload": b"",
}
VALUES = {"timestamp": "Mon, 30 Nov 2026 22:00:00 GMT", "boolean": "true", "list": "a, b"}


def headers_of(name: str) -> dict[str, str]:
    """All headers that an answer to an operation may have, with values of their kinds."""
    members = operation(name).output_shape.members
    return {
        member.serialization.get("name", key): VALUES.get(member.type_name, "7")
        for key, member in members.items()
        if member.serialization.get("location") == "header"
    }


@pytest.mark.parametrize("name", BODIES)
@given(data=st.data())
def test_an_answer_is_read_as_botocore_reads_it(name: str, data: st.DataObject) -> None:
    possible = headers_of(name)
    has = data.draw(st.sets(st.sampled_from(sorted(possible)))) if possible else set()
    spelt: Any = data.draw(st.sampled_from([str, str.lower, str.upper]))
    headers = HeadersDict({spelt(header): possible[header] for header in has})
    headers["x-amz-meta-Owner"] = "nobody"
    headers["X-Unknown"] = "what nobody asks for"
    headers["x-amz-request-id"] = "an id"
    answer = {"headers": headers, "status_code": 200, "body": BODIES[name], "context": {}}
    shape = operation(name).output_shape
    parser = AnswerParser(timestamp_parser=moment)
    for _ in range(2):  # The second time with what was kept of the first.
        assert parser.parse(answer, shape) == RestXMLParser().parse(answer, shape)


def test_a_refusal_is_read_as_botocore_reads_it() -> None:
    body = b"<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>"
    answer = {"headers": HeadersDict(), "status_code": 404, "body": body, "context": {}}
    shape = operation("GetObject").output_shape
    read = AnswerParser(timestamp_parser=moment).parse(answer, shape)
    assert read == RestXMLParser().parse(answer, shape)
    assert read["Error"]["Code"] == "NoSuchKey"


def test_other_protocols_have_botocores_own_parsers() -> None:
    parsers = AnswerParsers()
    assert parsers.create_parser("rest-xml") is parsers.create_parser("rest-xml")
    assert not isinstance(parsers.create_parser("json"), RestXMLParser)


# --- Where a request goes -----------------------------------------------------------------------

Answers = Callable[[AWSPreparedRequest], tuple[int, dict[str, str], bytes]]


def client(answers: Answers, *, short: bool = True) -> Any:
    """A client that asks nobody but `answers`."""
    made: Any = boto3.client(
        "s3",
        endpoint_url="http://127.0.0.1:9",
        region_name="us-east-1",
        aws_access_key_id="name",
        aws_secret_access_key="secret",
        config=Config(s3={"addressing_style": "path"}, retries={"mode": "standard"}),
    )
    if short:
        shorten(made)

    def answer(request: AWSPreparedRequest, **_: object) -> Any:
        status, headers, body = answers(request)
        empty: Any = None
        found: Any = AWSResponse(request.url, status, HeadersDict(headers), empty)  # type: ignore[arg-type]
        found._content = body
        return found

    made.meta.events.register("before-send.s3", answer)
    return made


def counted(made: Any) -> list[str]:
    """The operations that botocore works an endpoint out for, from now on."""
    asked: list[str] = []
    made.meta.events.register(
        "before-endpoint-resolution.s3", lambda model, **_: asked.append(model.name)
    )
    return asked


def test_requests_go_where_they_went_and_it_is_worked_out_once() -> None:
    urls: dict[bool, list[str]] = {True: [], False: []}
    for short, seen in urls.items():

        def note(request: AWSPreparedRequest, seen: list[str] = seen) -> Any:
            seen.append(f"{request.method} {request.url}")
            return 200, {"ETag": '"e"'}, b""

        made = client(note, short=short)
        asked = counted(made)
        for bucket in ("one", "two"):
            for key in ("aa/bb", "ä c", "aa/bb"):
                made.put_object(Bucket=bucket, Key=key, Body=b"x")
                made.head_object(Bucket=bucket, Key=key)
        made.list_buckets()
        if short:
            # An operation and a bucket each.
            assert sorted(asked) == ["HeadObject"] * 2 + ["ListBuckets"] + ["PutObject"] * 2
    assert urls[True] == urls[False]
    assert len(set(urls[True])) == 9


def test_a_bucket_that_is_in_another_region_is_asked_there_from_then_on() -> None:
    regions: list[str] = []

    def answers(request: AWSPreparedRequest) -> tuple[int, dict[str, str], bytes]:
        signed = request.headers["Authorization"]
        signed = signed.decode() if isinstance(signed, bytes) else signed
        regions.append("eu-west-1" if "/eu-west-1/" in signed else "us-east-1")
        if regions[-1] == "eu-west-1":
            return 200, {}, b""
        code = b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>"
        return 400, {}, code

    made = client(answers)
    for _ in range(2):
        made.put_object(Bucket="one", Key="k", Body=b"x")
    assert regions == ["us-east-1", "eu-west-1", "eu-west-1"]


def test_what_else_the_resolver_can_do_it_still_does() -> None:
    made = client(lambda request: (200, {}, b""))
    resolver = made._ruleset_resolver
    assert isinstance(resolver, KeptEndpoints)
    assert resolver.auth_schemes_to_signing_ctx([{"name": "sigv4", "signingName": "s3"}])


def test_how_often_it_was_tried_is_told_to_aws_alone() -> None:
    told: dict[bool, bool] = {}
    for short in (True, False):

        def note(request: AWSPreparedRequest, short: bool = short) -> Any:
            told[short] = any(name.lower().startswith("amz-sdk") for name in request.headers)
            return 200, {}, b""

        client(note, short=short).put_object(Bucket="one", Key="k", Body=b"x")
    assert told == {True: False, False: True}


@pytest.mark.parametrize("endpoint_url", [None, "http://127.0.0.1:9"])
def test_the_storages_client_takes_them(endpoint_url: str | None) -> None:
    storage = EncryptedS3Storage(
        bucket_name="b",
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        access_key="name",
        secret_key="secret",
    )
    made: Any = storage.client
    parser = made._endpoint._response_parser_factory.create_parser("rest-xml")
    assert isinstance(parser, AnswerParser)
    # At AWS a bucket may be in a region that nobody has configured.
    assert isinstance(made._ruleset_resolver, KeptEndpoints) is (endpoint_url is not None)
