"""Settings of Securestore: one file, read from the environment (docs/operations.md).

Production is the default. Nothing here has a default secret, and nothing is ever derived from
`SECRET_KEY`: losing or changing it ends sessions, never files.
"""

from datetime import timedelta
from typing import Any

import django_stubs_ext
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from runtime.configuration import (
    BASE_DIR,
    byte_size,
    contact,
    database,
    days,
    domains,
    endpoint,
    flag,
    folder,
    log_format,
    networks,
    one_of,
    optional_secret,
    positive,
    read_environment,
    secret,
    sender,
    service,
    session_options,
    time_zone,
    whole,
)
from securestore.logs import Console
from securestore.static_headers import open_to_the_viewer

# Lets generic classes of Django (`ModelAdmin[File]`) be written as the type checker reads them.
django_stubs_ext.monkeypatch()

env = read_environment()

DEBUG = flag(env, "DEBUG", default=False)
# False only for plain HTTP on loopback (development): cookies without Secure, no HSTS.
HTTPS = flag(env, "HTTPS", default=True)
# Plain HTTP where others reach the site: only for a network in which nobody listens.
ACCEPT_PLAIN_HTTP = flag(env, "ACCEPT_PLAIN_HTTP", default=False)
SECRET_KEY = secret(env, "SECRET_KEY", minimum_length=40)
AUDIT_KEY = secret(env, "AUDIT_KEY", minimum_length=32)
# Who has it may read /metrics; without one there is no such page.
METRICS_TOKEN = optional_secret(env, "METRICS_TOKEN", minimum_length=20)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# Networks (CIDR) of the proxies whose X-Forwarded-For is believed.
TRUSTED_PROXIES = networks(env, "TRUSTED_PROXIES")

INSTALLED_APPS = [
    "securestore",
    "accounts",
    "audit",
    "notices",
    "files",
    "securestore.apps.AdministrationConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "accounts.apps.UserSessionsConfig",
    "csp",
]
MIDDLEWARE = [
    # Outside of all: one line of the log for each request, with what became of it.
    "securestore.request_log.RequestLogMiddleware",
    # Every answer carries its request id, and every event the address it came from.
    "audit.middleware.RequestContextMiddleware",
    "securestore.compression.CompressionMiddleware",
    # Outside of all that answer by themselves: no answer lacks its headers.
    "securestore.middleware.SecurityHeadersMiddleware",
    # Around all that refuse: programs get one form of it.
    "securestore.middleware.ProblemMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    # Before whoever answers by itself. What the browser says; the account's choice comes later.
    "django.middleware.locale.LocaleMiddleware",
    # Whoever refuses a method.
    "securestore.middleware.MethodMiddleware",
    # Before anything reads a body.
    "securestore.middleware.BodyMiddleware",
    "securestore.middleware.UnavailableMiddleware",
    # Before anything that reads a body, or asks the database.
    "securestore.form_bodies.FormBodyMiddleware",
    # Before all that need the database.
    "securestore.middleware.ServiceMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "accounts.preferences.ZoneMiddleware",
    "securestore.probes.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "accounts.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "accounts.middleware.SignedOutMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "accounts.middleware.LockOutMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.middleware.SecondFactorMiddleware",
    "accounts.middleware.ReauthenticationMiddleware",
    # The last of all: who may not have a view's answer takes no place of a transfer's.
    "securestore.transfer_limits.PlacesMiddleware",
]
ROOT_URLCONF = "securestore.urls"
WSGI_APPLICATION = "securestore.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "notices.bell.unread",
            ],
            "builtins": [
                "securestore.templatetags.measures",
                "securestore.templatetags.rows",
                "securestore.templatetags.constants",
            ],
        },
    },
]

# --- Time-outs --------------------------------------------------------------------------------
# All in seconds, and all of them here: how long a request waits for another part of the site before
# it is answered 503 (docs/operations.md, Time-outs; the key service's are beside its settings).
# For a turn to write, or for a row that somebody else is changing.
DATABASE_TIMEOUT = whole(env, "DATABASE_TIMEOUT", 10)
# For a connection: to be made, or to be free.
DATABASE_CONNECT_TIMEOUT = whole(env, "DATABASE_CONNECT_TIMEOUT", 5)
# For one statement of a request, its wait for a row included. Commands take as long as they need.
DATABASE_STATEMENT_TIMEOUT = whole(env, "DATABASE_STATEMENT_TIMEOUT", 15)
# After which a transaction in which nothing happens is ended: who is frozen must not stop others.
DATABASE_IDLE_TIMEOUT = whole(env, "DATABASE_IDLE_TIMEOUT", 15)
# After which a server that says nothing at all is given up: it would have ended the statement.
DATABASE_PATIENCE = DATABASE_STATEMENT_TIMEOUT + 2
# Commands wait for longer: for a whole migration of somebody else's, say.
COMMAND_LOCK_TIMEOUT = 6 * DATABASE_TIMEOUT
# For Redis: to connect, and to answer.
CACHE_TIMEOUT = whole(env, "CACHE_TIMEOUT", 2)
# A mail server that does not answer must not hold a page up for ever.
EMAIL_TIMEOUT = 10
# Every call to the store is bounded by these.
S3_CONNECT_TIMEOUT = whole(env, "S3_CONNECT_TIMEOUT", 5)
S3_READ_TIMEOUT = whole(env, "S3_READ_TIMEOUT", 20)
S3_MAX_ATTEMPTS = whole(env, "S3_MAX_ATTEMPTS", 3)

# --- Database ---------------------------------------------------------------------------------
DATABASES = {"default": database(env, default=f"sqlite:///{BASE_DIR}/var/db.sqlite3")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Connections of one process that serves, at most: fewer than its threads, for who waits for a
# client or for the store holds none.
DATABASE_POOL_SIZE = whole(env, "DATABASE_POOL_SIZE", 8)
# What stands between the site and PostgreSQL, and gives out connections by the transaction.
DATABASE_POOLER = one_of(env, "DATABASE_POOLER", ("none", "pgbouncer"))
# Behind one: where PostgreSQL's own programs, which need a session, find the database.
SESSION_DATABASE = (
    database(env, default="", name="DATABASE_SESSION_URL")
    if optional_secret(env, "DATABASE_SESSION_URL")
    else None
)
_database = DATABASES["default"]
# To open SQLite's file for each request, and to move its log into it at each end, costs as much as
# the queries of a page.
_database["CONN_MAX_AGE"] = whole(env, "CONN_MAX_AGE", 60, least=0)
# What is different in a process that serves (`runtime.connections.serve`).
SERVING_DATABASE: dict[str, Any] = {}
if _database["ENGINE"] == "django.db.backends.sqlite3":
    if _database["NAME"] != ":memory:":
        # A relative path is meant from the project, whatever folder a command is run from.
        _database["NAME"] = BASE_DIR / _database["NAME"]
    _database.setdefault("OPTIONS", {})
    _database["OPTIONS"] = {
        # Writers queue for this long (seconds) before a request is answered 503.
        "timeout": DATABASE_TIMEOUT,
        # A transaction that reads and then writes would otherwise fail at once, not wait.
        "transaction_mode": "IMMEDIATE",
        # FULL: a commit that was answered survives a power cut, also in WAL mode.
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
            # What is deleted or overwritten is gone from the file, keys above all.
            " PRAGMA secure_delete=ON;"
        ),
        **_database["OPTIONS"],
    }
else:
    _database["CONN_HEALTH_CHECKS"] = True
    if _database["ENGINE"] == "django.db.backends.postgresql":
        _given = _database.get("OPTIONS", {})
        # A server that is gone is noticed, not waited for (libpq; the second in milliseconds). A
        # query that takes long is no such thing: its server acknowledges what it is sent.
        _database["OPTIONS"] = {
            "connect_timeout": DATABASE_CONNECT_TIMEOUT,
            "tcp_user_timeout": 1000 * DATABASE_CONNECT_TIMEOUT,
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            **_given,
        }
        SERVING_DATABASE = {
            "CONN_MAX_AGE": 0,  # The pool keeps them.
            "OPTIONS": {
                "pool": {
                    "connection_class": "runtime.postgresql_timeouts.PatientConnection",
                    # One stays, and tells `doctor` of this process.
                    "min_size": 1,
                    "max_size": DATABASE_POOL_SIZE,
                    "timeout": DATABASE_CONNECT_TIMEOUT,
                    # After a failure the next request tries at once, and not when a pause is over.
                    "reconnect_timeout": 1,
                }
            },
        }
        if DATABASE_POOLER == "none":
            _limits = {"lock": COMMAND_LOCK_TIMEOUT, "idle": DATABASE_IDLE_TIMEOUT, "statement": 0}
            _serving = {"lock": DATABASE_TIMEOUT, "statement": DATABASE_STATEMENT_TIMEOUT}
            _database["OPTIONS"] = {"options": session_options(**_limits), **_database["OPTIONS"]}
            SERVING_DATABASE["OPTIONS"]["options"] = _given.get(
                "options", session_options(**{**_limits, **_serving})
            )
        else:
            # It refuses options at start-up, and one session has many connections: its own
            # configuration sets them (deploy/pgbouncer.ini), and no cursor outlives a transaction.
            _database["DISABLE_SERVER_SIDE_CURSORS"] = True

# --- Who you are ------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    # The only one that knows passwords: two would hash twice, and take longer for some names.
    "accounts.backends.PasswordBackend",
    # Last: it knows files, not people, and Django takes the first one for a session's.
    "files.access.backend.FileBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
PASSWORD_HASHERS = [
    "accounts.hashers.Argon2PasswordHasher",
    "accounts.hashers.PBKDF2PasswordHasher",
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "files:list"
LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_OPEN_SIGNUP = flag(env, "OPEN_SIGNUP", default=False)
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if ACCOUNT_OPEN_SIGNUP else "optional"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_LOGOUT_ON_GET = False
# A whole office may sign in from one address. Guesses have limits of their own, which are tighter:
# allauth's `login_failed`.
ACCOUNT_RATE_LIMITS = {"login": "120/m/ip"}
# Seconds after a sign-in or a confirmation in which what matters is not asked for again.
ACCOUNT_REAUTHENTICATION_TIMEOUT = positive(env, "REAUTHENTICATION_TIMEOUT", timedelta(minutes=15))
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_FORMS = {"login": "accounts.forms.LoginForm"}
MFA_ADAPTER = "files.keys.second_factors.MFAAdapter"
# Steps of 30 seconds by which a clock may be off, either way (RFC 6238, section 5.2).
MFA_TOTP_TOLERANCE = 1
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
# Accounts come from administrators, or confirmed their address when they signed up.
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_FORMS = {
    "activate_totp": "accounts.forms.ActivateTOTPForm",
    "add_webauthn": "accounts.forms.AddWebAuthnForm",
    "edit_webauthn": "accounts.forms.EditWebAuthnForm",
    "authenticate_webauthn": "accounts.forms.AuthenticateWebAuthnForm",
    "login_webauthn": "accounts.forms.LoginWebAuthnForm",
    "reauthenticate_webauthn": "accounts.forms.ReauthenticateWebAuthnForm",
}
# Hours for which the link of an invitation works.
INVITATION_EXPIRY_HOURS = positive(env, "INVITATION_EXPIRY_HOURS", timedelta(days=3), unit="hours")
# Who must have a second factor to see any page at all: off, staff or all.
REQUIRE_MFA = one_of(env, "REQUIRE_MFA", ("off", "staff", "all"))
PASSWORD_RESET_TIMEOUT = int(timedelta(hours=24).total_seconds())
# Whom people tell of a link that is misused: an address of mail or of a page, in the footer.
ABUSE_CONTACT = contact(env, "ABUSE_CONTACT")

# Neither the table of sessions nor a copy of it signs anybody in.
SESSION_ENGINE = "accounts.session_store"
SESSION_COOKIE_HTTPONLY = True
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = positive(env, "SESSION_AGE", timedelta(days=7))
# Seconds without a request after which a session ends, whatever its age.
SESSION_IDLE_TIMEOUT = positive(env, "SESSION_IDLE_TIMEOUT", timedelta(hours=12))
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SAMESITE = "Lax"
# Scripts of ours read the token from their page's form.
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "securestore.errors.csrf_failure"

# --- E-mail and caches ------------------------------------------------------------------------
vars().update(
    service(
        *(env, "EMAIL_URL", "consolemail://", env.email_url_config),
        like="smtp+tls://user:password@host:587",
    )
)
DEFAULT_FROM_EMAIL = sender(env, "DEFAULT_FROM_EMAIL", "securestore@localhost")
# How readers of mails reach the site, where no request is at hand to tell: https://vault.example.org
SITE_URL = endpoint(env, "SITE_URL", like="https://vault.example.org") or ""
# What wraps the keys of mails that wait: who has the keys joins the queue with them.
MAIL_KEYS = "files.keys.waiting_mails.Keys"
# What a notice is about, as its reader may see it: asked of who knows files.
NOTICE_SUBJECTS = "files.sharing.subjects.seen_by"
# Whether a mail may name the file that it is about: mail is read by others on its way.
MAIL_FILE_NAMES = flag(env, "MAIL_FILE_NAMES", default=False)
# Rate limits count in the cache, so all processes must share it: the database unless told better.
_cache = service(
    *(env, "CACHE_URL", "dbcache://django_cache", env.cache_url_config), like="redis://host:6379/1"
)
CACHES = {"default": _cache}
_cache.setdefault("OPTIONS", {})
_cache["KEY_FUNCTION"] = "runtime.cache_keys.make_key"
if _cache["BACKEND"] == "django.core.cache.backends.db.DatabaseCache":
    # Ours say when they fail: a limit must not take that for a count.
    _cache["BACKEND"] = "runtime.caches.DatabaseCache"
    # Django's own number is 300: a flood of addresses would push the counts of guesses out.
    _cache["OPTIONS"].setdefault("MAX_ENTRIES", 50_000)
elif _cache["BACKEND"].endswith("RedisCache"):
    _cache["BACKEND"] = "runtime.redis_cache.RedisCache"
    _cache["OPTIONS"] = {
        "socket_connect_timeout": CACHE_TIMEOUT,
        "socket_timeout": CACHE_TIMEOUT,
        **_cache["OPTIONS"],
    }

# --- Object store -----------------------------------------------------------------------------
S3_BUCKET = env.str("S3_BUCKET", default="")
if not S3_BUCKET:
    raise ImproperlyConfigured("S3_BUCKET is not set: name the bucket that holds the objects.")
S3_ENDPOINT_URL = endpoint(env, "S3_ENDPOINT_URL")
STORAGES = {
    "default": {
        "BACKEND": "files.storage.EncryptedS3Storage",
        "OPTIONS": {
            "bucket_name": S3_BUCKET,
            "endpoint_url": S3_ENDPOINT_URL,
            "region_name": env.str("AWS_DEFAULT_REGION", default="us-east-1"),
            "access_key": env.str("AWS_ACCESS_KEY_ID", default="") or None,
            "secret_key": optional_secret(env, "AWS_SECRET_ACCESS_KEY"),
            "connect_timeout": S3_CONNECT_TIMEOUT,
            "read_timeout": S3_READ_TIMEOUT,
            "max_attempts": S3_MAX_ATTEMPTS,
            "keys": "files.vault.stored_objects.StoredObjectKeys",
        },
    },
    "staticfiles": {"BACKEND": "securestore.static_files.StaticFiles"},
}

# --- Files ------------------------------------------------------------------------------------
MAX_UPLOAD_SIZE = byte_size(env, "MAX_UPLOAD_SIZE", default="5TiB")
# Bytes that one person's files may take, unless the person has a quota of their own.
USER_QUOTA = byte_size(env, "USER_QUOTA", default="") if env.str("USER_QUOTA", default="") else None
# How frames are sealed and opened: side by side where this machine can, or forced either way.
CRYPTO_LANES = env.str("CRYPTO_LANES", default="auto")
# What people without an account may send in (`/r/`): whether at all; how long a request lasts and
# how many bytes it takes, unless its maker says otherwise, and at most.
REQUEST_ALLOWED = flag(env, "REQUEST_ALLOWED", default=True)
REQUEST_DAYS = days(env, "REQUEST_DAYS", 30)
REQUEST_MAX_DAYS = days(env, "REQUEST_MAX_DAYS", 365)
REQUEST_QUOTA = byte_size(env, "REQUEST_QUOTA", default="1GiB")
REQUEST_MAX_QUOTA = byte_size(env, "REQUEST_MAX_QUOTA", default="100GiB")
# Domains of which everybody may be sent a code, where a request's maker says so.
REQUEST_MAIL_DOMAINS = domains(env, "REQUEST_MAIL_DOMAINS")
# How long an upload may stand still before the sweep takes it for abandoned.
UPLOAD_EXPIRY = timedelta(hours=whole(env, "UPLOAD_EXPIRY_HOURS", 7 * 24))
# One that has not received a byte is given up earlier: nobody loses anything with it.
EMPTY_UPLOAD_EXPIRY = timedelta(minutes=whole(env, "EMPTY_UPLOAD_EXPIRY_MINUTES", 60))
# How many uploads of one person may be unfinished, by form and by tus together. A form has up to
# DATA_UPLOAD_MAX_NUMBER_FILES at once.
MAX_UNFINISHED_UPLOADS = whole(env, "MAX_UNFINISHED_UPLOADS", 200)
# How long a doomed object stays, so that downloads that are running can finish.
DOOMED_GRACE = timedelta(minutes=whole(env, "DOOMED_GRACE_MINUTES", 60, least=0))
# How many former versions of a file stay, the newest ones, and how long any stays: one goes when it
# is neither among them nor younger than that.
KEEP_VERSIONS = whole(env, "KEEP_VERSIONS", 10, least=0)
KEEP_VERSIONS_TIME = timedelta(days=days(env, "KEEP_VERSIONS_DAYS", 30, least=0))
# How long what was put away stays in the trash before a sweep deletes it for good.
TRASH_TIME = timedelta(days=days(env, "TRASH_DAYS", 30, least=0))
# How long backups and exports of keys are kept, wherever they lie: until then they may still have
# the key of a deleted file, and its event says so. Unknown unless the operator says.
BACKUP_TIME = (
    timedelta(days=days(env, "BACKUP_DAYS", 0, least=0))
    if env.str("BACKUP_DAYS", default="")
    else None
)
# How long the cookie that unlocks a held file lasts.
UNLOCK_TIME = timedelta(minutes=whole(env, "UNLOCK_MINUTES", 15))
# How long a held file's new key can be shown again when nobody has confirmed that it was saved.
KEY_OFFER = timedelta(minutes=whole(env, "KEY_OFFER_MINUTES", 60, least=0))
# Where `backup` puts copies of the database, and `restore_drill` finds them.
BACKUP_DIR = folder(env, "BACKUP_DIR", "var/backups")
# How long a download may stand still and still be gone on with, before it is one event of the log.
DOWNLOAD_IDLE = timedelta(minutes=whole(env, "DOWNLOAD_IDLE_MINUTES", 15, least=0))
# How long a running download goes on after the access to it has ended, at most.
DOWNLOAD_RECHECK = timedelta(seconds=whole(env, "DOWNLOAD_RECHECK_SECONDS", 30))
FILES_PER_PAGE = 50
GRANTS_PER_PAGE = 100
EVENTS_PER_PAGE = 50
READERS_PER_PAGE = 100
# Plaintext must never reach a temporary file: this is the only upload handler there is.
FILE_UPLOAD_HANDLERS = ["files.web.transfers.refuse.RefusingUploadHandler"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 1 << 20
# More are not even counted; the form of the upload page takes fewer, and says how many there were.
DATA_UPLOAD_MAX_NUMBER_FILES = 1000

# --- People outside ---------------------------------------------------------------------------
# Links for people without an account: off, and all of them sleep.
LINKS = one_of(env, "LINKS", ("on", "off")) == "on"
# How long a link works whose maker says nothing, and how long any may.
LINK_DAYS = days(env, "LINK_DAYS", 30)
LINK_MAX_DAYS = days(env, "LINK_MAX_DAYS", 365)
# Whether a link must have a password.
LINK_NEEDS_PASSWORD = one_of(env, "LINK_PASSWORD", ("optional", "required")) == "required"
# Domains of which everybody may be sent a code, where a link's maker says so.
LINK_MAIL_DOMAINS = domains(env, "LINK_MAIL_DOMAINS")

# --- Clients that are slow ----------------------------------------------------------------------
# Threads of each web process, as the web server itself reads it from the environment: a request
# holds one until its answer has gone out.
THREADS = whole(env, "GRANIAN_BLOCKING_THREADS", 32)
# How many of them transfers may hold: the others stay free for pages and for those who ask whether
# the site lives. And how many those of one person may.
TRANSFERS_AT_ONCE = whole(
    env, "TRANSFERS_AT_ONCE", THREADS - max(THREADS // 8, min(4, THREADS // 2))
)
TRANSFERS_PER_PERSON = whole(env, "TRANSFERS_PER_PERSON", 16)
# Bytes a second. Whoever is slower than that, for so many seconds, is waited for no longer: with a
# form, with an upload, with taking an answer.
LOWEST_RATE = byte_size(env, "LOWEST_RATE", default="4KiB")
FORM_PATIENCE = whole(env, "FORM_PATIENCE", 20)
UPLOAD_PATIENCE = whole(env, "UPLOAD_PATIENCE", 60)
DOWNLOAD_PATIENCE = whole(env, "DOWNLOAD_PATIENCE", 300)

# --- Web --------------------------------------------------------------------------------------
STATIC_URL = "/static/"
# Where `collectstatic` puts what is served: each installation's own, since it is written anew.
STATIC_ROOT = folder(env, "STATIC_ROOT", "var/static")
STATICFILES_DIRS = [BASE_DIR / "static"]
# No other site has a use for our scripts and styles. The viewer's frame is of no site.
WHITENOISE_ALLOW_ALL_ORIGINS = False
WHITENOISE_ADD_HEADERS_FUNCTION = open_to_the_viewer
# Each in its own words: whoever looks for a language reads that one.
LANGUAGES = [("en-gb", "English"), ("de", "Deutsch"), ("fr", "Français")]
# Of who chose none: where the browser says none of these either, and in mails.
LANGUAGE_CODE = one_of(env, "SITE_LANGUAGE", tuple(code for code, _ in LANGUAGES))
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = "securestore.formats"
TIME_ZONE = time_zone(env, "TIME_ZONE", "UTC")
USE_TZ = True

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_SSL_REDIRECT = HTTPS and flag(env, "SSL_REDIRECT", default=True)
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = int(timedelta(days=365).total_seconds()) if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
if flag(env, "TRUST_X_FORWARDED_PROTO", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    },
}

# What a debug page or a mail about a failure shows: no secret, whatever DEBUG is.
DEFAULT_EXCEPTION_REPORTER = "runtime.reporting.Reporter"
DEFAULT_EXCEPTION_REPORTER_FILTER = "runtime.reporting.ReporterFilter"

LOG_FORMAT = log_format(env, Console().stream)
# `warning` for commands that cron starts: it mails whatever they say.
LOG_LEVEL = one_of(env, "LOG_LEVEL", ("info", "warning")).upper()
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {
            # Names and headers that strangers chose cannot forge a line.
            "()": "securestore.logs.LineFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s %(message)s",
            "short": Console().is_terminal(),
        },
        "json": {"()": "securestore.logs.JsonFormatter"},
    },
    "filters": {"without_path": {"()": "securestore.logs.WithoutPath"}},
    "handlers": {"console": {"class": "securestore.logs.Console", "formatter": LOG_FORMAT}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": [], "level": LOG_LEVEL, "propagate": True},
        # Only tracebacks: each request has a line of its own.
        "django.request": {"level": "ERROR", "filters": ["without_path"]},
        "django.security.csrf": {"filters": ["without_path"]},
        # Their debug output shows requests with their headers.
        "botocore": {"level": "WARNING"},
        # Each connection that is taken is a line of its, and each failure an error of ours.
        "psycopg.pool": {"level": "ERROR"},
        "boto3": {"level": "WARNING"},
        "urllib3": {"level": "WARNING"},
    },
}
