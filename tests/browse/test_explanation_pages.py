"""What is written on a latent's page, and what becomes of it."""

import re

import pytest

from featureviz.annotate import explanations
from featureviz.annotate.explanations import Signature
from featureviz.annotate.models import Explanation, pinned_for

pytestmark = pytest.mark.django_db
PAGE = "/demo/sae/3"
WRITE = f"{PAGE}/explanations"


def page(browser, path=PAGE, status=200):
    reply = browser.get(path)
    assert reply.status_code == status
    return reply.content.decode()


def heading(html):
    return re.sub(r"<[^>]+>|\s+", " ", re.search(r"<h1>.*?</h1>", html, re.DOTALL).group()).strip()


@pytest.fixture
def written(team, people):
    """Bob's explanation of latent 3, pinned since it is the first."""
    dictionary = team.dictionaries.get()
    return explanations.write(dictionary, 3, "Fires on *digits*.", Signature(people["bob"]))


def test_the_pinned_explanation_heads_the_page_with_its_author(written, browsers):
    html = page(browsers["rita"])
    assert heading(html) == "Fires on digits."
    assert "bob," in html
    assert "<em>digits</em>" in html


def test_a_latent_nobody_explained_says_what_it_fires_on(team, browsers):
    html = page(browsers["rita"])
    assert heading(html).startswith("Fires on")
    assert "Nobody has said yet what it stands for." in html


def test_writing_leads_back_to_the_page_as_it_was_drawn(team, browsers):
    referer = f"http://testserver{PAGE}?view=16"
    reply = browsers["bob"].post(
        WRITE, {"text": "Digits", "draft": "d"}, headers={"referer": referer}
    )
    new = Explanation.objects.get()
    assert reply.headers["Location"] == f"{PAGE}?view=16#explanation-{new.pk}"
    assert reply.cookies["saved"].value == "d"
    assert new.author.username == "bob"


@pytest.mark.parametrize("text", ["", "x" * 10_001])
def test_what_cannot_be_kept_is_said_on_the_page(team, browsers, text):
    reply = browsers["bob"].post(WRITE, {"text": text}, follow=True)
    assert re.search(r'class="message" role="status">The text', reply.content.decode())
    assert not Explanation.objects.exists()


def test_an_edit_is_kept_in_the_history_with_what_it_changed(written, browsers):
    browsers["edith"].post(
        f"{WRITE}/{written.pk}/edit", {"text": "Fires on *years*.", "version": 1}
    )
    html = page(browsers["rita"], f"{WRITE}/{written.pk}")
    assert "<del>digits</del><ins>years</ins>" in html
    assert html.index("Version 2") < html.index("Version 1")
    assert "edith" in html
    assert heading(page(browsers["rita"])) == "Fires on years."


def test_an_earlier_text_is_restored_as_a_new_version(written, browsers):
    bob = browsers["bob"]
    bob.post(f"{WRITE}/{written.pk}/edit", {"text": "Wrong", "version": 1})
    bob.post(f"{WRITE}/{written.pk}/restore", {"number": 1, "version": 2})
    written.refresh_from_db()
    assert (written.text, written.version) == ("Fires on *digits*.", 3)


def test_edits_that_collide_keep_both(written, browsers):
    browsers["edith"].post(f"{WRITE}/{written.pk}/edit", {"text": "Years", "version": 1})
    reply = browsers["bob"].post(
        f"{WRITE}/{written.pk}/edit", {"text": "Digits in dates", "version": 1}
    )
    html = reply.content.decode()
    assert reply.status_code == 409
    assert "Both are kept. edith saved version 2" in html
    assert '<p class="pre">Years</p>' in html
    assert ">Digits in dates</textarea>" in html
    browsers["bob"].post(f"{WRITE}/{written.pk}/edit", {"text": "Digits in dates", "version": 2})
    kept = list(written.versions.values_list("text", flat=True))
    assert kept == ["Fires on *digits*.", "Years", "Digits in dates"]


@pytest.mark.parametrize("version", ["", "x", "99999999999"])
def test_a_version_that_is_no_number_changes_nothing(written, browsers, version):
    asked = {"text": "Other", "version": version}
    assert browsers["bob"].post(f"{WRITE}/{written.pk}/edit", asked).status_code == 404
    assert written.versions.count() == 1


def test_votes_are_counted_once_a_person_and_can_be_taken_away(written, browsers):
    def votes(html):
        return re.findall(r'aria-label="(?:A|Disa)gree: (\d+)"', html)

    address = f"{WRITE}/{written.pk}/vote"
    for _ in range(2):
        browsers["bob"].post(address, {"agree": "yes"})
    browsers["edith"].post(address, {"agree": "no"})
    assert votes(page(browsers["bob"])) == ["1", "1"]
    browsers["bob"].post(address, {"agree": "neither"})
    assert votes(page(browsers["bob"])) == ["0", "1"]


def test_another_explanation_is_pinned_by_an_editor(written, people, browsers):
    other = explanations.write(written.dictionary, 3, "Years", Signature(people["bob"]))
    assert browsers["bob"].post(f"{WRITE}/{other.pk}/pin").status_code == 403
    browsers["edith"].post(f"{WRITE}/{other.pk}/pin")
    assert pinned_for(written.dictionary, [3]) == {3: other}
    browsers["edith"].post(f"{WRITE}/{other.pk}/unpin")
    assert heading(page(browsers["rita"])) not in {"Years", "Fires on digits."}


def test_what_is_withdrawn_is_seen_by_those_who_can_take_it_back(written, browsers):
    browsers["bob"].post(f"{WRITE}/{written.pk}/withdraw")
    seen = {name for name in ("alice", "edith", "bob") if "Take back" in page(browsers[name])}
    assert seen == {"alice", "edith", "bob"}
    assert "digits" not in page(browsers["rita"])
    assert browsers["rita"].get(f"{WRITE}/{written.pk}").status_code == 404
    browsers["bob"].post(f"{WRITE}/{written.pk}/take-back")
    assert "digits" in page(browsers["rita"])


def test_the_page_of_a_latent_lists_what_names_it(written, people, browsers):
    explanations.write(written.dictionary, 5, "Like @demo/sae/3, weaker.", Signature(people["bob"]))
    html = page(browsers["rita"])
    assert "Named by" in html
    assert 'data-latent="demo/sae/5"' in html
    explanations.edit(
        Explanation.objects.get(index=5), "Alone.", Signature(people["bob"]), version=1
    )
    assert "Named by" not in page(browsers["rita"])


def test_what_names_a_latent_elsewhere_is_hidden_with_its_latent(written, people, browsers, store):
    from tests.factories import make_run

    public = make_run(dictionary="open").dictionary
    explanations.write(written.dictionary, 5, "Like @demo/open/2.", Signature(people["bob"]))
    assert "Named by" in page(browsers["bob"], f"/demo/{public.name}/2")
    assert "Named by" not in page(browsers["charlie"], f"/demo/{public.name}/2")


def test_a_card_says_what_a_latent_is(written, browsers):
    html = page(browsers["rita"], f"{PAGE}/card")
    assert "Fires on digits." in html
    assert "<html" not in html


def test_the_record_has_the_explanations(written, browsers):
    record = browsers["rita"].get("/demo/sae/3.json").json()
    [said] = record["explanations"]
    assert said["description"] == "Fires on *digits*."
    assert (said["author"], said["is_pinned"], said["version"]) == ("bob", True, 1)


def test_markup_in_an_explanation_is_text(written, people, browsers):
    bad = "<script>alert(1)</script>"
    explanations.write(written.dictionary, 3, bad, Signature(people["bob"]))
    assert bad not in page(browsers["rita"])


def test_who_is_not_signed_in_is_asked_to(written, browsers):
    from featureviz.annotate import workspaces

    workspaces.show_to(written.dictionary.workspace, "public")
    reply = browsers["nobody"].post(WRITE, {"text": "x"}, headers={"referer": "http://x" + PAGE})
    assert reply.headers["Location"] == f"/accounts/login/?next={PAGE}"
    assert "data-draft" not in page(browsers["nobody"])
    assert browsers["charlie"].post(WRITE, {"text": "x"}).status_code == 403
    assert Explanation.objects.count() == 1


def test_without_accounts_the_local_owner_writes(store, client):
    from tests.factories import make_run

    make_run()
    client.post(WRITE, {"text": "Digits"}, headers={"host": "localhost"})
    assert Explanation.objects.get().author.username == "owner"
