"""No page needs what the content policy forbids: the site's and the administration's, in use.

Each page here fails its test on a violation of the policy, an error on the console, or one in a
script; also where nobody would have noticed, as in a style that is not applied.
"""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Response, expect

from tests.browser.conftest import RunningSite, SignIn, through_the_page

WATCH = """addEventListener("securitypolicyviolation", (event) => violated(
  `${event.effectiveDirective} refused ${event.blockedURI || "inline"} on ${location.pathname}: `
  + event.sample));"""


@pytest.fixture
def watched(context: BrowserContext) -> Iterator[Page]:
    """A tab in which nothing may go wrong, in its popups neither."""
    complaints: list[str] = []
    context.expose_binding("violated", lambda _, text: complaints.append(text))
    context.add_init_script(WATCH)
    context.on(
        "console",
        lambda message: complaints.append(message.text) if message.type == "error" else None,
    )
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    yield context.new_page()
    assert complaints == []


def visit(page: Page, path: str) -> Response:
    response = page.goto(path)
    assert response is not None
    assert response.status == 200, path
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    return response


@pytest.fixture
def file_id(site: RunningSite) -> str:
    """A file of Alice's, stored by the vault itself."""
    return site.run(
        "from accounts.models import User\nfrom files.vault import storing\n"
        "alice = User.objects.get(username='alice')\n"
        "record = storing.store(alice, [b'content'], name='For the policy.txt')\n"
        "print('id', record.pk)\n"
    ).split()[-1]


def test_what_a_page_must_not_do_is_noticed(browser: Browser, site: RunningSite) -> None:
    """The watching itself can fail."""
    seen: list[str] = []
    with browser.new_context(base_url=site.url) as context:
        context.expose_binding("violated", lambda _, text: seen.append(text))
        context.add_init_script(WATCH)
        page = context.new_page()
        page.goto("/accounts/login/")
        page.evaluate(
            """new Promise((told) => {
                document.addEventListener("securitypolicyviolation", () => setTimeout(told));
                document.body.innerHTML = '<p style="color: red">odd</p>';
            })"""
        )
    assert [text for text in seen if text.startswith("style-src-attr refused inline")]


def test_the_sites_pages_keep_to_the_policy(watched: Page, file_id: str) -> None:
    for path in ("/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"):
        visit(watched, path)
    through_the_page(watched, "alice")
    for path in (
        "/files/",
        "/files/upload/",
        f"/files/{file_id}/",
        f"/files/{file_id}/delete/",
        "/accounts/password/change/",
        "/accounts/email/",
        "/accounts/logout/",
    ):
        visit(watched, path)
    watched.goto("/files/?q=policy")
    # By its address: other tests store files of the same name.
    watched.locator(f'th a[href="/files/{file_id}/"]').click()
    with watched.expect_download():
        watched.get_by_role("link", name="Download").click()


def test_the_administrations_lists_keep_to_the_policy(watched: Page, file_id: str) -> None:
    visit(watched, "/admin/login/")
    through_the_page(watched, "root")
    visit(watched, "/admin/")
    watched.locator("button.theme-toggle").first.click()
    visit(watched, "/admin/files/filerecord/?state=live&custody=managed")
    watched.locator("details.filter summary", has_text="Created at").click()
    watched.locator("#filters").get_by_role("link", name="Today").click()
    watched.locator("#searchbar").fill("policy")
    watched.locator("#changelist-search [type=submit]").click()
    watched.locator("#action-toggle").check()
    watched.locator("select[name=action]").select_option("delete_selected")
    watched.locator("#changelist .actions button").click()
    expect(watched.get_by_role("heading", level=1)).to_contain_text("Delete")
    visit(watched, "/admin/files/grant/?status=live")
    visit(watched, "/admin/accounts/user/?is_active__exact=1")
    visit(watched, "/admin/auth/group/")
    visit(watched, "/admin/audit/auditevent/?event=signed_in")
    watched.locator("#result_list tbody th a").first.click()
    expect(watched).to_have_url(re.compile(r"/admin/audit/auditevent/\d+/change/"))


def test_the_administrations_forms_keep_to_the_policy(
    watched: Page, sign_in: SignIn, file_id: str
) -> None:
    sign_in(watched, "root", to="")
    change = f"/admin/files/filerecord/{file_id}/change/"
    visit(watched, change)
    watched.locator("#grants-group .add-row a").click()
    row = watched.locator("#grants-0")
    # A person by autocompletion.
    row.locator(".field-user .select2-selection").click()
    watched.locator("input.select2-search__field").fill("bob")
    watched.locator(".select2-results__option", has_text="bob").click()
    row.locator(".field-starts_at input").fill("2026-01-01T00:00")
    row.locator(".field-expires_at input").fill("2099-12-31T23:59")
    watched.get_by_role("button", name="Save and continue editing").click()
    expect(watched.locator(".messagelist .success")).to_be_visible()
    expect(watched.locator("#grants-0 .field-shown_status")).to_contain_text("active")
    visit(watched, f"/admin/files/filerecord/{file_id}/history/")
    visit(watched, f"/admin/files/filerecord/{file_id}/delete/")
    expect(watched.get_by_role("heading", level=1)).to_contain_text("Delete")


def test_the_administration_of_people_keeps_to_the_policy(watched: Page, sign_in: SignIn) -> None:
    sign_in(watched, "root", to="")
    visit(watched, "/admin/accounts/user/?q=mallory")
    watched.locator("#result_list tbody th a").first.click()
    # Groups and permissions have two lists and arrows between them.
    expect(watched.locator("#id_groups_to")).to_be_visible()
    watched.locator("#id_user_permissions_input").fill("grant")
    watched.get_by_role("link", name="Reset password").click()
    expect(watched.get_by_role("heading", level=1)).to_contain_text("password")
    visit(watched, "/admin/auth/group/add/")
    visit(watched, "/admin/password_change/")
    # A popup gives what was made in it to the page that opened it.
    visit(watched, "/admin/files/grant/add/")
    with watched.expect_popup() as opened:
        watched.locator("#add_id_group").click()
    popup = opened.value
    popup.locator("#id_name").fill("Made in a popup")
    with popup.expect_event("close"):
        popup.locator("input[name=_save]").click()
    expect(watched.locator(".field-group .select2-selection")).to_contain_text("Made in a popup")
