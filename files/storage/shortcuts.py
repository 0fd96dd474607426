"""What botocore works out anew for each request and each answer, and need not.

A small file is two requests, and of a web process's work for it botocore had nearly half. Here
answers are read by the headers that they have, in the place of all that they might have, and where
a request goes is worked out once. Nothing that botocore does for a request is left out: it is
signed, tried again and checked as ever. Must never change what a call returns, nor keep anything of
one but where it went.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.handlers import add_retry_headers
from botocore.model import Shape
from botocore.parsers import ResponseParserFactory, RestXMLParser
from botocore.utils import parse_timestamp

Members = dict[str, Shape]


def moment(text: Any) -> datetime:
    """A moment of an answer, of a header (RFC 9110, 5.6.7) or of XML (ISO 8601), with its zone.

    What is neither goes to botocore, which takes whatever looks like a time. Raises ValueError.
    """
    if isinstance(text, str):
        with suppress(ValueError):
            found = datetime.fromisoformat(text) if text[10:11] == "T" else _in_header(text)
            if found.tzinfo is not None:
                return found
    return parse_timestamp(text)


def _in_header(text: str) -> datetime:
    if text[-4:] != " GMT":
        raise ValueError("no date of a header")
    return parsedate_to_datetime(text)


class AnswerParser(RestXMLParser):
    """botocore's own, but that it looks an answer's headers up among the members, and not all
    members among the headers: a GET has 40 and its answer ten."""

    def __init__(self, **defaults: Any) -> None:
        super().__init__(**defaults)
        self._sorted: dict[Shape, tuple[dict[str, Members], Members]] = {}

    def _parse_non_payload_attrs(
        self,
        response: Mapping[str, Any],
        shape: Shape,
        member_shapes: Mapping[str, Shape],
        final_parsed: MutableMapping[str, Any],
    ) -> None:
        sorted_out = self._sorted.get(shape)
        if sorted_out is None:
            sorted_out = self._sorted[shape] = _by_header(member_shapes)
        by_header, others = sorted_out
        for header, value in response["headers"].items():
            for name, member in by_header.get(header.lower(), {}).items():
                final_parsed[name] = self._parse_shape(member, value)  # type: ignore[attr-defined]
        super()._parse_non_payload_attrs(response, shape, others, final_parsed)  # type: ignore[misc]


def _by_header(members: Mapping[str, Shape]) -> tuple[dict[str, Members], Members]:
    """The members that are headers, by these in small letters; and all others."""
    by_header: dict[str, Members] = {}
    others: Members = {}
    for name, member in members.items():
        if member.serialization.get("location") == "header":
            header = member.serialization.get("name", name).lower()
            by_header.setdefault(header, {})[name] = member
        else:
            others[name] = member
    return by_header, others


class AnswerParsers(ResponseParserFactory):
    """Makes the parser of a client's answers: one, for it keeps nothing of an answer."""

    def __init__(self) -> None:
        super().__init__()
        self.set_parser_defaults(timestamp_parser=moment)
        self._parser = AnswerParser(timestamp_parser=moment)

    def create_parser(self, protocol_name: str) -> Any:
        """That one for S3's protocol, botocore's for any other."""
        if protocol_name == "rest-xml":
            return self._parser
        return super().create_parser(protocol_name)


class KeptEndpoints:
    """In the place of botocore's resolver, for a client whose endpoint is configured.

    Where a request goes then follows from its operation and its bucket alone: an object's name is
    in none of the rules. Unless a store says that a bucket is in another region than the configured
    one: botocore then asks again while it tries again, and from there on nothing is kept.
    """

    def __init__(self, resolver: Any) -> None:
        self._resolver = resolver
        self._kept: dict[tuple[str, object], Any] = {}
        self._may_keep = True

    def construct_endpoint(self, operation_model: Any, call_args: Any, request_context: Any) -> Any:
        """As botocore's own; its answer is not to be changed."""
        if "retries" in request_context:
            self._may_keep = False
        key = (operation_model.name, call_args.get("Bucket"))
        if self._may_keep and (kept := self._kept.get(key)) is not None:
            return kept
        found = self._resolver.construct_endpoint(
            operation_model=operation_model, call_args=call_args, request_context=request_context
        )
        if self._may_keep:
            self._kept[key] = found
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._resolver, name)


def shorten(client: Any) -> None:
    """Take the shortcuts of a new client whose endpoint is configured.

    Neither does it tell in each request how often it was tried: AWS reads these headers, other
    stores do not.
    """
    client._ruleset_resolver = KeptEndpoints(client._ruleset_resolver)
    client.meta.events.unregister("request-created", add_retry_headers)
