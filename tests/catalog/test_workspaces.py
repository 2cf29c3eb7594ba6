"""What was here before there were workspaces, and who reads what since."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import StreamingHttpResponse
from django.test import Client
from django.urls import path

from featureviz.catalog.models import Dictionary, Latent, Run, Workspace
from featureviz.catalog.permissions import Role
from featureviz.catalog.reading import Grant, Reader, reading_as
from tests.factories import make_run

BEFORE = [("catalog", "0006_glances")]
NOBODY = Reader(AnonymousUser())


def streamed(request):
    """A page whose queries run while it is sent."""
    return StreamingHttpResponse(str(run.dictionary) for run in Run.objects.readable())


urlpatterns = [path("streamed", streamed)]


def migrate(to):
    executor = MigrationExecutor(connection)
    executor.migrate(to or executor.loader.graph.leaf_nodes())
    return executor.loader.project_state(to).apps if to else None


@pytest.fixture
def before():
    """The tables as they were, until the test has migrated them."""
    yield migrate(BEFORE)
    migrate(None)


@pytest.mark.django_db(transaction=True)
def test_dictionaries_of_before_are_in_a_public_workspace(before):
    model = before.get_model("catalog", "LanguageModel").objects.create(
        name="A", n_layers=1, d_model=1, d_vocab=1
    )
    before.get_model("catalog", "Dictionary").objects.create(model=model, name="0", d_in=1, d_sae=1)
    migrate(None)
    workspace = Dictionary.objects.get().workspace
    assert (workspace.slug, workspace.visibility) == ("public", "public")


@pytest.mark.django_db(transaction=True)
def test_an_empty_installation_gets_its_workspace_with_its_first_dictionary(before, store):
    migrate(None)
    assert not Workspace.objects.exists()
    assert make_run().dictionary.workspace == Workspace.objects.get()


@pytest.fixture
def private(db, store):
    """A run of a private workspace."""
    run = make_run()
    Workspace.objects.update(visibility=Workspace.Visibility.PRIVATE)
    return run


@pytest.mark.urls("tests.catalog.test_workspaces")
def test_what_is_streamed_is_read_as_its_person(private, settings):
    settings.FEATUREVIZ_ACCOUNTS = True
    reply = Client().get("/streamed")
    assert reply.getvalue() == b""
    Workspace.objects.update(visibility=Workspace.Visibility.PUBLIC)
    reply = Client().get("/streamed")
    assert reply.getvalue() == b"demo/sae"


def test_a_command_reads_all_and_nobody_reads_what_is_public(private):
    assert Run.objects.readable().count() == 1
    with reading_as(NOBODY):
        assert Run.objects.readable().count() == 0
        assert Latent.objects.readable().count() == 0
        assert Dictionary.objects.reachable().count() == 0
        assert Run.objects.published().count() == 1


@pytest.mark.parametrize(("index", "n_latents", "n_runs"), [(3, 1, 0), (None, 8, 1)])
def test_a_grant_opens_a_latent_or_the_whole_dictionary(private, index, n_latents, n_runs):
    grant = Grant(private.dictionary_id, index, Role.READER)
    with reading_as(Reader(AnonymousUser(), grants=(grant,))):
        assert Latent.objects.readable().count() == n_latents
        assert Run.objects.readable().count() == n_runs


def test_a_grant_opens_nothing_that_is_not_published(private):
    Run.objects.update(published_at=None)
    grant = Grant(private.dictionary_id, 3, Role.OWNER)
    with reading_as(Reader(AnonymousUser(), grants=(grant,))):
        assert Latent.objects.readable().count() == 0
