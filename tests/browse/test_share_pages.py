"""A link shows whoever follows it what it was made for, and no more."""

import re
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from featureviz.annotate import shares, workspaces
from featureviz.annotate.models import Comment, Explanation, ShareLink
from featureviz.annotate.shares import Terms
from tests.factories import make_run

pytestmark = pytest.mark.django_db
PAGE = "/demo/sae/3"


@pytest.fixture
def share(team, browsers):
    """Make a link as bob does on the page; its token is returned."""
    cache.clear()  # of passwords tried for a link with the same key

    def make(address=PAGE, **terms):
        asked = {"address": address, "scope": "read", **terms}
        reply = browsers["bob"].post("/s/", asked)
        assert reply.status_code == 302, reply.content.decode()
        return ShareLink.objects.first().token

    return make


def status(browser, path=PAGE):
    return browser.get(path).status_code


def test_a_link_opens_its_page_in_the_very_state_it_was_shared(share, browsers):
    address = f"{PAGE}?view=16&num=on&ex=0.4&tok=4"
    reply = browsers["nobody"].get(f"/s/{share(address)}")
    assert reply.headers["Location"] == address
    html = browsers["nobody"].get(address).content.decode()
    assert 'data-view="16"' in html
    assert 'id="ex"' in html


def test_a_latents_link_opens_that_latent_and_nothing_beside_it(share, browsers):
    browsers["charlie"].get(f"/s/{share()}")
    opened = {
        path: status(browsers["charlie"], path)
        for path in (
            PAGE, f"{PAGE}.json", "/api/feature/demo/sae/3", f"{PAGE}/card",
            "/demo/sae/4", "/demo/sae/", "/demo/sae/random", "/demo/", "/api/feature/demo/sae/4",
        )
    }  # fmt: skip
    assert [path for path, found in opened.items() if found == 200] == list(opened)[:4]
    assert set(opened.values()) == {200, 404}


def test_a_dictionarys_link_opens_all_of_it(share, browsers):
    browsers["charlie"].get(f"/s/{share('/demo/sae/?sort=-max')}")
    assert status(browsers["charlie"], "/demo/sae/") == 200
    assert status(browsers["charlie"], "/demo/sae/5") == 200


def test_latents_that_an_address_compares_are_opened(team):
    targets = shares.targets_of("/runs/?a=demo/sae/3&b=demo/sae/5&c=nothing")
    assert [(str(each.dictionary), each.index) for each in targets] == [
        ("demo/sae", 3),
        ("demo/sae", 5),
    ]


@pytest.mark.parametrize(
    ("address", "opened"),
    [
        ("/search?q=self&where=demo/sae", ["demo/sae"]),
        ("/search/text?where=demo/sae&text=self", ["demo/sae"]),
        ("/search?q=self", []),
    ],
)
def test_a_search_within_a_dictionary_opens_it(team, address, opened):
    targets = shares.targets_of(address)
    assert [str(each.dictionary) for each in targets] == opened
    assert all(each.index is None for each in targets)


def test_a_search_within_what_is_not_there_is_not_shared(team):
    with pytest.raises(shares.NothingThereError):
        shares.targets_of("/search?q=self&where=demo/nowhere")


@pytest.mark.parametrize("scope", ["read", "comment", "annotate"])
def test_whoever_signs_in_may_what_the_link_says(share, browsers, scope):
    token = share(scope=scope)
    for name in ("charlie", "nobody"):
        browsers[name].get(f"/s/{token}")
        browsers[name].post(f"{PAGE}/comments", {"text": "Hello"})
        browsers[name].post(f"{PAGE}/explanations", {"text": "Digits"})
    comments = {each.author.username for each in Comment.objects.all()}
    explanations = {each.author.username for each in Explanation.objects.all()}
    assert comments == (set() if scope == "read" else {"charlie"})
    assert explanations == ({"charlie"} if scope == "annotate" else set())
    assert ("once you" in browsers["nobody"].get(PAGE).content.decode()) is (scope != "read")


def test_a_revoked_link_is_closed_for_those_too_who_came_by_it(share, browsers):
    token = share()
    browsers["charlie"].get(f"/s/{token}")
    assert status(browsers["charlie"]) == 200
    browsers["bob"].post(f"/s/link/{ShareLink.objects.get().pk}/revoke")
    assert status(browsers["charlie"]) == 404
    assert status(browsers["charlie"], f"/s/{token}") == 404


def test_a_link_that_is_over_opens_nothing(share, browsers):
    token = share(days="2")
    browsers["charlie"].get(f"/s/{token}")
    assert status(browsers["charlie"]) == 200
    ShareLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert status(browsers["charlie"]) == 404
    assert status(browsers["charlie"], f"/s/{token}") == 404


def test_a_link_of_somebody_who_left_opens_nothing(share, team, browsers):
    browsers["charlie"].get(f"/s/{share()}")
    workspaces.set_role(team, "bob", None)
    assert status(browsers["charlie"]) == 404


def test_a_password_is_asked_for(share, browsers):
    token = share(password="open sesame")
    charlie = browsers["charlie"]
    assert "asks for a password" in charlie.get(f"/s/{token}").content.decode()
    assert charlie.post(f"/s/{token}", {"password": "guess"}).status_code == 403
    assert status(charlie) == 404
    assert charlie.post(f"/s/{token}", {"password": "open sesame"}).headers["Location"] == PAGE
    assert status(charlie) == 200
    assert "sesame" not in ShareLink.objects.get().password


def test_a_password_is_not_found_by_trying_many(share, browsers):
    token = share(password="open sesame")
    found = [browsers["charlie"].post(f"/s/{token}", {"password": "x"}) for _ in range(21)]
    assert {each.status_code for each in found[:20]} == {403}
    assert found[20].status_code == 429
    assert browsers["charlie"].post(f"/s/{token}", {"password": "open sesame"}).status_code == 429


def test_openings_are_counted(share, browsers):
    token = share()
    for name in ("charlie", "nobody", "charlie"):
        browsers[name].get(f"/s/{token}")
    html = browsers["bob"].get(ShareLink.objects.get().get_absolute_url()).content.decode()
    assert "Opened 3 times" in html


def test_tokens_cannot_be_guessed(share):
    tokens = {share() for _ in range(20)}
    assert len(tokens) == 20
    assert all(len(token) == 43 for token in tokens)  # 256 bits


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://evil.example/demo/sae/3", 404),
        ("//evil.example/demo/sae/3", 404),
        ("javascript:alert(1)", 404),
        ("/demo/nothing/3", 404),
        ("/demo/sae/99", 404),
        ("/no/such/page/at/all", 404),
        ("", 404),
    ],
)
def test_only_what_is_here_can_be_shared(team, browsers, address, expected):
    reply = browsers["bob"].post("/s/", {"address": address, "scope": "read"})
    assert reply.status_code == expected
    assert not ShareLink.objects.exists()


@pytest.mark.parametrize(("who", "expected"), [("rita", 403), ("charlie", 404)])
def test_who_only_reads_does_not_share(team, browsers, who, expected):
    reply = browsers[who].post("/s/", {"address": PAGE, "scope": "read"})
    assert reply.status_code == expected


@pytest.mark.parametrize("terms", [{"scope": "own"}, {"days": "0"}, {"days": "99999"}])
def test_terms_that_are_none_make_no_link(team, browsers, terms):
    browsers["bob"].post("/s/", {"address": PAGE, "scope": "read", **terms})
    assert not ShareLink.objects.exists()


def test_a_link_is_seen_by_who_made_it_and_by_owners(share, browsers):
    share()
    path = ShareLink.objects.get().get_absolute_url()
    found = {name for name, browser in browsers.items() if status(browser, path) == 200}
    assert found == {"alice", "bob"}


def test_the_page_to_share_is_the_one_left_as_it_was_drawn_last(team, browsers):
    html = (
        browsers["bob"]
        .get(f"/s/?address={PAGE}", headers={"referer": f"http://testserver{PAGE}?view=16"})
        .content.decode()
    )
    assert f'value="{PAGE}?view=16"' in html
    html = browsers["bob"].get(PAGE).content.decode()
    assert re.search(r'href="/s/\?address=%2Fdemo%2Fsae%2F3">Share', html)


def test_a_link_to_what_is_public_lets_a_stranger_write_there(accounts, people, browsers, store):
    dictionary = make_run().dictionary
    target = shares.Target(dictionary, 3)
    people["alice"].is_superuser = True
    people["alice"].save()
    link = shares.create(PAGE, [target], Terms("annotate"), people["alice"])
    assert browsers["charlie"].post(f"{PAGE}/explanations", {"text": "x"}).status_code == 403
    browsers["charlie"].get(f"/s/{link.token}")
    assert browsers["charlie"].post(f"{PAGE}/explanations", {"text": "x"}).status_code == 302
