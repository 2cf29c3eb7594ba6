"""The settings under test: the project's own, in a folder and a database of this process alone.

Nothing of the environment of whoever runs the tests is read, save TEST_DATABASE_URL (`make test`
sets it to a real PostgreSQL). This is a settings module, not a fixture, because pytest-django loads
the settings before it looks at any conftest.
"""

import atexit
import os
import shutil
import tempfile

from tests.environment import settings_variables

for name in settings_variables():
    os.environ.pop(name, None)

os.environ["FEATUREVIZ_DATA"] = tempfile.mkdtemp(prefix="featureviz-tests-")
atexit.register(shutil.rmtree, os.environ["FEATUREVIZ_DATA"], ignore_errors=True)
if database := os.environ.get("TEST_DATABASE_URL"):
    os.environ["DATABASE_URL"] = database

from featureviz.settings import *  # noqa: E402 - reads the environment prepared above

# A process that a test starts is a plain installation in the same folder.
os.environ["DJANGO_SETTINGS_MODULE"] = "featureviz.settings"

# Pages are tested without `collectstatic`, hence with plain names of static files.
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_AUTOREFRESH = True

# All tests ask from one address; those about the limit set it.
FEATUREVIZ_API_PER_MINUTE = 0
