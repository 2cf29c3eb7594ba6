"""Work is sent by name: the worker must know every name."""

import re

from featureviz.celery import app
from tests.environment import ROOT


def names_sent():
    sources = [*ROOT.glob("featureviz/**/*.py"), *ROOT.glob("tasks/**/*.py")]
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    return set(re.findall(r'\benqueue\(\s*"([^"]+)"', text))


def test_the_worker_knows_every_name_sent():
    app.loader.import_default_modules()
    assert names_sent() <= set(app.tasks)


def test_the_names_are_found():
    assert "precompute.work" in names_sent()
