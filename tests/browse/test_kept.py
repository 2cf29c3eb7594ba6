"""Parts drawn once: the same as drawn anew, for everybody, and bounded."""

import pytest
from django.utils.safestring import SafeString, mark_safe

from featureviz.browse.kept import KEPT, Kept
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
def test_what_one_reader_typed_is_on_no_other_readers_page(client, store):
    make_run()
    KEPT.clear()
    client.get("/demo/sae/3?text=secret")
    assert b"secret" not in client.get("/demo/sae/3").content
    assert b"secret" in client.get("/demo/sae/3?text=secret").content
