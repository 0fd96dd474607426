"""Requests on both sides in Chromium: made, sent through with and without scripts, accepted."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.accessibility import wrong
from tests.browser.conftest import RunningSite, SignIn


@pytest.fixture(scope="module")
def rhea(site: RunningSite) -> str:
    """Somebody who may ask people outside, with a folder of theirs."""
    site.members("rhea")
    printed = site.run(
        "from django.contrib.auth.models import Permission\n"
        "from accounts.models import User\n"
        "from files.access.principals import Person\n"
        "from files.folders import making\n"
        "from files.tree import placing\n"
        "rhea = User.objects.get(username='rhea')\n"
        "rhea.user_permissions.add(Permission.objects.get(codename='add_request'))\n"
        "root = placing.root_of(rhea)\n"
        "made = making.create_folder(root, 'Applications', by=Person(rhea), actor=rhea)\n"
        "print('folder', made.pk)\n"
    )
    return printed.split("folder ", 1)[1].strip()


def test_asked_sent_and_accepted(
    page: Page, plain: Page, sign_in: SignIn, rhea: str, tmp_path: Path
) -> None:
    sign_in(page, "rhea", to=f"/folders/{rhea}/")
    page.get_by_role("link", name="Ask for files").click()
    page.get_by_label("What do you ask for?").fill("Your papers")
    page.get_by_label("Hold back what is sent until I accept it").check()
    page.get_by_role("button", name="Make the request").click()
    address = page.locator("[data-address]").inner_text()
    path = re.sub(r"^https?://[^/]+", "", address)

    # Without scripts, as somebody without an account.
    (tmp_path / "cv.txt").write_bytes(b"curriculum")
    plain.goto(path)
    expect(plain.get_by_role("heading", name="Your papers")).to_be_visible()
    plain.get_by_label("Your name").fill("Ann")
    plain.get_by_role("button", name="Go on").click()
    plain.get_by_label("Files").set_input_files(tmp_path / "cv.txt")
    plain.get_by_role("button", name="Send").click()
    expect(plain.get_by_role("heading", name="Thank you")).to_be_visible()
    expect(plain.locator("table")).to_contain_text(hashlib.sha256(b"curriculum").hexdigest())

    page.get_by_role("link", name="See what comes").click()
    expect(page.get_by_role("checkbox", name="cv.txt")).to_be_checked()
    page.get_by_role("button", name="Accept").click()
    expect(page.get_by_text("1 file accepted.")).to_be_visible()
    page.get_by_role("link", name="cv.txt").click()
    expect(page.get_by_text("From outside: Ann, through the request")).to_be_visible()


def test_with_scripts_it_resumes(page: Page, site: RunningSite, rhea: str) -> None:
    token = (
        site.run(
            "from accounts.models import User\n"
            "from files.access.principals import Person\n"
            "from files.models import Folder\n"
            "from files.sharing import requests\n"
            "rhea = User.objects.get(username='rhea')\n"
            f"folder = Folder.objects.get(pk='{rhea}')\n"
            "terms = requests.Terms('Large things')\n"
            "print('token', requests.make(folder, terms, by=Person(rhea), actor=rhea)[1])\n"
        )
        .split("token ", 1)[1]
        .strip()
    )
    page.goto(f"/r/{token}/")
    page.get_by_label("Your name").fill("Bea")
    page.get_by_role("button", name="Go on").click()
    assert not wrong(page)
    cut: list[str] = []

    def once(route: Route) -> None:
        if route.request.method == "PATCH" and not cut:
            cut.append(route.request.url)
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/uploads/*", once)
    content = bytes(range(256)) * 4096
    page.locator("input[name=files]").set_input_files(
        {"name": "large.bin", "mimeType": "application/octet-stream", "buffer": content}
    )
    expect(page.locator("#stored li")).to_contain_text("large.bin", timeout=30_000)
    assert cut
    assert page.locator("#stored a").count() == 0
    page.locator("#transfers").get_by_role("link", name="Receipt of what was sent").click()
    expect(page.locator("table")).to_contain_text("large.bin")
    assert not wrong(page)
