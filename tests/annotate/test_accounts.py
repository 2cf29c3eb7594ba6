"""Who is signed in, who may open an account, and what an installation without accounts serves."""

import os
import runpy
import subprocess
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import User
from django.test import Client

from featureviz.annotate import workspaces
from featureviz.annotate.models import Explanation
from featureviz.catalog.models import Run
from featureviz.catalog.permissions import Role
from featureviz.catalog.reading import reader
from featureviz.checks import others_need_accounts
from tests.environment import ROOT
from tests.factories import make_run
from tests.people import PASSWORD

pytestmark = pytest.mark.django_db
HERE = {"HTTP_HOST": "localhost"}
NEW = {"username": "dora", "password1": PASSWORD, "password2": PASSWORD}


@pytest.fixture
def here():
    """A browser on the machine that serves."""
    return Client(headers={"host": "localhost"})


def test_without_accounts_whoever_sits_here_is_the_owner_and_is_told(here, store):
    html = here.get("/").content.decode()
    assert "on this machine" in html
    assert "whoever sits at this machine is its owner" in html
    assert "Accounts are off." in here.get("/accounts/").content.decode()


def test_the_owner_is_made_when_first_needed_and_only_once(here, store):
    here.get("/")
    assert not User.objects.exists()
    here.get("/accounts/")
    here.get("/accounts/")
    owner = User.objects.get()
    assert owner.username == "owner"
    assert not owner.has_usable_password()


@pytest.mark.parametrize("elsewhere", [{"REMOTE_ADDR": "192.0.2.7"}, {"HTTP_X_FORWARDED_FOR": "x"}])
def test_who_is_not_here_is_nobody(here, store, elsewhere):
    assert here.get("/accounts/", **elsewhere).status_code == 302
    assert "on this machine" not in here.get("/", **elsewhere).content.decode()
    assert not User.objects.exists()


@pytest.mark.parametrize("path", ["login", "signup", "logout", "password/change", "email"])
def test_without_accounts_there_is_no_signing_in(here, path):
    assert here.get(f"/accounts/{path}/").status_code == 404


def test_a_person_signs_in_and_out(accounts, people, client):
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    assert ">alice</a>" in client.get("/").content.decode()
    client.post("/accounts/logout/")
    assert "Sign in</a>" in client.get("/").content.decode()


def test_a_wrong_password_signs_nobody_in(accounts, people, client):
    reply = client.post("/accounts/login/", {"login": "alice", "password": "guess"})
    assert "not correct" in reply.content.decode()
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize(("setting", "opened"), [("open", 1), ("invitation", 0), ("closed", 0)])
def test_accounts_are_opened_as_the_setting_says(accounts, client, setting, opened):
    accounts.FEATUREVIZ_SIGNUP = setting
    client.post("/accounts/signup/", NEW)
    assert User.objects.count() == opened


def test_an_invitation_opens_the_door_and_leads_into_the_workspace(team, people, client, accounts):
    accounts.FEATUREVIZ_SIGNUP = "invitation"
    invitation = workspaces.invite(team, Role.ANNOTATOR, people["alice"])
    join = f"/workspaces/join/{invitation.token}"
    assert client.get(join).headers["Location"].startswith("/accounts/signup/")
    reply = client.post(f"/accounts/signup/?next={join}", NEW)
    assert reply.headers["Location"] == join
    client.post(join)
    assert team.memberships.get(user__username="dora").role == Role.ANNOTATOR
    assert client.get("/demo/sae/3").status_code == 200


def test_a_revoked_invitation_opens_nothing(team, people, client, accounts):
    accounts.FEATUREVIZ_SIGNUP = "invitation"
    invitation = workspaces.invite(team, Role.ANNOTATOR, people["alice"])
    client.get(f"/workspaces/join/{invitation.token}")
    workspaces.revoke(invitation)
    assert client.get(f"/workspaces/join/{invitation.token}").status_code == 404
    client.post("/accounts/signup/", NEW)
    assert not User.objects.filter(username="dora").exists()


@pytest.mark.parametrize(
    "path",
    ["/accounts/login/", "/accounts/signup/", "/accounts/password/reset/", "/workspaces/"],
)
def test_pages_of_accounts_bring_nothing_inline(accounts, client, path):
    accounts.FEATUREVIZ_SIGNUP = "open"
    reply = client.get(path)
    html = reply.content.decode()
    assert reply.status_code == 200
    assert "unsafe" not in reply.headers["Content-Security-Policy"]
    assert "<style" not in html
    assert " style=" not in html
    assert 'class="topbar"' in html


def test_between_requests_a_thread_reads_as_the_machine(accounts, client, store):
    hidden = make_run()
    hidden.dictionary.workspace.visibility = "private"
    hidden.dictionary.workspace.save()
    assert client.get("/demo/sae/3").status_code == 404
    assert reader().sees_all
    assert Run.objects.readable().exists()
    assert Explanation.objects.readable(None).count() == 0


@pytest.mark.parametrize(
    ("hosts", "has_accounts", "refused"),
    [
        (["localhost"], False, False),
        (["lab.example.org"], False, True),
        (["*"], False, True),
        (["lab.example.org"], True, False),
    ],
)
def test_names_of_others_need_accounts(settings, hosts, has_accounts, refused):
    settings.ALLOWED_HOSTS, settings.FEATUREVIZ_ACCOUNTS = hosts, has_accounts
    assert bool(others_need_accounts()) is refused


@pytest.mark.parametrize(
    ("address", "has_accounts", "refused"),
    [
        (("127.0.0.1", 8000), "", False),
        (("::1", 8000), "no", False),
        ("/run/featureviz.sock", "", False),
        (("0.0.0.0", 8000), "", True),
        (("::", 8000), "", True),
        (("192.0.2.7", 8000), "no", True),
        (("0.0.0.0", 8000), "1", False),
    ],
)
def test_an_address_of_others_needs_accounts(monkeypatch, address, has_accounts, refused):
    monkeypatch.setenv("FEATUREVIZ_ACCOUNTS", has_accounts)
    start = runpy.run_path(str(ROOT / "gunicorn.conf.py"))["on_starting"]
    server = SimpleNamespace(cfg=SimpleNamespace(address=[address]))
    with pytest.raises(SystemExit, match="no accounts") if refused else nullcontext():
        start(server)


@pytest.mark.parametrize(
    ("bind", "changed"),
    [("0.0.0.0:0", {}), ("127.0.0.1:0", {"ALLOWED_HOSTS": "lab.example.org"})],
)
def test_a_server_for_others_does_not_start_without_accounts(tmp_path, bind, changed):
    command = [sys.executable, "-m", "gunicorn", "featureviz.wsgi", "--no-control-socket"]
    done = subprocess.run(
        [*command, "--bind", bind],
        cwd=ROOT,
        env={**os.environ, "FEATUREVIZ_DATA": str(tmp_path), **changed},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "FEATUREVIZ_ACCOUNTS=1" in done.stderr + done.stdout


def test_a_provider_is_offered_where_its_application_is_given(tmp_path):
    script = (
        "import django; django.setup()\n"
        "from django.core.management import call_command; call_command('migrate', verbosity=0)\n"
        "from django.test import Client\n"
        "client = Client(headers={'host': 'localhost'})\n"
        "page = client.get('/accounts/login/')\n"
        "print(page.content.decode(), page.headers['Content-Security-Policy'])\n"
        "print(client.post('/accounts/github/login/').headers['Location'])\n"
    )
    given = {"FEATUREVIZ_ACCOUNTS": "1", "FEATUREVIZ_DATA": str(tmp_path), "DEBUG": "1"}
    given |= {"FEATUREVIZ_GITHUB_ID": "their-id", "FEATUREVIZ_GITHUB_SECRET": "their-secret"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Sign in with GitHub" in done.stdout, done.stderr
    assert "https://github.com/login/oauth/authorize?client_id=their-id" in done.stdout
    assert "form-action 'self' https://github.com;" in done.stdout
    assert "their-secret" not in done.stdout
