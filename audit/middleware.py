"""Gives every request its id and its audit context. Must be the outermost middleware.

The id is always our own: one that a client sent could repeat another's, or forge a line of a log.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from audit import context
from audit.client_addresses import client_address

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class RequestContextMiddleware:
    """Sets the context that `audit.record` reads, and the response header `X-Request-ID`."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request_id = uuid4().hex
        around = context.RequestContext.of(
            request, address=client_address(request), request_id=request_id
        )
        with context.active(around):
            response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response
