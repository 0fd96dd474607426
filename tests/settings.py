"""Settings of the test suite: the site's own, on a configuration that is the same everywhere.

They must read no `.env` and nothing of the machine's own AWS set-up. The secrets open nothing.
"""

import os

# Only what a test machine is free to choose comes from its environment; the rest is set here.
for name in [name for name in os.environ if name.startswith(("AWS_", "S3_", "DJANGO_SUPERUSER_"))]:
    del os.environ[name]
for name in (
    "MASTER_KEYS_FILE",
    "SECRET_KEY_FILE",
    "AUDIT_KEY_FILE",
    "KMS_KEY_ID",
    "METRICS_TOKEN",
    "CACHE_URL",
):
    os.environ.pop(name, None)
os.environ.update(
    SECURESTORE_ENV_FILE="",
    SECRET_KEY="tests-only-tests-only-tests-only-tests-only-tests-only",
    MASTER_KEYS="dGVzdHMtb25seS1tYXN0ZXIta2V5LTAwMDAwMDAwMDA=",
    AUDIT_KEY="dGVzdHMtb25seS1hdWRpdC1rZXktMDAwMDAwMDAwMDA=",
    DATABASE_URL=os.environ.get("TEST_DATABASE_URL", "sqlite://:memory:"),
    S3_BUCKET="securestore-tests",
    KEEP_VERSIONS="3",
    AWS_ACCESS_KEY_ID="tests-only",
    AWS_SECRET_ACCESS_KEY="tests-only",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_EC2_METADATA_DISABLED="true",
    ALLOWED_HOSTS="testserver,localhost,127.0.0.1",
    SITE_LANGUAGE="en-gb",
    HTTPS="false",
    DEBUG="false",
)

from securestore.settings import *  # noqa: E402, F403

# Signing in is what most view tests begin with; a slow hash would be most of their time.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# Static files are looked up where they lie; only a served site has them collected and named by
# their content.
STORAGES["staticfiles"] = {  # noqa: F405
    "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
}

# Nothing is served from the folder of collected files, so nothing needs to read it at each start.
WHITENOISE_AUTOREFRESH = True

# Rate limits count here: each process of a parallel run has its own, and a test can clear it.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
SILENCED_SYSTEM_CHECKS = ["securestore.E004"]

# Every test's first person is number 1, and an answer that a test does not close has its place
# until its request is collected: no test is refused for the others. Those about places set theirs.
TRANSFERS_AT_ONCE = TRANSFERS_PER_PERSON = 10_000
