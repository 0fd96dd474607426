"""What is loaded with the site itself."""

from __future__ import annotations

from unittest.mock import Mock, call

import pytest
from django.contrib import admin
from django.contrib.admin import checks as django_checks
from django.core.checks import Error, Tags, registry

from securestore import apps


def test_the_administration_is_checked_by_django_whatever_was_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A command loads none of its pages, so the check itself does, before Django looks."""
    done = Mock()
    done.check.return_value = [Error("a page is wrong", id="admin.E000")]
    monkeypatch.setattr(admin, "autodiscover", done.load)
    monkeypatch.setattr(django_checks, "check_admin_app", done.check)
    assert apps.check_pages(None, databases=["default"]) == done.check.return_value
    assert done.mock_calls == [call.load(), call.check(None, databases=["default"])]


def test_both_of_its_checks_are_made() -> None:
    made = {check for check in registry.registry.get_checks() if Tags.admin in check.tags}
    assert {django_checks.check_dependencies, apps.check_pages} <= made
