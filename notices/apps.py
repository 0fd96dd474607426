"""The `notices` app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class NoticesConfig(AppConfig):
    name = "notices"
    verbose_name = gettext_lazy("Mails and notices")
