"""Every request has an id of its own, and its events say who made it and from where."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.test import Client, RequestFactory

import audit
from accounts.models import User
from audit import Event, context
from audit.middleware import RequestContextMiddleware
from audit.models import AuditEvent


def request(user: User | AnonymousUser | None = None) -> HttpRequest:
    made = RequestFactory().get("/", headers={"User-Agent": "curl/8"}, REMOTE_ADDR="192.0.2.7")
    if user is not None:
        made.user = user
    return made


@pytest.mark.django_db
def test_an_event_says_who_and_from_where(alice: User) -> None:
    def view(request: HttpRequest) -> HttpResponseBase:
        audit.record(Event.FILE_DELETED)
        return HttpResponse()

    response = RequestContextMiddleware(view)(request(alice))
    event = AuditEvent.objects.get()
    assert (event.actor_id, event.actor_name) == (alice.pk, "alice")
    assert (event.address, event.user_agent) == ("192.0.2.7", "curl/8")
    assert event.request_id == response["X-Request-ID"] != ""


@pytest.mark.parametrize("user", [None, AnonymousUser()])
def test_nobody_is_nobody(user: AnonymousUser | None) -> None:
    seen: list[context.Context] = []

    def view(request: HttpRequest) -> HttpResponseBase:
        seen.append(context.current())
        return HttpResponse()

    RequestContextMiddleware(view)(request(user))
    assert (seen[0].actor_id, seen[0].actor_name) == (None, "")


@pytest.mark.django_db
def test_a_stream_records_with_the_context_that_its_view_captured(alice: User) -> None:
    def view(request: HttpRequest) -> HttpResponseBase:
        captured = audit.capture()

        def body() -> Iterator[bytes]:
            yield b"frame"
            with captured:
                audit.record(Event.FILE_DOWNLOADED, bytes=5)

        return StreamingHttpResponse(body())

    response = RequestContextMiddleware(view)(request(alice))
    assert not AuditEvent.objects.exists()
    assert isinstance(response, StreamingHttpResponse)
    assert response.getvalue() == b"frame"
    event = AuditEvent.objects.get()
    assert (event.actor_name, event.address) == ("alice", "192.0.2.7")
    assert event.request_id == response["X-Request-ID"]
    assert context.current() == context.Context()


def test_ids_are_our_own_and_new_each_time(client: Client) -> None:
    sent = "0123456789abcdef0123456789abcdef"
    ids = {client.get("/healthz", headers={"X-Request-ID": sent})["X-Request-ID"] for _ in range(3)}
    assert len(ids) == 3
    assert sent not in ids


def test_also_a_refused_request_has_an_id(client: Client) -> None:
    response = client.get("/healthz", headers={"Host": "elsewhere.example"})
    assert response.status_code in {200, 400}
    assert response["X-Request-ID"]
