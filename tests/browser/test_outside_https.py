"""The forms of people outside through the shipped proxy, over TLS, in Chromium.

Their pages tell nobody where somebody came from: the address is the whole right to come. The check
of forms goes by `Origin` and `Referer` all the same, and over TLS it looks at them more closely.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright, Request, expect

from launcher.ports import LOOPBACK
from tests.browser.conftest import FLAGS
from tests.browser.test_pages import written
from tests.conftest import Weed
from tests.integration.deployment import HOST, Address, Deployment, Visitor, people, token_in

pytestmark = pytest.mark.browser

MADE = """
from django.contrib.auth.models import Permission
from accounts.models import User
from files.access.principals import Person
from files.sharing import requests
from files.sharing.links import making
from files.tree import placing
from files.vault import storing
from files.vault.destinations import Destination
owner = User.objects.get(username="visitor")
owner.user_permissions.add(*Permission.objects.filter(codename__in=["add_link", "add_request"]))
owner = User.objects.get(pk=owner.pk)
case = placing.add_folder(placing.root_of(owner), "Case", added_by=owner)
storing.store(owner, [b"plan" * 99], name="Plan.txt", destination=Destination(case))
terms = making.Terms(password="open sesame")
print(making.path_of(making.make(case, terms, actor=owner).text))
asked = requests.Terms("Your papers")
print("/r/" + requests.make(case, asked, by=Person(owner), actor=owner)[1] + "/")
"""


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, weed: Weed) -> Iterator[Deployment]:
    deployment = Deployment(tmp_path_factory.mktemp("outside"), weed, servers=1)
    with deployment.running():
        people(deployment.installation, 0)
        yield deployment


@pytest.fixture(scope="module")
def addresses(deployment: Deployment) -> tuple[str, str]:
    """The paths of a link to a folder, with a password, and of a request."""
    link, asked = deployment.installation.python(MADE)
    return link, asked


@pytest.fixture(scope="module")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """One that finds the site by its name, as the proxy wants to be asked."""
    flags = [*FLAGS, f"--host-resolver-rules=MAP {HOST} {LOOPBACK}", "--no-sandbox"]
    path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    browser = playwright.chromium.launch(executable_path=path, args=flags)
    yield browser
    browser.close()


@pytest.fixture(params=[True, False], ids=["with scripts", "without"])
def outside(
    chromium: Browser, deployment: Deployment, request: pytest.FixtureRequest
) -> Iterator[BrowserContext]:
    """Somebody's browser; no request of it says where it came from but by the site's own name."""
    context = chromium.new_context(
        base_url=f"https://{HOST}:{deployment.port}",
        ignore_https_errors=True,
        java_script_enabled=request.param,
    )
    context.set_default_timeout(60_000)
    told: list[str] = []

    def note(sent: Request) -> None:
        headers = sent.all_headers()
        told.extend(headers[name] for name in ("referer", "origin") if name in headers)

    context.on("requestfinished", note)
    yield context
    context.close()
    assert told
    # Scripts tell from which of them they come, and that has no secret.
    assert not [one for one in told if urlsplit(one).path.startswith(("/l/", "/r/"))]


def test_a_link_is_opened_and_fetched(outside: BrowserContext, addresses: tuple[str, str]) -> None:
    page = outside.new_page()
    page.goto(addresses[0])
    page.get_by_label("Password").fill("open sesame")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("heading", name="Case")).to_be_visible()
    assert all(one["secure"] for one in outside.cookies())
    page.get_by_role("link", name="Download all as ZIP").click()
    with page.expect_download() as begun:
        page.get_by_role("button", name="Download").click()
    assert begun.value.suggested_filename == "Case.zip"
    page.goto(addresses[0])
    page.get_by_role("link", name="Plan.txt", exact=True).click()
    with page.expect_download() as begun:
        page.get_by_role("link", name="Download").click()
    assert Path(begun.value.path()).read_bytes() == b"plan" * 99


def test_files_are_sent_and_a_receipt_is_given(
    outside: BrowserContext, addresses: tuple[str, str], tmp_path: Path
) -> None:
    page = outside.new_page()
    page.goto(addresses[1])
    page.get_by_label("Your name").fill("Ann")
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Files").set_input_files(written(tmp_path, "Letter.txt", 5000))
    if page.locator("html").evaluate("() => matchMedia('(scripting: enabled)').matches"):
        expect(page.locator("#stored li")).to_contain_text("Letter.txt", timeout=60_000)
        page.goto(f"{addresses[1]}receipt/")
    else:
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    expect(page.locator("table")).to_contain_text("Letter.txt")


def test_a_form_of_another_site_is_refused(
    deployment: Deployment, addresses: tuple[str, str]
) -> None:
    """Neither its cookies nor the token of the form help it."""
    for origin in ("https://evil.example", "null", f"http://{HOST}"):
        visitor = Visitor(Address(deployment.port, HOST, deployment.context))
        _, _, page = visitor.ask("GET", addresses[0])
        fields = {"csrfmiddlewaretoken": token_in(page), "password": "open sesame"}
        body = urlencode(fields).encode()
        headers = {"Origin": origin, "Content-Type": "application/x-www-form-urlencoded"}
        assert visitor.ask("POST", addresses[0], body, **headers)[0] == 403, origin
