"""Who asks, how often, and what a stranger can tell."""

import pytest
from django.test import Client

from featureviz.annotate.models import ApiToken, Explanation

pytestmark = pytest.mark.django_db
LATENT = "/api/v1/latents/demo/sae/3"
SAID = f"{LATENT}/explanations"


def test_a_token_reads_as_its_person(programs, team):
    assert programs["rita"].get(LATENT).status_code == 200
    assert programs["charlie"].get(LATENT).status_code == 404
    assert Client().get(LATENT).status_code == 404


def test_a_token_writes_without_a_csrf_token(bob, send):
    assert send(bob, "post", SAID, text="Digits").status_code == 201
    assert Explanation.objects.get().author.username == "bob"


def test_a_session_writes_only_with_a_csrf_token(team, people, send):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(people["bob"])
    assert send(browser, "post", SAID, text="Digits").status_code == 403
    browser.get("/accounts/")
    token = browser.cookies["csrftoken"].value
    browser.defaults["HTTP_X_CSRFTOKEN"] = token
    assert send(browser, "post", SAID, text="Digits").status_code == 201


def test_who_says_not_who_they_are_is_asked_to(send, store):
    from tests.factories import make_run

    make_run()
    reply = send(Client(REMOTE_ADDR="198.51.100.7"), "post", "/api/v1/lists", name="x")
    assert reply.status_code == 401
    assert reply.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("token", ["", "fv_wrong", "x y", "ä"])
def test_a_wrong_token_is_refused_even_where_none_is_needed(db, token):
    reply = Client().get("/api/v1/models", headers={"Authorization": f"Bearer {token}"})
    assert reply.status_code == 401


def test_a_revoked_token_is_refused(bob):
    ApiToken.objects.filter(user__username="bob").update(revoked_at="2026-01-01T00:00:00Z")
    assert bob.get(LATENT).status_code == 401


def test_a_wrong_body_tells_a_stranger_nothing(programs, team, send):
    replies = [
        send(programs["charlie"], "post", path, nonsense=1)
        for path in (SAID, SAID.replace("sae/3", "sae/99"), SAID.replace("sae", "none"))
    ]
    assert {reply.status_code for reply in replies} == {404}


def test_too_many_requests_are_told_how_long_to_wait(programs, team, settings):
    settings.FEATUREVIZ_API_PER_MINUTE = 3
    replies = [programs["bob"].get("/api/v1/me") for _ in range(4)]
    assert [reply.status_code for reply in replies] == [200, 200, 200, 429]
    assert 0 < int(replies[3].headers["Retry-After"]) <= 60
    assert programs["rita"].get("/api/v1/me").status_code == 200


def test_wrong_tokens_count_by_address(db, settings):
    settings.FEATUREVIZ_API_PER_MINUTE = 2
    wrong = Client(headers={"Authorization": "Bearer fv_x"})
    assert [wrong.get("/api/v1/me").status_code for _ in range(3)] == [401, 401, 429]
    elsewhere = Client(REMOTE_ADDR="198.51.100.7")
    assert elsewhere.get("/api/v1/models").status_code == 200


def test_behind_a_known_server_each_caller_has_a_limit_of_their_own(db, settings):
    settings.FEATUREVIZ_API_PER_MINUTE, settings.FEATUREVIZ_HTTPS = 1, True

    def ask(caller):
        called = {"X-Forwarded-For": f"203.0.113.9, {caller}"}
        return Client().get("/api/v1/models", headers=called).status_code

    assert [ask("198.51.100.7"), ask("198.51.100.8"), ask("198.51.100.7")] == [200, 200, 429]


def test_no_limit_is_a_setting(db, settings, client):
    settings.FEATUREVIZ_API_PER_MINUTE = 0
    assert {client.get("/api/v1/models").status_code for _ in range(5)} == {200}


def test_a_token_is_made_on_the_profile_shown_once_and_revoked(accounts, browsers):
    page = browsers["alice"].post("/accounts/tokens", {"name": "my notebook"})
    token = page.content.decode().partition("fv_")[2].partition("<")[0]
    program = Client(headers={"Authorization": f"Bearer fv_{token}"})
    assert program.get("/api/v1/me").json()["name"] == "alice"
    profile = browsers["alice"].get("/accounts/").content.decode()
    assert "my notebook" in profile
    assert token not in profile
    browsers["alice"].post(f"/accounts/tokens/{ApiToken.objects.get().pk}/revoke")
    assert program.get("/api/v1/me").status_code == 401


def test_nobody_makes_no_token(accounts, browsers):
    assert browsers["nobody"].post("/accounts/tokens", {"name": "x"}).status_code == 403
    assert not ApiToken.objects.exists()


def test_who_sits_at_the_machine_is_its_owner(store, client):
    assert client.get("/api/v1/me", headers={"Host": "localhost"}).json()["name"] == "owner"
