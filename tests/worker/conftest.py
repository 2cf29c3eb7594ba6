"""Installations for tests with real worker processes."""

import shutil

import pytest

from tests.servers import redis_server
from tests.worker.installation import Installation


@pytest.fixture(scope="session")
def migrated(tmp_path_factory):
    """A database with its tables, to be copied."""
    installation = Installation(tmp_path_factory.mktemp("migrated"))
    done = installation.run("manage.py", "migrate", "-v0")
    assert done.returncode == 0, done.stderr
    return installation.data / "db.sqlite3"


@pytest.fixture(scope="session")
def redis_url():
    with redis_server() as url:
        yield url


@pytest.fixture
def on_folder(tmp_path, migrated):
    """An installation whose broker is a folder."""
    shutil.copy(migrated, tmp_path / "db.sqlite3")
    return Installation(tmp_path)


@pytest.fixture(params=["folder", "redis"])
def installation(request, on_folder):
    """An installation, once on the folder and once on a real Redis."""
    if request.param == "folder":
        return on_folder
    import redis

    url = request.getfixturevalue("redis_url")
    with redis.Redis.from_url(url) as client:
        client.flushall()
    return Installation(on_folder.data, url)


@pytest.fixture(scope="session")
def expected(tmp_path_factory, migrated):
    """The packs of the toy run, made in one process without any broker."""
    folder = tmp_path_factory.mktemp("expected")
    shutil.copy(migrated, folder / "db.sqlite3")
    alone = Installation(folder)
    alone.python("toy.register(settings.FEATUREVIZ_STORE)\njobs.work(toy.open_bench)")
    assert alone.state() == "done"
    return alone.packs()
