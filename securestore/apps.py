"""The site itself as an application: it has no models, only checks of its settings."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.contrib import admin
from django.contrib.admin import apps, checks
from django.core.checks import CheckMessage, Tags, register


class AdministrationConfig(apps.SimpleAdminConfig):
    """Django's administration on a site of ours, to which what is registered is closed at first.

    Its pages are loaded with the site's addresses, and where they are checked: a command has
    neither, and they take a fifth of its start.
    """

    default = False  # Not the one of this package.
    default_site = "securestore.administration.Site"

    def ready(self) -> None:
        register(checks.check_dependencies, Tags.admin)
        register(check_pages, Tags.admin)


def check_pages(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
    """Django's checks of the administration, of all that is registered there."""
    admin.autodiscover()
    return checks.check_admin_app(app_configs, **options)


class SecurestoreConfig(AppConfig):
    name = "securestore"
    verbose_name = "Securestore"

    def ready(self) -> None:
        from securestore import (
            checks,  # noqa: F401  registers the system checks
            model_names,
        )

        model_names.apply()
