"""Related latents on a latent's page, and in its record."""

import re

import pytest
from django.utils import timezone

from featureviz.catalog.models import Job, Latent, Run
from featureviz.dashboards.relations import Related, Relations
from featureviz.dashboards.store import write_pack
from tests.factories import BLOCK_SIZE, make_run

pytestmark = pytest.mark.django_db
N = 8


def relate(run, other, state=Job.State.DONE, problem="", **found):
    """Relate every latent of a run to another run in the same way."""
    for block in range(N // BLOCK_SIZE):
        first = block * BLOCK_SIZE
        records = [
            Relations(index, **{"related": (), **found}) for index in range(first, first + 4)
        ]
        job = Job.objects.create(
            run=run, other=other, kind=Job.Kind.RELATE, number=block, size=4, state=state,
            problem=problem,
        )  # fmt: skip
        write_pack(job.product, records)


def related(index, n_both=3, correlation=0.5, jaccard=0.25, cosine=0.75, logits=-0.15):
    return Related(index, n_both, correlation, jaccard, cosine, logits)


@pytest.fixture
def run(store):
    return make_run()


@pytest.fixture
def other(run):
    """A dictionary of another model over the same corpus."""
    return make_run(model="twin", dictionary="b")


def html(client, path="/demo/sae/3"):
    reply = client.get(path)
    assert reply.status_code == 200
    return reply.content.decode()


def panel(client, path="/demo/sae/3"):
    """The panel's own part of the page."""
    [found] = re.findall(r'<section class="related".*?<footer', html(client, path), re.DOTALL)
    return found


def plain(markup):
    return " ".join(re.sub(r"<[^>]+>", " ", markup).split())


def indices(markup):
    return [int(index) for index in re.findall(r">(\d+)</a>", markup)]


def test_a_run_without_relations_names_the_command_that_computes_them(client, run):
    assert f"precompute --resume {run.key[:8]}" in panel(client)


def test_relations_under_way_lead_to_how_far_they_are(client, run):
    relate(run, run, Job.State.WAITING)
    said = panel(client)
    assert "Being computed" in said
    assert f'href="/runs/{run.key[:12]}/"' in said


def test_a_relation_shows_once_every_block_of_it_is_there(client, run):
    relate(run, run, related=(related(5),))
    Job.objects.filter(number=1).update(state=Job.State.RUNNING)
    assert indices(panel(client)) == []
    Job.objects.update(state=Job.State.DONE)
    assert indices(panel(client)) == [5]


def test_a_relation_that_failed_says_why_and_how_to_go_on(client, run):
    relate(run, run, Job.State.FAILED, "They were <deleted>. `precompute --resume abc` goes on.")
    said = panel(client)
    assert "They were &lt;deleted&gt;" in said
    assert "<code>precompute --resume abc</code>" in said


def test_a_relation_whose_files_are_gone_says_so_and_the_page_still_opens(client, run):
    relate(run, run, related=(related(5),))
    Job.objects.get(number=0).product.unlink()
    assert "files of this relation are gone" in panel(client)
    assert client.get("/demo/sae/3.json").json()["relations"][0]["state"] == "gone"


def test_without_another_dictionary_the_page_says_how_one_comes_in(client, run):
    relate(run, run, related=(related(5),))
    assert "No other dictionary was run over texts.jsonl" in plain(panel(client))


def test_the_own_dictionary_comes_first_then_the_same_model_then_others(client, run, other):
    make = make_run(dictionary="wide")
    for each in (other, make, run):
        relate(run, each, related=(related(5),))
    said = panel(client)
    headings = [plain(heading) for heading in re.findall(r"<h3>.*?</h3>", said, re.DOTALL)]
    assert headings == [
        "demo/sae this dictionary", "demo/wide same model", "twin/b another model",
    ]  # fmt: skip
    assert "No other dictionary" not in said


def test_links_lead_to_the_latent_drawn_alike_and_name_its_token(client, run, other):
    relate(run, other, related=(related(2),))
    said = panel(client, "/demo/sae/3?view=16")
    assert 'href="/twin/b/2?view=16"' in said
    token = Latent.objects.get(run=other, index=2).top_token
    assert token.strip() in plain(said)


def test_every_figure_stands_in_its_column(client, run, other):
    relate(run, other, related=(related(2, n_both=1234),))
    cells = re.findall(r'<td class="n.*?</td>', panel(client), re.DOTALL)
    assert [plain(cell) for cell in cells] == ["0.50", "0.25", "1 234", "0.75", "−0.15"]


def test_a_figure_that_is_not_defined_has_no_column_or_a_dash(client, run, other):
    relate(run, other, related=(related(2, cosine=None, logits=None, correlation=None),))
    said = panel(client)
    assert ">decoder</th>" not in said
    assert ">logits</th>" not in said
    assert 'title="not defined here">–' in said


def test_the_five_strongest_by_each_figure_are_listed_by_correlation(client, run):
    by_correlation = [
        related(index, correlation=0.9 - index / 10, cosine=0.0) for index in range(7)
    ]
    pointing = related(7, n_both=0, correlation=-0.01, jaccard=0.0, cosine=0.99)
    relate(run, run, related=(*by_correlation, pointing))
    said = panel(client)
    assert indices(said) == [0, 1, 2, 3, 4, 7]
    rows = re.findall(r"<tr>.*?</tr>", said, re.DOTALL)[1:]
    assert "<b>0.90</b>" in rows[0]
    assert "−0.01" in rows[-1]
    assert "<b>−0.01</b>" not in rows[-1]
    assert "<b>0.99</b>" in rows[-1]


def test_a_dead_latent_is_named_as_one(client, run):
    relate(run, run, related=(related(7, n_both=0, correlation=None, jaccard=0.0),))
    assert "never fired" in panel(client)


def test_a_split_latent_lists_its_children_and_how_many_there_are(client, run, other):
    relate(run, other, children=(related(2, cosine=0.81), related(4, cosine=0.6)), n_children=30)
    said = plain(panel(client))
    assert "Splits into 30 latents" in said
    assert "the nearest 2" in said
    assert re.search(r"both fire on 2 .* 0\.81, 3 4 .* 0\.60, 3", said)


def test_a_child_names_the_latent_it_is_part_of(client, run, other):
    relate(run, other, parent=related(2, n_both=1, cosine=0.81))
    assert re.search(r"Part of 2 .* cosine 0\.81, both on 1 token", plain(panel(client)))


def test_the_side_of_the_page_names_those_that_fire_most_alike(client, run, other):
    relate(run, other, related=(related(1, correlation=0.2), related(2), related(4)))
    page = html(client)
    [side] = re.findall(r'<section class="related-briefly".*?</section>', page, re.DOTALL)
    assert re.findall(r">(twin/b/\d)</a>", side) == ["twin/b/2", "twin/b/4"]
    assert 'href="#related"' in side


def test_a_page_asks_for_all_companions_in_one_query(client, run, other, django_assert_num_queries):
    client.get("/demo/sae/3")
    with django_assert_num_queries(3):
        client.get("/demo/sae/3")
    for each in (run, other):
        relate(run, each, related=tuple(related(index) for index in range(N)))
    with django_assert_num_queries(5):  # one for the other run, one for all latents
        client.get("/demo/sae/3")


def test_the_record_holds_every_figure_of_every_relation(client, run, other):
    relate(run, run, Job.State.WAITING)
    relate(run, other, related=(related(2),), children=(related(4),), n_children=9)
    own, twin = client.get("/demo/sae/3.json").json()["relations"]
    assert own == {"to": "demo/sae", "run": run.key, "state": "waiting"}
    assert (twin["to"], twin["run"], twin["state"]) == ("twin/b", other.key, "done")
    assert twin["latents"] == [
        {
            "address": "twin/b/2",
            "n_both_active": 3,
            "activation_correlation": 0.5,
            "jaccard": 0.25,
            "decoder_cosine": 0.75,
            "logit_weight_correlation": -0.15,
        }
    ]
    assert (twin["parent"], twin["n_children"]) == (None, 9)
    assert twin["children"][0]["address"] == "twin/b/4"


def test_an_unpublished_run_is_related_to_nothing_a_reader_sees(client, run, other):
    relate(run, other, related=(related(2),))
    Run.objects.filter(pk=other.pk).update(published_at=None)
    assert "twin" not in panel(client)
    Run.objects.filter(pk=other.pk).update(published_at=timezone.now())
    assert "twin/b" in panel(client)
