"""The site itself as an application: it has no models, only checks of its settings."""

from django.apps import AppConfig


class SecurestoreConfig(AppConfig):
    name = "securestore"
    verbose_name = "Securestore"

    def ready(self) -> None:
        from securestore import checks  # noqa: F401  registers the system checks
