"""The web process."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "featureviz.settings")
application = get_wsgi_application()

from featureviz.checks import refuse_others_without_accounts  # noqa: E402 - needs the settings

refuse_others_without_accounts()
