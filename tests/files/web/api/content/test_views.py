"""Paths and methods of a file in one request, and who is let in at all."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import User
from files.models import FileRecord, Folder
from tests.files.web.api.callers import Caller, problem

pytestmark = pytest.mark.usefixtures("s3")


def test_a_path_that_is_a_folder(caller: Caller, cases: Folder) -> None:
    assert problem(caller.get("/content/cases")) == (409, "is_a_folder")
    assert problem(caller.put("/content/cases", b"x")) == (409, "is_a_folder")
    caller.put("/content/file", b"x")
    assert problem(caller.put("/content/file/a", b"x")) == (409, "not_a_folder")
    assert problem(caller.put("/content/file/a?parents=1", b"x")) == (409, "not_a_folder")
    assert problem(caller.get("/content/file/a")) == (404, "not_found")
    assert problem(caller.get("/content/nothing/a")) == (404, "not_found")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("a//b", "path_not_usable"),
        ("/a", "path_not_usable"),
        ("a/", "path_not_usable"),
        ("", "path_not_usable"),
        ("a%0A", "name_not_usable"),
        ("a/../b", "name_not_usable"),
        ("./b", "name_not_usable"),
        ("a%00b", "name_not_usable"),
        ("a%5Cb", "name_not_usable"),
        ("%20a", "name_not_usable"),
        ("e%CC%81", "name_not_usable"),
        ("a%FF", "path_not_usable"),
        ("x" * 300, "name_not_usable"),
        ("/".join("a" * 40), "too_deep"),
    ],
)
def test_paths_that_mean_no_one_thing(caller: Caller, path: str, code: str) -> None:
    for method in ("PUT", "GET"):
        answer = caller.ask(method, f"/content/{path}", b"x" if method == "PUT" else None)
        assert problem(answer) == (400, code)
    assert not FileRecord.objects.exists()


def test_the_right_name_is_told(caller: Caller) -> None:
    assert caller.put("/content/e%CC%81t%C3%A9", b"x").json()["name"] == "été"


def test_a_slash_that_was_written_as_none_is_refused(caller: Caller) -> None:
    """Where the server, or the proxy before it, tells what was asked for."""
    refused = caller.put("/content/a/b?parents=1", b"x", X_Original_URI="/api/v1/content/a%2fb")
    assert problem(refused) == (400, "path_not_usable")
    told = {"X_Original_URI": "/api/v1/content/a/b?parents=1&x=%2F"}
    assert caller.put("/content/a/b?parents=1", b"x", **told).status_code == 201


def test_other_methods_are_not_offered(caller: Caller, cases: Folder) -> None:
    for method in ("POST", "PATCH", "DELETE"):
        answer = caller.ask(method, "/content/a", b"")
        assert problem(answer) == (405, "method_not_allowed")
        assert answer["Allow"] == "GET, HEAD, PUT"


def test_no_cookie_opens_it(client: Client, alice: User) -> None:
    client.force_login(alice)
    for method in ("GET", "PUT"):
        answer = client.generic(method, "/api/v1/content/a", b"")
        assert problem(answer) == (401, "token_missing")
    assert answer["WWW-Authenticate"] == "Bearer"
