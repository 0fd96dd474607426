"""The site itself as an application: it has no models, only checks of its settings."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin


class AdministrationConfig(admin.AdminConfig):
    """Django's administration on a site of ours, to which what is registered is closed at first."""

    default = False  # Not the one of this package.
    default_site = "securestore.administration.Site"


class SecurestoreConfig(AppConfig):
    name = "securestore"
    verbose_name = "Securestore"

    def ready(self) -> None:
        from securestore import (
            checks,  # noqa: F401  registers the system checks
            model_names,
        )

        model_names.apply()
