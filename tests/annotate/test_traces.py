"""Which kinds of things there are on a latent."""

import pytest

from featureviz.annotate import comments, explanations, lists
from featureviz.annotate.comments import Place
from featureviz.annotate.explanations import Signature
from featureviz.annotate.models import LatentList, Star
from featureviz.annotate.traces import Traces
from featureviz.catalog.models import Latent
from featureviz.catalog.reading import Reader, reading_as
from tests.factories import make_run

pytestmark = pytest.mark.django_db
NOTHING = Traces(*[False] * 6)


@pytest.fixture
def dictionary(store):
    return make_run().dictionary


@pytest.fixture
def alice(people):
    return people["alice"]


def on(dictionary, index, user=None):
    with reading_as(Reader(user)):
        return Traces.on(Latent.objects.get(run__dictionary=dictionary, index=index))


def there(traces):
    """The kinds there are."""
    return [name for name in Traces.__slots__ if getattr(traces, name)]


def test_a_latent_nobody_touched_has_none(dictionary, alice):
    assert on(dictionary, 3) == on(dictionary, 3, alice) == NOTHING


def test_each_kind_is_seen_on_its_own_latent_alone(dictionary, alice):
    comments.write(Place(dictionary, 1), "Sure?", alice)
    lists.tag(dictionary, 2, "digits", alice)
    Star.objects.create(user=alice, dictionary=dictionary, index=3)
    explanations.write(dictionary, 4, "like @demo/sae/5", Signature(alice))
    kinds = {index: there(on(dictionary, index, alice)) for index in range(8)}
    expected = {1: ["comments"], 2: ["tags"], 3: ["star"], 4: ["explanations"], 5: ["links"]}
    assert kinds == {index: expected.get(index, []) for index in range(8)}


def test_a_star_is_seen_by_whose_it_is(dictionary, alice, people):
    Star.objects.create(user=alice, dictionary=dictionary, index=3)
    assert on(dictionary, 3, alice).star
    assert not on(dictionary, 3, people["bob"]).star
    assert not on(dictionary, 3).star


def test_a_tag_that_was_taken_off_is_gone_and_a_withdrawn_comment_is_not(dictionary, alice):
    lists.tag(dictionary, 2, "digits", alice)
    lists.untag(dictionary, 2, "digits", alice)
    comments.withdraw(comments.write(Place(dictionary, 2), "Sure?", alice))
    assert there(on(dictionary, 2)) == ["comments"]  # its writer may take it back


def test_a_list_anywhere_is_one_a_latent_might_be_put_into(dictionary, alice):
    LatentList.objects.create(name="Mine", owner=alice)
    assert there(on(dictionary, 0)) == ["lists"]
