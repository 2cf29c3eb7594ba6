"""What owners change about a workspace, and what follows for everybody else."""

import re

import pytest
from django.test import Client

from featureviz.annotate import workspaces
from featureviz.annotate.texts import AnnotateError
from featureviz.catalog.models import Membership, Workspace
from featureviz.catalog.permissions import Role
from tests.factories import make_run
from tests.people import at_address

pytestmark = pytest.mark.django_db
PAGE = "/workspaces/the-team/"


def status(browser, path="/demo/sae/3"):
    return browser.get(path).status_code


def test_what_nobody_put_elsewhere_is_public(store, client):
    assert str(make_run().dictionary.workspace) == "Public"
    assert status(client) == 200


def test_a_private_workspace_is_read_by_its_members_only(team, browsers):
    read = {name for name, browser in browsers.items() if status(browser) == 200}
    assert read == {"alice", "bob", "rita", "edith"}


def test_a_link_opens_a_workspace_until_it_is_renewed(team, browsers):
    browsers["alice"].post(f"{PAGE}change", {"do": "show", "visibility": "link"})
    link = f"/workspaces/open/{team.token}"
    assert status(browsers["charlie"]) == 404
    assert browsers["charlie"].get(link).headers["Location"] == PAGE
    assert status(browsers["charlie"]) == 200
    browsers["alice"].post(f"{PAGE}change", {"do": "renew"})
    assert status(browsers["charlie"]) == 404
    assert status(browsers["charlie"], link) == 404


def test_the_link_of_a_private_workspace_opens_nothing(team, browsers):
    assert status(browsers["charlie"], f"/workspaces/open/{team.token}") == 404


def test_a_workspace_made_public_is_read_by_everybody(team, browsers):
    browsers["alice"].post(f"{PAGE}change", {"do": "show", "visibility": "public"})
    assert {status(browser) for browser in browsers.values()} == {200}
    assert "bob" not in browsers["nobody"].get(PAGE).content.decode()


@pytest.mark.parametrize("change", [{"do": "show", "visibility": "public"}, {"do": "invite"}])
def test_only_owners_change_it(team, browsers, change):
    names = ["nobody", "charlie", "rita", "bob", "edith", "alice"]  # in whom it succeeds last
    found = {name: browsers[name].post(f"{PAGE}change", change).status_code for name in names}
    hidden = {"charlie": 404, "nobody": 404}
    assert found == {"alice": 302, "edith": 403, "bob": 403, "rita": 403, **hidden}


def test_a_dictionary_moves_where_one_owns_both_sides(team, people, browsers):
    other = at_address(workspaces.create("Elsewhere", people["charlie"]), "elsewhere")
    dictionary = team.dictionaries.get()
    moved = {"do": "move", "dictionary": dictionary.pk}
    browsers["charlie"].post("/workspaces/elsewhere/change", moved)
    assert status(browsers["charlie"]) == 404
    Membership.objects.create(workspace=other, user=people["alice"], role=Role.OWNER)
    browsers["alice"].post("/workspaces/elsewhere/change", moved)
    assert (status(browsers["charlie"]), status(browsers["bob"])) == (200, 404)


def test_the_last_owner_stays(team):
    with pytest.raises(AnnotateError, match="at least one owner"):
        workspaces.set_role(team, "alice", Role.READER)
    workspaces.set_role(team, "bob", Role.OWNER)
    workspaces.set_role(team, "alice", None)
    assert not team.memberships.filter(user__username="alice").exists()


def test_an_invitation_never_lessens_a_role(team, people):
    invitation = workspaces.invite(team, Role.READER, people["alice"])
    workspaces.join(invitation, people["bob"])
    workspaces.join(invitation, people["charlie"])
    roles = dict(team.memberships.values_list("user__username", "role"))
    assert (roles["bob"], roles["charlie"]) == (Role.ANNOTATOR, Role.READER)


def test_whoever_signs_in_makes_a_workspace_of_their_own(accounts, people, browsers):
    reply = browsers["charlie"].post("/workspaces/", {"name": "Charlie’s latents"})
    made = Workspace.objects.get(slug__startswith="charlies-latents-")
    assert reply.headers["Location"] == made.get_absolute_url()
    assert made.visibility == Workspace.Visibility.PRIVATE
    assert status(browsers["bob"], reply.headers["Location"]) == 404
    assert Client().post("/workspaces/", {"name": "Mine"}).headers["Location"].startswith("/acc")


def test_a_name_that_is_taken_does_not_show(team, browsers):
    for name in ("The team", "Free"):
        reply = browsers["charlie"].post("/workspaces/", {"name": name})
        assert re.fullmatch(r"/workspaces/[a-z-]+-[0-9a-f]{8}/", reply.headers["Location"])


def test_the_runs_of_a_private_workspace_are_not_listed(team, browsers):
    run = team.dictionaries.get().runs.get()
    assert run.key[:8] in browsers["bob"].get("/runs/").content.decode()
    assert run.key[:8] not in browsers["charlie"].get("/runs/").content.decode()
    assert status(browsers["charlie"], f"/runs/{run.key[:12]}/") == 404


def test_related_latents_of_a_private_workspace_are_not_named(team, browsers, store):
    from featureviz.catalog import relations
    from featureviz.catalog.models import Job

    public = make_run(dictionary="open")
    Job.objects.create(run=public, kind=Job.Kind.BLOCK, number=0, size=8, state=Job.State.DONE)
    relations.plan(public)
    assert "demo/sae" in browsers["bob"].get("/demo/open/3").content.decode()
    assert "demo/sae" not in browsers["charlie"].get("/demo/open/3").content.decode()
