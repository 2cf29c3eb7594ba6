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

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
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
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "featureviz.browse.security.content_security_policy",
]
ROOT_URLCONF = "featureviz.urls"
WSGI_APPLICATION = "featureviz.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
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
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"

# Whether anybody who reaches the site may cancel and resume runs, or only this very machine.
FEATUREVIZ_OPEN_CONTROLS = env.flag("FEATUREVIZ_OPEN_CONTROLS", False)

# The address the site is reached by from outside (https://latents.example.org/); empty: as asked.
FEATUREVIZ_ADDRESS = env.address("FEATUREVIZ_ADDRESS")

# The sites that may show a latent in a frame: `*` for all, `none`, or their addresses.
FEATUREVIZ_EMBED_ANCESTORS = env.ancestors("FEATUREVIZ_EMBED_ANCESTORS", "*")

# Celery: a folder is the broker until FEATUREVIZ_BROKER_URL names a Redis.
FEATUREVIZ_BROKER_URL = env.text("FEATUREVIZ_BROKER_URL", "")
