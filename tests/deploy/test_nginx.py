"""deploy/nginx.conf: whatever may take as long as its client goes to the pool for transfers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.urls import reverse

from securestore.transfer_limits import TRANSFERS

CONF = (Path(__file__).parents[2] / "deploy" / "nginx.conf").read_text()
LOCATION = re.compile(r"^ +location (?:(=|~) )?(\S+) \{(.*?)^        \}", re.MULTILINE | re.DOTALL)
ID = "01234567-89ab-4cde-8f01-23456789abcd"
TOKEN = "0123456789ABCDEFGHIJabcdefghij"
ARGUMENTS: dict[str, dict[str, str]] = {
    "upload": {"upload_id": ID},
    "files:download": {"file_id": ID},
    "files:reencrypt": {"file_id": ID},
    "files:version_download": {"file_id": ID, "version": ID},
    "folders:zip": {"folder_id": ID},
    "api:content": {"path": "Cases/12/report.pdf"},
    "api:folder_content": {"folder_id": ID, "path": "report.pdf"},
    "api:file_content": {"file_id": ID},
    "api:version_content": {"file_id": ID, "version": ID},
    "asked_send": {"token": TOKEN},
    "asked_uploads": {"token": TOKEN},
    "asked_upload": {"token": TOKEN, "upload_id": ID},
    "links:download": {"token": TOKEN},
    "links:file_download": {"token": TOKEN, "file_id": ID},
    "links:zip": {"token": TOKEN},
}
BOTH = {"admin:audit_auditevent_changelist", "files:read_by", "folders:read_by"}
"""Pages, whose export is one of their buttons."""


def pool(path: str) -> str:
    """The pool that nginx passes a path to (nginx.org, ngx_http_core_module, "location")."""
    found = LOCATION.findall(CONF)
    exact = [body for kind, where, body in found if kind == "=" and where == path]
    regular = [body for kind, where, body in found if kind == "~" and re.search(where, path)]
    begun = [one for one in found if not one[0] and path.startswith(one[1])]
    longest = max(begun, key=lambda one: len(one[1]))
    [body, *_] = [*exact, *regular, longest[2]]
    match = re.search(r"proxy_pass http://(\w+);", body)
    assert match is not None
    return match[1]


@pytest.mark.parametrize("route", sorted(set(TRANSFERS) - BOTH))
def test_what_may_take_long_goes_to_the_pool_for_transfers(route: str) -> None:
    assert pool(reverse(route, kwargs=ARGUMENTS.get(route, {}))) == "securestore_transfers"


@pytest.mark.parametrize("route", ["files:list", "shared", "healthz", "account_login"])
def test_pages_go_to_the_pool_for_pages(route: str) -> None:
    assert pool(reverse(route)) == "securestore_pages"


def test_no_page_of_a_file_or_folder_is_a_transfer() -> None:
    for name in ("files:detail", "files:versions"):
        assert pool(reverse(name, kwargs={"file_id": ID})) == "securestore_pages"
    assert pool(reverse("folders:detail", kwargs={"folder_id": ID})) == "securestore_pages"
