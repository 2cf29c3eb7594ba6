"""What is found by meaning; the vectors are given, so every cosine is known."""

import html
import re

import numpy as np
import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from featureviz.annotate import meaning as kept
from featureviz.annotate.explanations import Signature, edit, withdraw
from featureviz.annotate.models import ExplanationVector
from featureviz.browse.search import meaning
from featureviz.browse.search.language import parse
from featureviz.browse.search.meaning import closest, meant, vectors
from featureviz.browse.search.results import Asked, Results
from featureviz.catalog import questions
from featureviz.catalog.addresses import readable_runs
from featureviz.catalog.models import Question, Run, Worker
from featureviz.catalog.reading import Reader, reading_as
from featureviz.catalog.runs import reindex
from tests.browse.search.conftest import explain, searchable
from tests.browse.search.meanings import MODEL, QUERY, answered, at, said

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def model(tmp_path, settings):  # a folder is all that the web process looks at
    meaning._held.clear()
    settings.FEATUREVIZ_EMBEDDING_MODEL = tmp_path
    yield settings
    meaning._held.clear()


def a_worker():
    Worker.objects.create(name="somebody", seen_at=timezone.now())


def found(text, user=None, **given):
    user = user or AnonymousUser()
    answered(meant(parse(text)) or "nothing")
    return closest(Results.of(Asked(parse(text), **given), readable_runs()), user)


def near(text, **given):
    return [
        (f"{hit.scope.address}/{hit.index}", round(hit.close.cosine, 3))
        for hit in found(text, **given).hits
    ]


def test_latents_are_found_by_the_cosine_of_their_best_explanation(run):
    said(run, 3, "speech", 0.25)
    said(run, 5, "dialogue", 0.875)
    said(run, 3, "talk", 0.5)
    said(run, 1, "silence", -0.5)
    said(run, 0, "babble", 0.5)
    expected = [
        ("demo/sae/5", 0.875),
        ("demo/sae/0", 0.5),
        ("demo/sae/3", 0.5),
        ("demo/sae/1", -0.5),
    ]
    assert near("zebras") == expected


def test_as_plain_numpy_ranks_them_however_many_there_are(run, monkeypatch):
    many = searchable(dictionary="many", n_latents=60)
    cosines = np.random.default_rng(0).uniform(-1, 1, 60).astype(np.float32)
    for index, cosine in enumerate(cosines):
        said(many, index, "speech", cosine)
    ranked = [f"demo/many/{index}" for index in np.argsort(-cosines, kind="stable")]
    for at_once in (512, 3):
        monkeypatch.setattr(meaning, "_AT_ONCE", at_once)
        assert [address for address, _ in near("zebras")] == ranked[: meaning.SHOWN]


def test_what_the_words_find_is_not_repeated(run):
    said(run, 2, "zebras", 1.0)
    said(run, 3, "stripes", 0.5)
    assert near("zebras") == [("demo/sae/3", 0.5)]


def test_other_terms_and_the_place_must_hold(run):
    other = searchable(dictionary="b", n_latents=5)
    for each in (run, other):
        for index in range(5):
            said(each, index, "stripes", 0.5)
    places = [address for address, _ in near("zebras index:3..9")]
    assert places == ["demo/b/3", "demo/b/4", "demo/sae/3", "demo/sae/4"]
    assert near("zebras -index:0 -dict:demo/sae") == [(f"demo/b/{at}", 0.5) for at in (1, 2, 3, 4)]
    assert len(near("zebras", where="demo/b")) == 5
    assert near("zebras -explanation:stripes") == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cat dog", "cat dog"),
        ('"in the" cat is:alive', "in the cat"),
        ("-cat fires:dog density:>0", ""),
        ("beca*", ""),
        ("77 !", ""),
    ],
)
def test_only_bare_words_are_meant(run, text, words):
    assert meant(parse(text)) == words
    assert (found(text) is None) == (not words)


def test_a_way_that_was_chosen_leaves_meaning_out(run):
    assert found("zebras", kind="fires") is None


def test_a_text_changed_since_it_was_read_or_withdrawn_is_not_shown(run):
    one, two = said(run, 1, "speech", 0.9), said(run, 2, "talk", 0.8)
    assert [address for address, _ in near("zebras")] == ["demo/sae/1", "demo/sae/2"]
    edit(one, "silence", Signature(author=one.author), version=1)
    assert near("zebras") == [("demo/sae/2", 0.8)]
    one.refresh_from_db()
    kept.keep([one], MODEL, at(0.1)[None])
    assert near("zebras") == [("demo/sae/2", 0.8), ("demo/sae/1", 0.1)]
    withdraw(two)
    assert near("zebras") == [("demo/sae/1", 0.1)]


def test_explanations_one_may_not_read_never_appear(team, people):
    secret, shown = Run.objects.get(), searchable(dictionary="shown")
    reindex(secret)
    said(secret, 1, "secret", 0.9, by="bob")
    said(shown, 2, "open", 0.5, by="bob")
    for name, expected in (("rita", ["sae/1", "shown/2"]), ("charlie", ["shown/2"])):
        with reading_as(Reader(people[name])):
            addresses = [address for address, _ in near("zebras", user=people[name])]
        assert addresses == [f"demo/{each}" for each in expected]


def test_vectors_of_another_model_are_not_compared(run):
    kept.keep([explain(run, 1, "speech")], "o" * 64, at(0.9)[None])
    assert found("zebras").left_out == meaning._NONE


def test_what_was_kept_meanwhile_is_read_and_what_went_is_dropped(run, django_assert_num_queries):
    one = said(run, 1, "speech", 0.9)
    assert len(vectors(MODEL).rows) == 1
    with django_assert_num_queries(1):
        assert len(vectors(MODEL).rows) == 1
    two = said(run, 2, "talk", 0.8)
    assert vectors(MODEL).rows[:, 1].tolist() == [one.pk, two.pk]
    ExplanationVector.objects.get(explanation=two).delete()
    assert vectors(MODEL).rows[:, 1].tolist() == [one.pk]
    kept.keep([one, two], MODEL, np.stack([at(0.1), at(0.2)]))
    assert np.allclose(vectors(MODEL).matrix @ np.array(QUERY, np.float32), [0.1, 0.2])


def test_a_row_that_a_slow_worker_adds_before_the_last_is_not_missed(run):
    one, two, three = (said(run, at, "speech", at / 10) for at in (1, 2, 3))
    late = ExplanationVector.objects.get(explanation=two)
    key = late.pk
    late.delete()
    assert len(vectors(MODEL).rows) == 2
    late.pk = key
    late.save(force_insert=True)
    said(run, 4, "talk", 0.4)
    assert sorted(vectors(MODEL).rows[:, 4].tolist()) == [1, 2, 3, 4]
    assert (one.index, three.index) == (1, 3)


def page(client, **query):
    return re.sub(r"\s+", " ", client.get("/search", query).content.decode())


def test_the_page_shows_the_cosine_and_leads_to_the_explanation(client, run):
    explanation = said(run, 3, "Speech <b>reported</b> by others", 0.87)
    explain(run, 2, "Zebras")
    answered("zebras")
    shown = page(client, q="zebras")
    words, near_by = shown.split("Close in meaning")
    assert "demo/sae/2" in words
    assert "demo/sae/3" not in words
    assert "demo/sae/2" not in near_by
    assert "cosine 0.87, ada" in near_by
    assert f'href="/demo/sae/3#explanation-{explanation.pk}"' in near_by
    assert "Speech &lt;b&gt;reported" in near_by


def test_where_no_model_is_named_nothing_of_it_is_shown(client, run, model):
    said(run, 3, "speech", 0.87)
    answered("zebras")
    model.FEATUREVIZ_EMBEDDING_MODEL = None
    assert "meaning" not in page(client, q="zebras").lower()


def test_where_no_worker_is_up_the_words_results_stand_and_a_line_says_so(client, run):
    explain(run, 2, "Zebras")
    shown = page(client, q="zebras")
    assert "demo/sae/2" in shown
    assert "No worker is up, so meaning was left out." in shown
    assert Question.objects.count() == 0


def test_while_a_worker_is_busy_the_page_says_so_and_looks_again(client, run, monkeypatch):
    a_worker()
    monkeypatch.setattr(meaning, "_QUICK", 0.0)
    shown = page(client, q="zebras")
    question = Question.objects.get()
    assert question.asked["text"] == "zebras"
    assert f'data-ask="/questions/{question.pk}"' in html.unescape(shown)


def test_where_too_many_wait_meaning_is_left_out(client, run, monkeypatch):
    a_worker()
    monkeypatch.setattr(questions, "MOST_WAITING", 0)
    assert "Many questions wait already, so meaning was left out." in page(client, q="zebras")


def test_another_model_in_the_folder_is_asked_anew(client, run, tmp_path):
    answered("zebras")
    assert found("zebras").left_out == meaning._NONE
    (tmp_path / "config.json").write_text("{}")
    assert "No worker is up" in page(client, q="zebras")


def test_later_pages_show_the_words_results_alone(client, run):
    searchable(dictionary="many", n_latents=50)
    answered("something")
    assert "Close in meaning" in page(client, q="something")
    assert "Close in meaning" not in page(client, q="something", page=2)
