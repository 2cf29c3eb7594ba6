"""What was written before a migration is there after it."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def migrations():
    """Go to a state of the schema; in the end all is as it was."""

    def to(*targets):
        executor = MigrationExecutor(connection)
        executor.migrate(list(targets))
        return MigrationExecutor(connection).loader.project_state(list(targets)).apps

    yield to
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def the(ending):
    """A migration of ours, by the end of its name, and the one before it."""
    graph = MigrationExecutor(connection).loader.graph
    (found,) = [key for key in graph.nodes if key[0] == "annotate" and key[1].endswith(ending)]
    before = [each.key for each in graph.node_map[found].parents if each.key[0] == "annotate"]
    return before[0], found


def test_each_list_that_was_there_gets_a_key_of_its_own(migrations):
    before, after = the("_archive_keys")
    apps = migrations(before)
    owner = apps.get_model("auth", "User").objects.create(username="alice")
    for name in ("Dates", "Digits", "Words"):
        apps.get_model("annotate", "LatentList").objects.create(name=name, owner=owner)
    kept = migrations(after).get_model("annotate", "LatentList").objects
    keys = dict(kept.values_list("name", "uuid"))
    assert len(set(keys.values())) == 3
    assert None not in keys.values()
    kept.all().delete()
