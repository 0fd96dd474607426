"""Calls of the store at which a write fails, before or after the store has done its work."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

import pytest
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError

from tests.files.storage.objects import Hands

UNREACHABLE = EndpointConnectionError(endpoint_url="http://store")

LOST = ConnectionClosedError(endpoint_url="http://store")


@dataclass(frozen=True)
class Point:
    """A call of the store at which a write may fail."""

    operation: str
    first: int = 1
    # Who checks the object asks again when a connection breaks.
    times: int = 1

    def __str__(self) -> str:
        return f"{self.operation} {self.first}"


CHECK = Point("GetObject", times=3)

both = pytest.mark.parametrize("after", [False, True], ids=["before", "after"])


def failing(hands: Hands, point: Point, *, after: bool) -> AbstractContextManager[None]:
    return hands.failing(
        point.operation,
        LOST if after else UNREACHABLE,
        first=point.first,
        times=point.times,
        after=after,
    )
