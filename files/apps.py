"""The `files` app: records, grants, encryption and transfer of files."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class FilesConfig(AppConfig):
    name = "files"
    verbose_name = gettext_lazy("Files")

    def ready(self) -> None:
        from django.conf import settings

        from files import checks  # noqa: F401  registers system checks
        from files.crypto import argon2id, lanes
        from files.keys import passphrases
        from files.sharing import asking
        from notices import finders

        finders.register(asking.tell)
        lanes.choose(settings.CRYPTO_LANES)
        argon2id.bound_by(passphrases.slot)
