"""Tags, stars and lists: latents kept together."""

import csv
import io
import re

import pytest

from featureviz.annotate import explanations, lists, shares
from featureviz.annotate.explanations import Signature
from featureviz.annotate.models import LatentList, Star, Tag
from featureviz.annotate.shares import Terms
from featureviz.annotate.texts import AnnotateError
from tests.factories import make_run

pytestmark = pytest.mark.django_db
PAGE = "/demo/sae/3"


def html_of(browser, path):
    reply = browser.get(path)
    assert reply.status_code == 200
    return reply.content.decode()


def indices(of):
    return [each.index for each in of.entries.all()]


@pytest.fixture
def dates(team, people):
    """Bob's list for the team: latents 3, 5, 1."""
    made = lists.create("Dates", people["bob"], team)
    for index in (3, 5, 1):
        lists.add(made, team.dictionaries.get(), index, people["bob"])
    return made


def test_a_latent_is_put_at_the_end_of_a_list_once(dates, browsers):
    for index in (4, 3):
        browsers["bob"].post(f"/demo/sae/{index}/mark/list", {"list": dates.pk})
    assert indices(dates) == [3, 5, 1, 4]


@pytest.mark.parametrize(
    ("entry", "place", "order"),
    [
        (1, 1, [1, 3, 5]),
        (3, 3, [5, 1, 3]),
        (5, 2, [3, 5, 1]),
        (3, 99, [5, 1, 3]),
        (1, 0, [1, 3, 5]),
    ],
)
def test_a_latent_is_moved_to_a_place(dates, entry, place, order):
    lists.move(dates.entries.get(index=entry), place)
    assert indices(dates) == order


def test_a_list_shows_its_notes_and_what_is_said_of_its_latents(dates, people, browsers):
    explanations.write(dates.entries.first().dictionary, 5, "*Years*", Signature(people["alice"]))
    entry = dates.entries.get(index=5)
    change = {"do": "note", "entry": entry.pk, "note": "The best one"}
    browsers["bob"].post(f"/lists/{dates.pk}/change", change)
    html = html_of(browsers["rita"], f"/lists/{dates.pk}")
    assert re.findall(r'data-latent="demo/sae/(\d)"', html) == ["3", "5", "1"]
    assert "Years" in html
    assert "The best one" in html


def test_a_list_is_exported_as_csv_and_json(dates, people, browsers):
    explanations.write(
        dates.entries.first().dictionary, 5, "=1+1, years", Signature(people["alice"])
    )
    text = html_of(browsers["rita"], f"/lists/{dates.pk}.csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["address"] for row in rows] == ["demo/sae/3", "demo/sae/5", "demo/sae/1"]
    assert rows[1]["explanation"] == "'=1+1, years"
    assert rows[1]["explained_by"] == "alice"
    record = browsers["rita"].get(f"/lists/{dates.pk}.json").json()
    assert record["name"] == "Dates"
    assert [each["place"] for each in record["latents"]] == [1, 2, 3]
    assert record["latents"][1]["explanation"] == "=1+1, years"


def test_an_export_of_another_kind_is_not_there(dates, browsers):
    assert browsers["bob"].get(f"/lists/{dates.pk}.xlsx").status_code == 404


def test_a_list_for_nobody_else_is_its_owners(team, people, browsers):
    own = lists.create("Mine", people["bob"])
    found = {
        name for name, each in browsers.items() if each.get(f"/lists/{own.pk}").status_code == 200
    }
    assert found == {"bob"}
    assert "Mine" not in html_of(browsers["edith"], "/lists/")
    reply = browsers["edith"].post(f"{PAGE}/mark/list", {"list": own.pk})
    assert reply.status_code == 404


def test_a_list_shows_of_its_latents_those_its_reader_may_see(team, people, browsers, store):
    open_one = make_run(dictionary="open").dictionary
    mixed = lists.create("Mixed", people["alice"], open_one.workspace)
    for dictionary in (team.dictionaries.get(), open_one):
        lists.add(mixed, dictionary, 3, people["alice"])
    assert "demo/sae" in html_of(browsers["bob"], f"/lists/{mixed.pk}")
    for form in ("", ".csv", ".json"):
        seen = html_of(browsers["charlie"], f"/lists/{mixed.pk}{form}")
        assert "demo/open/3" in seen
        assert "demo/sae" not in seen


def test_a_link_to_a_list_opens_it_and_its_latents(dates, people, browsers):
    target = shares.targets_of(f"/lists/{dates.pk}")
    link = shares.create(f"/lists/{dates.pk}", target, Terms("read"), people["bob"])
    reply = browsers["nobody"].get(f"/s/{link.token}")
    html = html_of(browsers["nobody"], reply.headers["Location"])
    assert html.count("data-latent") == 3
    assert browsers["nobody"].get("/demo/sae/5").status_code == 200
    assert browsers["nobody"].get("/demo/sae/4").status_code == 404
    assert browsers["nobody"].post(f"/lists/{dates.pk}/change").status_code != 200


def test_a_list_is_made_for_a_workspace_one_writes_in(team, browsers):
    made = {"name": "New", "workspace": "the-team"}
    assert browsers["bob"].post("/lists/", made).status_code == 302
    assert browsers["rita"].post("/lists/", made).status_code == 404
    assert browsers["charlie"].post("/lists/", made).status_code == 404
    assert browsers["nobody"].post("/lists/", made).headers["Location"].startswith("/accounts/")
    assert LatentList.objects.get().workspace == team


def test_a_star_is_seen_by_its_person_alone(team, browsers):
    browsers["rita"].post(f"{PAGE}/mark/star", {"star": "on"})
    assert "★ Starred" in html_of(browsers["rita"], PAGE)
    assert "☆ Star" in html_of(browsers["bob"], PAGE)
    assert "demo/sae/3" in html_of(browsers["rita"], "/lists/")
    assert "demo/sae/3" not in html_of(browsers["bob"], "/lists/")
    browsers["rita"].post(f"{PAGE}/mark/star", {"star": "off"})
    assert not Star.objects.exists()


def test_a_tag_leads_to_all_latents_that_have_it(team, browsers):
    for index, name in ((3, "Dates"), (5, " dates "), (5, "weak")):
        browsers["bob"].post(f"/demo/sae/{index}/mark/tag", {"tag": name})
    assert '<a href="/lists/tag/dates">dates</a>' in html_of(browsers["rita"], PAGE)
    html = html_of(browsers["rita"], "/lists/tag/dates")
    assert re.findall(r'data-latent="demo/sae/(\d)"', html) == ["3", "5"]
    assert browsers["charlie"].get("/lists/tag/dates").status_code == 404
    assert "dates" not in html_of(browsers["charlie"], "/lists/")


def test_a_tag_that_is_taken_off_is_kept_with_who_did_it(team, browsers):
    browsers["bob"].post(f"{PAGE}/mark/tag", {"tag": "dates"})
    browsers["edith"].post(f"{PAGE}/mark/untag", {"tag": "dates"})
    assert "/lists/tag/dates" not in html_of(browsers["bob"], PAGE)
    gone = Tag.objects.get()
    assert (gone.author.username, gone.removed_by.username) == ("bob", "edith")
    browsers["bob"].post(f"{PAGE}/mark/tag", {"tag": "dates"})
    assert Tag.objects.filter(removed_at=None).count() == 1


@pytest.mark.parametrize("name", ["", " ", "a/b", "x" * 41, "<b>", "-"])
def test_a_tag_is_a_word_or_a_few(team, people, name):
    if name == "-":
        name = "a\nb?"
    with pytest.raises(AnnotateError):
        lists.tag(team.dictionaries.get(), 3, name, people["bob"])
