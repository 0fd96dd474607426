"""The way into the administration: the site's sign-in, and no guessing of passwords."""

from __future__ import annotations

from django.test import Client
from django.urls import reverse

from accounts.models import User


def test_the_admin_has_no_sign_in_of_its_own(client: Client, root: User, password: str) -> None:
    """Its page counts no guesses; the site's does."""
    door = reverse("admin:login")
    answer = client.post(door, {"username": "root", "password": password})
    assert answer["Location"].startswith(reverse("account_login"))
    assert "_auth_user_id" not in client.session


def test_people_without_business_in_the_admin_are_told(client: Client, alice: User) -> None:
    client.force_login(alice)
    assert client.get(reverse("admin:index"), follow=True).status_code == 403


def test_the_old_password_is_not_guessed_in_the_admin(
    client: Client, root: User, password: str
) -> None:
    client.force_login(root)
    page = reverse("admin:password_change")
    assert client.get(page).status_code == 200
    new = dict.fromkeys(("new_password1", "new_password2"), "quite another password")
    for _ in range(5):
        assert client.post(page, {"old_password": "wrong", **new}).status_code == 200
    answer = client.post(page, {"old_password": password, **new})
    assert (answer.status_code, b"Try again in 5 minutes" in answer.content) == (429, True)
    root.refresh_from_db()
    assert root.check_password(password)
