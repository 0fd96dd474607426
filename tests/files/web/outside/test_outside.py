"""What leads nowhere is one page, the same to the byte, and asks nothing of who comes."""

from __future__ import annotations

import pytest
from django.template.loader import render_to_string
from django.test import Client, RequestFactory

from accounts.models import User
from files.web.outside import over


def test_it_is_the_same_for_everybody_and_names_whom_to_tell(settings: object) -> None:
    settings.ABUSE_CONTACT = "abuse@example.org"  # type: ignore[attr-defined]
    pages = [over(RequestFactory().get(f"/l/{path}/")) for path in ("a", "b")]
    assert pages[0].content == pages[1].content
    assert {page.status_code for page in pages} == {404}
    assert b'href="mailto:abuse@example.org"' in pages[0].content
    for of_accounts in (b"/accounts/", b"/files/", b'href="/"'):
        assert of_accounts not in pages[0].content


@pytest.mark.django_db
def test_nobody_is_signed_in_there(client: Client, alice: User) -> None:
    client.force_login(alice)
    answer = client.get("/l/nowhere/at/all")
    assert answer["Referrer-Policy"] == "no-referrer"
    assert answer["X-Robots-Tag"] == "noindex, nofollow"
    assert b"alice" not in answer.content
    assert client.get("/nowhere")["Referrer-Policy"] == "same-origin"


def test_without_a_contact_the_footer_names_none() -> None:
    assert "Report misuse" not in render_to_string("outside/over.html")
