"""The `files` app: records, grants, encryption and transfer of files."""

from django.apps import AppConfig


class FilesConfig(AppConfig):
    name = "files"
    verbose_name = "Files"

    def ready(self) -> None:
        from files import checks  # noqa: F401  registers the system checks
