"""The `files` app: records, grants, encryption and transfer of files."""

from django.apps import AppConfig


class FilesConfig(AppConfig):
    name = "files"
    verbose_name = "Files"

    def ready(self) -> None:
        from files.administration import master_keys  # noqa: F401  registers system checks and a page
