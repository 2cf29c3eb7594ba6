"""A new site with the same dictionary: import an archive, export it again."""

import os
import sys
from pathlib import Path

import django

if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "featureviz.settings"
    django.setup()

    from django.conf import settings
    from django.core.management import call_command

    from tests.factories import make_run

    given, written = map(Path, sys.argv[1:])
    call_command("migrate", verbosity=0)
    Path(settings.FEATUREVIZ_STORE).mkdir(parents=True, exist_ok=True)
    make_run()
    call_command("archive", "import", str(given))
    call_command("archive", "export", str(written))
