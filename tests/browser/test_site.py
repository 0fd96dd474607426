"""The site as a person first meets it: served by `make run`, styled, and shut."""

from playwright.sync_api import Page, expect

from tests.browser.conftest import SignIn


def test_a_stranger_is_asked_to_sign_in(page: Page) -> None:
    page.goto("/")
    expect(page).to_have_url("/accounts/login/?next=/files/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_pages_are_styled_and_scripted_by_the_site_alone(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    response = page.goto("/accounts/login/")
    assert response is not None
    assert response.ok
    origin = page.url.split("/accounts/")[0]
    assert [url for url in asked if not url.startswith((origin, "data:"))] == []
    assert any("/static/vendor/pico.min." in url for url in asked)


def test_a_member_finds_an_empty_list_that_says_what_to_do_next(
    page: Page, sign_in: SignIn
) -> None:
    sign_in(page, "newcomer")
    expect(page.get_by_role("heading", name="No files yet")).to_be_visible()
    expect(page.get_by_role("button", name="Upload your first files")).to_be_visible()
