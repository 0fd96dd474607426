"""Browsers against the site as users run it: launched whole, with its own store and database.

No test here may touch the database in-process: the site's is another one, in another process.
People and grants are made as an administrator makes them, with `site.manage` or in the pages.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Protocol
from urllib.parse import urljoin, urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    sync_playwright,
)

from launcher import environment
from launcher.ports import LOOPBACK, free_port
from launcher.process import Child
from launcher.site import Site
from tests.browser.measuring import table
from tests.browser.shell import Shell
from tests.integration import prepared

ROOT = Path(__file__).parents[2]
PASSWORD = "correct horse battery staple"

OFF = [
    # What its driver switches off. Chromium heeds the last list alone, so they are here as well.
    *("AimEnabled", "AutoDeElevate", "AvoidCorsURLLoaderRestartOnRedirect"),
    *("AvoidUnnecessaryBeforeUnloadCheckSync", "BlockOriginHeaderModificationOnRedirect"),
    *("DestroyProfileOnBrowserClose", "DialMediaRouteProvider", "GlobalMediaControls"),
    *("HttpsUpgrades", "LensOverlay", "MediaRouter", "NetworkTimeServiceQuerying"),
    *("OptimizationHints", "PaintHolding", "ThirdPartyStoragePartitioning", "Translate"),
    # What drops down below the address: two pages of the window's own in a process of theirs, with
    # each tab. Nobody sees them, and they cost what the tab does.
    *("WebUIOmniboxPopup", "WebUIOmniboxAimPopup"),
]

# Chromium asks the internet for nothing: no updates, no field trials, no sync.
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--disable-features={','.join(OFF)}",
    # What pages run here is over before it has been compiled for the third and the fourth time, on
    # threads beside it: that took a tenth of the processor.
    "--js-flags=--no-maglev --no-turbofan",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests here measured: pages and what they cost, actions that a way takes."""
    reports = [one for all_of in terminalreporter.stats.values() for one in all_of]
    found = [
        (str(name), value)
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for name, value in report.user_properties
    ]
    if found:
        terminalreporter.section("measured in the browser")
        for line in table(found):
            terminalreporter.line(line)


@dataclass(frozen=True)
class RunningSite:
    """The site, and the command line of its installation."""

    url: str
    env_file: Path
    data: Path
    shell: Shell

    def manage(self, *command: str, stdin: str = "") -> str:
        """Run `manage.py` on the site's own installation; return what it printed."""
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *command],
            cwd=ROOT,
            env=site_environment(self.env_file),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run(self, code: str) -> str:
        """Run Python in the site's installation, with Django set up."""
        return self.shell.run(code)

    def members(self, *names: str) -> None:
        """Make members of these names, who can sign in as the others of the cast."""
        self.run(
            "from accounts.members import ensure_members_group\n"
            "from accounts.models import User\n"
            f"for name in {names!r}:\n"
            f"    user = User.objects.create_user(name, name + '@example.org', {PASSWORD!r})\n"
            "    user.groups.add(ensure_members_group())\n"
        )

    def let_members_share(self) -> None:
        """As an administrator does with the switch above the list of files."""
        self.run("from accounts import members\nmembers.let_share(on=True)\n")


def site_environment(env_file: Path) -> dict[str, str]:
    """What `make run` would start with: the file decides, not the configuration of the tests."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "SECURESTORE_ENV_FILE": str(env_file), "PYTHONUNBUFFERED": "1"}


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSite]:
    """The launcher's site, with an administrator `root` and the members alice, bob, mallory
    and newcomer, who has nothing."""
    folder = tmp_path_factory.mktemp("site")
    data, env_file, port = folder / "var", folder / "env", free_port()
    environment.create(env_file, root=ROOT, data=data)
    prepared.started_before(data)
    launcher = Child(
        "The launcher",
        [sys.executable, "-m", "launcher", "--port", str(port), "--data", data],
        env={
            **site_environment(env_file),
            "DJANGO_SUPERUSER_USERNAME": "root",
            "DJANGO_SUPERUSER_EMAIL": "root@example.org",
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
        },
        cwd=ROOT,
        log=folder / "launcher.log",
        grace=60,
    )
    shell = Shell(site_environment(env_file), folder)
    try:
        here = Site("127.0.0.1", port, ())
        launcher.wait_until(here.is_ready, seconds=280)
        running = RunningSite(here.url, env_file, data, shell)
        running.members("alice", "bob", "mallory", "newcomer")
        yield running
    finally:
        shell.stop()
        launcher.stop()


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """What drives browsers; there can be one of it only."""
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """One Chromium: Debian's, or the one that CHROMIUM names."""
    # As root, which CI is, Chromium has no sandbox to put its pages in.
    flags = [*FLAGS, "--no-sandbox"] if os.geteuid() == 0 else FLAGS
    browser = playwright.chromium.launch(
        executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=flags
    )
    yield browser
    browser.close()


class Profile:
    """A browser's profile at the site, which tests use one after another.

    What it loaded of the site it still has, as that of anybody who was there before: to load and
    compile all of it again costs more than most tests. Tabs, cookies, what pages stored, and what
    they were allowed go with each test. What cannot be undone (scripts that every page begins with,
    bindings) is for a fresh profile: `context`.
    """

    def __init__(self, context: BrowserContext, site: RunningSite) -> None:
        self.context = context
        self.complaints: list[str] = []
        self._origins = (site.url, site.url.replace(LOOPBACK, "localhost"))

    def begin(self) -> Page:
        """A tab that finds nothing of what was before."""
        page = self.context.new_page()
        storage = self.context.new_cdp_session(page)
        for origin in self._origins:
            told = {"origin": origin.rstrip("/"), "storageTypes": "all"}
            storage.send("Storage.clearDataForOrigin", told)
        storage.detach()
        self.complaints.clear()
        return page

    def end(self) -> None:
        """Leave nothing, and tell of what the browser complained."""
        for page in self.context.pages:
            page.close()
        self.context.clear_cookies()
        self.context.clear_permissions()
        assert not self.complaints, self.complaints


def note_complaints(context: BrowserContext, complaints: list[str]) -> None:
    """Note each script or style that the policy blocks, and each error in a script."""
    context.on(
        "console",
        lambda message: (
            complaints.append(message.text) if "Content Security Policy" in message.text else None
        ),
    )
    context.on("weberror", lambda error: complaints.append(str(error.error)))


@pytest.fixture
def context(browser: Browser, site: RunningSite) -> Iterator[BrowserContext]:
    """A fresh profile at the site. A script or style that the policy blocks fails the test."""
    context = browser.new_context(base_url=site.url, locale="en-GB", timezone_id="UTC")
    context.set_default_timeout(15_000)
    complaints: list[str] = []
    note_complaints(context, complaints)
    yield context
    context.close()
    assert not complaints, complaints


@pytest.fixture(scope="session")
def page_profile(browser: Browser, site: RunningSite) -> Iterator[Profile]:
    """The profile of `page`."""
    with browser.new_context(base_url=site.url, locale="en-GB", timezone_id="UTC") as context:
        context.set_default_timeout(15_000)
        profile = Profile(context, site)
        note_complaints(context, profile.complaints)
        yield profile


@pytest.fixture
def page(page_profile: Profile) -> Iterator[Page]:
    """A tab of nobody's: not signed in. What the policy blocks fails the test."""
    yield page_profile.begin()
    page_profile.end()


@pytest.fixture(scope="session")
def plain_profile(browser: Browser, site: RunningSite) -> Iterator[Profile]:
    """The profile of `plain`."""
    with browser.new_context(base_url=site.url, java_script_enabled=False) as context:
        profile = Profile(context, site)

        def note(message: ConsoleMessage) -> None:
            if message.type == "error":
                profile.complaints.append(message.text)

        context.on("console", note)
        yield profile


@pytest.fixture
def plain(plain_profile: Profile) -> Iterator[Page]:
    """A tab in which no script runs. Whatever the browser complains about fails the test."""
    yield plain_profile.begin()
    plain_profile.end()


@pytest.fixture(scope="session")
def unwatched_profile(browser: Browser, site: RunningSite) -> Iterator[Profile]:
    """The profile of `unwatched`."""
    with browser.new_context(base_url=site.url) as context:
        yield Profile(context, site)


@pytest.fixture
def unwatched(unwatched_profile: Profile) -> Iterator[Page]:
    """A tab that may try what the policy blocks."""
    yield unwatched_profile.begin()
    unwatched_profile.end()


def plug_in_a_passkey(page: Page) -> None:
    """Give the tab a device that makes passkeys, and answers for its owner by itself (Chromium)."""
    devices = page.context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def through_the_page(page: Page, name: str) -> None:
    """Sign a person of the cast in, as people do."""
    page.goto("/accounts/login/")
    page.fill("input[name=login]", name)
    page.fill("input[name=password]", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url("**/files/**")


SESSIONS_OF = """
from importlib import import_module
from django.conf import settings
from django.contrib.auth import login
from django.http import HttpRequest
from accounts.models import User

user = User.objects.get(username={name!r})
for _ in range({count}):
    request = HttpRequest()
    request.META = {{"REMOTE_ADDR": {address!r}, "HTTP_USER_AGENT": {agent!r}}}
    request.session = import_module(settings.SESSION_ENGINE).SessionStore()
    login(request, user, settings.AUTHENTICATION_BACKENDS[0])
    request.session.save()
    print("session", request.session.session_key)
"""
"""Signs in as the page does once the password was right, and prints what the cookies hold."""

AT_ONCE = 4
FRESH = 60
"""Seconds for which a session counts as just begun, which some pages ask for."""


class SignIn(Protocol):
    def __call__(self, page: Page, name: str, *, to: str = "/files/") -> None:
        """Have that person signed in in the page's browser, and go there; nowhere for ``""``."""


class Sessions:
    """Sessions of people who have signed in, each for one test: a few are begun at once."""

    def __init__(self, site: RunningSite) -> None:
        self._site = site
        self._waiting: dict[str, list[tuple[str, float]]] = {}

    def of(self, name: str, agent: str) -> str:
        """The cookie of a session of that person's, in a browser that calls itself `agent`."""
        now = time.monotonic()
        waiting = self._waiting.setdefault(f"{name} {agent}", [])
        waiting[:] = [(cookie, at) for cookie, at in waiting if now - at < FRESH]
        if not waiting:
            told = {"name": name, "count": AT_ONCE, "address": LOOPBACK, "agent": agent}
            printed = self._site.run(SESSIONS_OF.format(**told)).splitlines()
            begun = [line.split()[1] for line in printed if line.startswith("session ")]
            waiting += [(cookie, now) for cookie in begun]
        return waiting.pop()[0]


@pytest.fixture(scope="session")
def sessions_of(site: RunningSite) -> Sessions:
    """The sessions of everybody."""
    return Sessions(site)


@pytest.fixture(scope="session")
def sign_in(site: RunningSite, sessions_of: Sessions) -> SignIn:
    """Sign a person of the cast in, who did so before the test; see `through_the_page`."""

    def signed_in(page: Page, name: str, *, to: str = "/files/") -> None:
        cookie = sessions_of.of(name, page.evaluate("navigator.userAgent"))
        page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": site.url}])
        if to:
            page.goto(to)

    return signed_in


def downloaded(page: Page, address: str) -> bytes:
    """What the site sends to whoever is signed in there.

    Not through the browser: what drives it takes a second of a processor for every eight megabytes.
    """
    where = urlsplit(urljoin(page.url, address))
    cookies = page.context.cookies(where.geturl())
    told = "; ".join(f"{one['name']}={one['value']}" for one in cookies)
    with closing(HTTPConnection(where.netloc, timeout=60)) as connection:
        connection.request("GET", where.path, headers={"Cookie": told})
        answer = connection.getresponse()
        assert answer.status == 200, f"{answer.status} at {where.path}"
        return answer.read()
