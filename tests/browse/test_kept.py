"""Parts drawn once: the same as drawn anew, for everybody, and bounded."""

import pytest
from django.utils.safestring import SafeString, mark_safe

from featureviz.browse.kept import KEPT, Kept
from featureviz.catalog.models import Corpus, Dictionary, Run
from tests.ablated import give_effects
from tests.factories import make_run


def drawing(text, times):
    def draw():
        times.append(text)
        return mark_safe(text)

    return draw


def test_a_part_is_drawn_once_under_its_key():
    kept, times = Kept(), []
    found = [kept.part(key, drawing("<b>ä</b>", times)) for key in (1, 1, 2)]
    assert found == ["<b>ä</b>"] * 3
    assert all(isinstance(each, SafeString) for each in found)
    assert len(times) == 2


def test_the_part_not_asked_for_longest_goes_first():
    kept, times = Kept(most_bytes=20), []
    for key in (1, 2, 1, 3):
        kept.part(key, drawing("x" * 8, times))
    kept.part(1, drawing("again", times))
    assert (len(kept), "again" in times) == (2, False)
    kept.part(2, drawing("again", times))
    assert "again" in times


def test_a_part_larger_than_all_room_is_drawn_and_not_kept():
    kept = Kept(most_bytes=3)
    assert kept.part(1, lambda: mark_safe("four")) == "four"
    assert len(kept) == 0


def test_what_is_kept_again_takes_the_place_and_the_room_of_what_was_there():
    kept = Kept(most_bytes=20)
    for made in (b"x" * 12, b"y" * 12):
        kept.keep(1, made)
    kept.keep(2, b"z" * 8)
    assert (kept.find(1), kept.find(2), kept.find(3)) == (b"y" * 12, b"z" * 8, None)


@pytest.mark.django_db
def test_a_page_of_kept_parts_is_the_page_drawn_anew(client, store):
    give_effects(make_run())
    for query in ("", "?view=16&num=on", "?ex=0.3", "?scale=all", "?class=re:a"):
        KEPT.clear()
        first = client.get(f"/demo/sae/3{query}").content
        assert client.get(f"/demo/sae/3{query}").content == first


@pytest.mark.django_db
def test_a_page_goes_by_the_names_of_today(client, store):
    run = make_run()
    KEPT.clear()
    client.get("/demo/sae/3")
    Corpus.objects.filter(pk=run.corpus_id).update(name="other-texts")
    Dictionary.objects.filter(pk=run.dictionary_id).update(name="renamed")
    Run.objects.filter(pk=run.pk).update(provenance={"versions": {"torch": "9.9"}})
    renamed = client.get("/demo/renamed/3").content
    KEPT.clear()
    assert renamed == client.get("/demo/renamed/3").content
    assert all(name in renamed for name in (b"other-texts", b"/demo/renamed/", b"torch 9.9"))
    assert b"/demo/sae/" not in renamed


@pytest.mark.django_db
def test_a_page_links_to_the_host_it_is_asked_by(client, store):
    make_run()
    KEPT.clear()
    for host in ("localhost", "127.0.0.1"):
        found = client.get("/demo/sae/3", headers={"host": host}).content.decode()
        assert f'<link rel="canonical" href="http://{host}/demo/sae/3">' in found


@pytest.mark.django_db
def test_what_one_reader_typed_is_on_no_other_readers_page(client, store):
    make_run()
    KEPT.clear()
    client.get("/demo/sae/3?text=secret")
    assert b"secret" not in client.get("/demo/sae/3").content
    assert b"secret" in client.get("/demo/sae/3?text=secret").content
