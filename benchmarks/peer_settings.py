"""The site's own settings, with one address more: a download that decrypts nothing."""

from securestore.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.peer_urls"
