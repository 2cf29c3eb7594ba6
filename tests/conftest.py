"""What every test may ask for. How tests are isolated is told in tests/settings.py."""

import os
from pathlib import Path

import pytest

from tests.environment import ROOT

pytest_plugins = ["tests.people"]  # the cast: alice, bob, charlie

# Playwright's event loop makes Django think that plain database calls are asynchronous.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

DATABASE_FIXTURES = {"db", "transactional_db", "live_server"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what reaches the database: `make test` runs just that again on PostgreSQL."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if item.get_closest_marker("django_db") or fixtures & DATABASE_FIXTURES:
            item.add_marker("database")


@pytest.fixture
def store(tmp_path, settings):
    """An empty store of this test alone."""
    settings.FEATUREVIZ_STORE = tmp_path / "store"
    settings.FEATUREVIZ_STORE.mkdir()
    return settings.FEATUREVIZ_STORE


@pytest.fixture(scope="session")
def shared_data():
    """A real model, a real dictionary, texts and expected activations, too large to ship here."""
    folder = Path(os.environ.get("FEATUREVIZ_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent; FEATUREVIZ_SHARED_DATA names the folder elsewhere")
    return folder


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    """Debian's Chromium; without its sandbox only for root, whom it refuses otherwise."""
    unsandboxed = ["--no-sandbox"] if os.geteuid() == 0 else []
    return {
        **browser_type_launch_args,
        "executable_path": "/usr/bin/chromium",
        "args": ["--disable-dev-shm-usage", *unsandboxed],
    }
