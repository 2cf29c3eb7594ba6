"""What is wrong with an installation, said at the start and with how to mend it."""

import os
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured

LOOPBACK = {"localhost", "127.0.0.1", "[::1]", "::1"}
BROKER_SCHEMES = {"redis", "rediss"}


@register(Tags.files)
def data_folder_can_be_written(**_: Any) -> Sequence[CheckMessage]:
    """Everything featureviz keeps goes into one folder."""
    folder = settings.FEATUREVIZ_DATA
    if os.access(folder, os.W_OK | os.X_OK):
        return []
    return [
        Error(
            f"FEATUREVIZ_DATA: {folder} cannot be written by this user.",
            hint="Give the folder to this user, or name another in FEATUREVIZ_DATA.",
            id="featureviz.E001",
        )
    ]


@register()
def broker_is_a_redis_or_the_folder(**_: Any) -> Sequence[CheckMessage]:
    """A broker URL that Celery could not use would only show when a run is started."""
    url = settings.FEATUREVIZ_BROKER_URL
    parts = urlsplit(url)
    if not url or (parts.scheme in BROKER_SCHEMES and parts.hostname):
        return []
    return [
        Error(
            f"FEATUREVIZ_BROKER_URL is {url!r}; expected redis://host:port/number.",
            hint="Leave it empty to use a folder: that serves workers of one machine.",
            id="featureviz.E002",
        )
    ]


@register(Tags.security)
def secret_key_is_given_where_others_can_reach(**_: Any) -> Sequence[CheckMessage]:
    """The key kept beside the data serves one machine; a public site is given its own."""
    if not _is_public() or settings.DEBUG or os.environ.get("SECRET_KEY"):
        return []
    return [
        Warning(
            "SECRET_KEY is not set, and ALLOWED_HOSTS lets others in.",
            hint="Set SECRET_KEY to fifty random characters, the same for all web processes.",
            id="featureviz.W001",
        )
    ]


@register(Tags.security)
def debug_stays_at_home(**_: Any) -> Sequence[CheckMessage]:
    """Django's debug pages show settings and source to whoever provokes an error."""
    if not (_is_public() and settings.DEBUG):
        return []
    return [
        Error(
            "DEBUG is on, and ALLOWED_HOSTS lets others in.",
            hint="Unset DEBUG, or leave ALLOWED_HOSTS at localhost.",
            id="featureviz.E003",
        )
    ]


@register(Tags.security)
def others_need_accounts(**_: Any) -> Sequence[CheckMessage]:
    """Without accounts whoever reaches the site could be taken for its owner."""
    if settings.FEATUREVIZ_ACCOUNTS or not _is_public():
        return []
    return [
        Error(
            "ALLOWED_HOSTS lets others in, and there are no accounts.",
            hint="Set FEATUREVIZ_ACCOUNTS=1, or leave ALLOWED_HOSTS at localhost.",
            id="featureviz.E004",
        )
    ]


def refuse_others_without_accounts() -> None:
    """Stop a web process that others would reach without accounts. Raises: ImproperlyConfigured."""
    for message in others_need_accounts():
        raise ImproperlyConfigured(str(message))


@register(Tags.database)
def workers_elsewhere_can_reach_the_database(**_: Any) -> Sequence[CheckMessage]:
    """SQLite is a file of one machine; a Redis elsewhere means workers elsewhere."""
    host = urlsplit(settings.FEATUREVIZ_BROKER_URL).hostname
    is_sqlite = settings.DATABASES["default"]["ENGINE"].endswith("sqlite3")
    if host is None or host in LOOPBACK or not is_sqlite:
        return []
    return [
        Warning(
            f"Workers meet at the Redis on {host}, but the database is a file of this machine.",
            hint="Set DATABASE_URL to a PostgreSQL that every worker reaches.",
            id="featureviz.W002",
        )
    ]


def _is_public() -> bool:
    return not LOOPBACK.issuperset(settings.ALLOWED_HOSTS)
