"""Second factors as a person meets them: an app, and a passkey that signs in by itself."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import Page, expect

from tests.browser.conftest import PASSWORD, RunningSite, SignIn, plug_in_a_passkey


def _code(seed: str) -> str:
    return str(format_hotp_value(hotp_value(seed, int(time.time()) // 30)))


def test_an_authenticator_app(page: Page, site: RunningSite, sign_in: SignIn) -> None:
    site.members("carol")
    sign_in(page, "carol", to="/accounts/2fa/")
    page.get_by_role("link", name="Set up an app").click()
    expect(page.get_by_alt_text("The secret below, to be scanned")).to_be_visible()
    seed = page.locator("#authenticator_secret").text_content() or ""
    page.get_by_label("Authenticator code").fill(_code(seed))
    page.get_by_role("button", name="Switch it on").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    recovery = page.locator(".codes code").first.text_content() or ""

    page.get_by_role("group").get_by_text("carol").click()
    page.get_by_role("button", name="Sign out").click()
    page.fill("input[name=login]", "carol")
    page.fill("input[name=password]", PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="One more step")).to_be_visible()
    page.get_by_label("Code of your app, or a recovery code").fill(recovery)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/files/")


def test_a_passkey(page: Page, site: RunningSite) -> None:
    """Passkeys need a name: an address of numbers has none."""
    site.members("dave")
    home = f"http://localhost:{urlsplit(site.url).port}"
    plug_in_a_passkey(page)

    page.goto(f"{home}/accounts/login/?next=/accounts/2fa/webauthn/add/")
    page.fill("input[name=login]", "dave")
    page.fill("input[name=password]", PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_label("Sign in with it alone").check()
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()

    page.context.clear_cookies()
    page.goto(f"{home}/accounts/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url("**/files/")

    # With the password, the key is the second factor.
    page.context.clear_cookies()
    page.goto(f"{home}/accounts/login/")
    page.fill("input[name=login]", "dave")
    page.fill("input[name=password]", PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name="Use a passkey or security key").click()
    page.wait_for_url("**/files/")
