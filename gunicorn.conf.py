"""Read by gunicorn when it is started here: it knows where the server will listen."""

import os
from typing import Any

import django

from featureviz.checks import refuse_others_without_accounts


def on_starting(server: Any) -> None:
    """Refuse to serve others than this machine without accounts."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "featureviz.settings")
    django.setup()
    hosts = [address[0] for address in server.cfg.address if isinstance(address, tuple)]
    refuse_others_without_accounts(hosts)
