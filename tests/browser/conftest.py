"""Browsers against the site as users run it: launched whole, with its own store and database.

No test here may touch the database in-process: the site's is another one, in another process.
People and grants are made as an administrator makes them, with `site.manage` or in the pages.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

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
from launcher.ports import free_port
from launcher.process import Child
from launcher.site import Site
from tests.browser.measuring import table
from tests.browser.shell import Shell
from tests.integration import prepared

ROOT = Path(__file__).parents[2]
PASSWORD = "correct horse battery staple"

# Chromium asks the internet for nothing: no updates, no field trials, no sync.
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
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
    prepared.database(data / "db.sqlite3")
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


@pytest.fixture
def context(browser: Browser, site: RunningSite) -> Iterator[BrowserContext]:
    """A fresh profile at the site. A script or style that the policy blocks fails the test."""
    context = browser.new_context(base_url=site.url, locale="en-GB", timezone_id="UTC")
    context.set_default_timeout(15_000)
    complaints: list[str] = []
    context.on(
        "console",
        lambda message: (
            complaints.append(message.text) if "Content Security Policy" in message.text else None
        ),
    )
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    yield context
    context.close()
    assert not complaints, complaints


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A tab of nobody's: not signed in."""
    return context.new_page()


@pytest.fixture
def plain(browser: Browser, site: RunningSite) -> Iterator[Page]:
    """A tab in which no script runs. Whatever the browser complains about fails the test."""
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    with browser.new_context(base_url=site.url, java_script_enabled=False) as context:
        context.on("console", note)
        yield context.new_page()
    assert complaints == []


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


@pytest.fixture
def sign_in() -> Callable[[Page, str], None]:
    """Sign a person of the cast in, through the page."""

    def through_the_page(page: Page, name: str) -> None:
        page.goto("/accounts/login/")
        page.fill("input[name=login]", name)
        page.fill("input[name=password]", PASSWORD)
        page.click("main button[type=submit]")
        page.wait_for_url("**/files/**")

    return through_the_page
