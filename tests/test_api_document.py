"""The schema and its page are what the code says: a change of the interface shows in the diff."""

from __future__ import annotations

import json

from django.test import Client

from tests.api_document import PAGE, SCHEMA, page_text, schema_text, written_by_hand

MADE = "run `make api`, and look at what has changed for clients"


def test_the_schema_that_is_committed_is_current() -> None:
    assert SCHEMA.read_text() == schema_text(), MADE


def test_the_page_is_made_of_it() -> None:
    assert PAGE.read_text() == page_text(written_by_hand()), MADE


def test_it_is_served_to_anybody(client: Client) -> None:
    answer = client.get("/api/v1/openapi.json")
    assert answer.status_code == 200
    assert answer.json() == json.loads(SCHEMA.read_text())
    assert answer.json()["openapi"].startswith("3.1")


def test_every_refusal_is_a_problem_with_a_code() -> None:
    document = json.loads(SCHEMA.read_text())
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            refused = {s: a for s, a in operation["responses"].items() if int(s) >= 400}
            assert {"400", "401", "403", "429", "503"} <= refused.keys(), (method, path)
            # The server itself refuses an address that is too long, before any program is asked.
            assert "content" not in refused.pop("414")
            assert ("411" in refused) == (method not in {"get", "head"}), (method, path)
            for answer in refused.values():
                assert list(answer["content"]) == ["application/problem+json"]
