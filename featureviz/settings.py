"""The Django project's settings: safe defaults, everything else from the environment.

All state (database, store, queue, secret) lives under one folder, FEATUREVIZ_DATA.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path

import dj_database_url

from featureviz import env

BASE_DIR = Path(__file__).resolve().parent.parent
FEATUREVIZ_DATA = env.folder("FEATUREVIZ_DATA", BASE_DIR / "var")
FEATUREVIZ_STORE = FEATUREVIZ_DATA / "store"  # corpora and runs


def _secret_key() -> str:
    """SECRET_KEY of the environment, else one made once and kept beside the data."""
    if given := env.text("SECRET_KEY", ""):
        return given
    path = FEATUREVIZ_DATA / "secret_key"
    if not path.exists():
        part = path.with_name(f".secret_key.{os.getpid()}")
        part.touch(mode=0o600)
        part.write_text(secrets.token_urlsafe(50))
        with suppress(FileExistsError):  # of two first processes, one key stays
            os.link(part, path)
        part.unlink()
    return path.read_text()


SECRET_KEY = _secret_key()
DEBUG = env.flag("DEBUG", False)
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
# A server in front may speak TLS for these; forms sent from their pages are ours.
CSRF_TRUSTED_ORIGINS = [
    f"https://{'*' if host.startswith('.') else ''}{host}" for host in ALLOWED_HOSTS if host != "*"
]

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "featureviz.catalog",
    "featureviz.annotate",
    "featureviz.browse",
    "featureviz.browse.search",
    "tasks",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.gzip.GZipMiddleware",  # of files that are streamed
    "featureviz.browse.compression.compressed_pages",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "featureviz.annotate.visits.visit",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "featureviz.browse.security.content_security_policy",
    "featureviz.browse.freshness.notes_writing",
]
ROOT_URLCONF = "featureviz.urls"
WSGI_APPLICATION = "featureviz.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,  # for the parts of allauth's pages that are not ours
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
            ],
            "builtins": ["featureviz.browse.templatetags.reading"],
        },
    }
]

DATABASES = {
    "default": dj_database_url.parse(
        env.text("DATABASE_URL", f"sqlite:///{FEATUREVIZ_DATA / 'db.sqlite3'}"), conn_max_age=60
    )
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "featureviz.browse.static_files.PlotlyFinder",
]
STATIC_ROOT = FEATUREVIZ_DATA / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "featureviz.browse.static_files.StaticFiles"
    },
}

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
# Reached over TLS, through a server in front that says so in X-Forwarded-Proto.
FEATUREVIZ_HTTPS = env.flag("FEATUREVIZ_HTTPS", False)
if FEATUREVIZ_HTTPS:
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"

# Whether anybody who reaches the site may cancel and resume runs, or only this very machine.
FEATUREVIZ_OPEN_CONTROLS = env.flag("FEATUREVIZ_OPEN_CONTROLS", False)

# The address the site is reached by from outside (https://latents.example.org/); empty: as asked.
FEATUREVIZ_ADDRESS = env.address("FEATUREVIZ_ADDRESS")
if FEATUREVIZ_ADDRESS:  # a server in front may call this one by another name
    CSRF_TRUSTED_ORIGINS.append(FEATUREVIZ_ADDRESS.rstrip("/"))

# The sites that may show a latent in a frame: `*` for all, `none`, or their addresses.
FEATUREVIZ_EMBED_ANCESTORS = env.ancestors("FEATUREVIZ_EMBED_ANCESTORS", "*")

# How often a minute a program may ask the API, by token or by address; 0: as often as it likes.
FEATUREVIZ_API_PER_MINUTE = env.whole_number("FEATUREVIZ_API_PER_MINUTE", 600)
# The folder of a model that turns texts into vectors; with it, search finds by meaning too.
FEATUREVIZ_EMBEDDING_MODEL = env.existing_folder("FEATUREVIZ_EMBEDDING_MODEL")

# Accounts. Without them one local owner is signed in, and only this machine is served.
FEATUREVIZ_ACCOUNTS = env.flag("FEATUREVIZ_ACCOUNTS", False)
FEATUREVIZ_SIGNUP = env.choice("FEATUREVIZ_SIGNUP", ("closed", "invitation", "open"))
LOGIN_URL, LOGIN_REDIRECT_URL, LOGOUT_REDIRECT_URL = "account_login", "front", "front"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ACCOUNT_ADAPTER = "featureviz.annotate.accounts.Accounts"
SOCIALACCOUNT_ADAPTER = "featureviz.annotate.accounts.ProviderAccounts"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
ACCOUNT_USERNAME_MIN_LENGTH = 2
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
ACCOUNT_SESSION_REMEMBER = True

# Sign-in through others: a provider is offered where its application's id is given.
_GITLAB = env.text("FEATUREVIZ_GITLAB_URL", "https://gitlab.com")
SOCIALACCOUNT_PROVIDERS = {
    provider: {"APPS": [{"client_id": client, "secret": secret, "settings": options}]}
    for provider, client, secret, options in (
        (
            "github",
            env.text("FEATUREVIZ_GITHUB_ID", ""),
            env.text("FEATUREVIZ_GITHUB_SECRET", ""),
            {},
        ),
        (
            "gitlab",
            env.text("FEATUREVIZ_GITLAB_ID", ""),
            env.text("FEATUREVIZ_GITLAB_SECRET", ""),
            {"gitlab_url": _GITLAB},
        ),
    )
    if client
}
FEATUREVIZ_PROVIDER_ORIGINS = [
    origin
    for provider, origin in (("github", "https://github.com"), ("gitlab", _GITLAB))
    if provider in SOCIALACCOUNT_PROVIDERS
]
INSTALLED_APPS += [f"allauth.socialaccount.providers.{name}" for name in SOCIALACCOUNT_PROVIDERS]

# E-mail is sent where a server for it is named.
EMAIL_HOST = env.text("EMAIL_HOST", "")
EMAIL_PORT = env.whole_number("EMAIL_PORT", 587, at_least=1)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = EMAIL_PORT == 587
EMAIL_USE_SSL = EMAIL_PORT == 465
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "featureviz@localhost")
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'dummy'}.EmailBackend"

# What a worker runs models on: `auto` is a GPU where torch sees one, else the CPU.
FEATUREVIZ_DEVICE = env.device("FEATUREVIZ_DEVICE")

# Celery: a folder is the broker until FEATUREVIZ_BROKER_URL names a Redis.
FEATUREVIZ_BROKER_URL = env.text("FEATUREVIZ_BROKER_URL", "")
