"""One latent's record: the API and the command serve the same."""

import json
import math
from io import StringIO

import msgspec
import pytest
from django.core.management import CommandError, call_command

from featureviz.dashboards.schema import Source
from featureviz.dashboards.store import write_pack
from tests.factories import SPLIT, TEXTS, make_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(store):
    return make_run()


@pytest.fixture
def record(client, run):
    return client.get("/demo/sae/3.json").json()


def show(*arguments):
    out = StringIO()
    call_command("show", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_prints_what_the_api_serves(record):
    assert json.loads(show("demo/sae/3")) == record


def test_the_api_serves_it_too(client, record):
    assert client.get("/api/v1/latents/demo/sae/3").json() == record


def test_the_numbers_are_the_dashboards(run, record):
    board = run.dashboard(3)
    for name in ("n_tokens", "n_active", "density", "max_activation", "mean_activation"):
        assert record[name] == getattr(board, name)
    assert record["histogram"]["counts"] == list(board.histogram.counts)
    assert record["histogram"]["edges"] == list(board.histogram.edges)


@pytest.mark.parametrize("form", ["logits", "logits_normalised"])
def test_weights_name_their_tokens(run, record, form):
    vocabulary = run.corpus.stored.vocabulary
    board = run.dashboard(3)
    assert record[form]["steps"] == list(getattr(board, form).steps)
    for side in ("top", "bottom"):
        rows = record[form][side]
        values = [row.value for row in getattr(getattr(board, form), side)]
        assert [row["value"] for row in rows] == values
        assert len(rows) == 10
        assert all(set(row) == {"token", "token_id", "value"} for row in rows)
    decodable = [row for row in record["logits"]["top"] if "‹" not in row["token"]]
    assert all(row["token"] == vocabulary[row["token_id"]].decode() for row in decodable)


def test_what_a_number_about_neurons_is_stands_in_its_name(record):
    """A peer calls a cosine `l1`."""
    aligned, correlated = record["neuron_alignment"][0], record["correlated_neurons"][0]
    assert aligned == {"neuron": 211, "weight": -0.412, "share_of_l1": 0.0613}
    assert correlated == {"neuron": 8, "pearson": 0.4321, "cosine": 0.5432}
    assert record["correlated_neurons_left_out"] is None


def test_silent_examples_hold_their_favourite_token_and_no_activation(run, record):
    for example, stored in zip(record["examples"]["silent"], run.dashboard(3).silent, strict=True):
        assert (example["context"], example["position"]) == (stored.context, stored.position)
        assert example["activation"] == 0
        assert not any(example["activations"])


def test_an_example_names_what_an_attention_layer_brought_it_from(client, run, record):
    assert {example["attention_sources"] for example in record["examples"]["top"]} == {None}
    boards = [run.dashboard(index) for index in range(4)]
    top = boards[3].top
    first = msgspec.structs.replace(top[0], sources=(Source(2, 1.5),))
    boards[3] = msgspec.structs.replace(boards[3], top=(first, *top[1:]))
    write_pack(run.folder / "blocks" / "00000.pack", boards)
    example = client.get("/demo/sae/3.json").json()["examples"]["top"][0]
    expected = {"position": 2, "token": example["tokens"][2], "contribution": 1.5}
    assert example["attention_sources"] == [expected]


def test_an_example_holds_its_context_without_padding(run, record):
    example = next(each for each in record["examples"]["top"] if each["context"] == 0)
    length = int(run.corpus.stored.lengths[0])
    assert (
        len(example["tokens"]) == len(example["token_ids"]) == len(example["activations"]) == length
    )
    assert "".join(example["tokens"][1:]) == TEXTS[0]
    assert example["activations"][example["position"]] == example["activation"]
    assert example["activations"][0] == 0


def test_activations_are_dense_over_the_context(run, record):
    for example, stored in zip(record["examples"]["top"], run.dashboard(3).top, strict=True):
        active = [at for at, value in enumerate(example["activations"]) if value]
        assert active == list(stored.positions)


def test_bytes_of_a_split_character_are_written_out(record):
    example = next(each for each in record["examples"]["top"] if each["context"] == SPLIT)
    assert "‹E5›" in example["tokens"]


def test_intervals_carry_bounds_counts_and_examples(run, record):
    intervals = record["examples"]["intervals"]
    assert [each["n_active"] for each in intervals] == [
        interval.n_active for interval in run.dashboard(3).intervals
    ]
    assert all(each["lower"] < each["upper"] for each in intervals)
    assert {"examples", "lower", "upper", "n_active"} == set(intervals[0])


def test_random_examples_are_marked_where_they_repeat(record):
    assert all(example["repeated"] for example in record["examples"]["random"])


def test_the_run_is_named_by_all_that_made_it(run, record):
    assert record["run"]["key"] == run.key
    assert record["run"]["corpus"]["digest"] == run.corpus.digest
    assert record["run"]["model"]["digest"] == "a" * 64
    assert record["run"]["dictionary"]["digest"] == "b" * 64
    assert record["run"]["seed"] == 0
    assert record["run"]["n_contexts"] == len(TEXTS)
    assert record["run"]["versions"] == {"torch": "2.8.0"}


def test_the_run_says_on_what_and_how_it_was_computed(client, run):
    run.provenance |= {"dtype": "float32", "devices": ["cpu, 2 threads"], "seconds": 94.5}
    run.save()
    record = client.get("/demo/sae/3.json").json()["run"]
    assert record["dtype"] == "float32"
    assert record["devices"] == ["cpu, 2 threads"]
    assert record["seconds"] == 94.5


def test_densities_are_exact_ratios_never_text_that_was_read_back(client, run):
    board = msgspec.structs.replace(run.dashboard(3), n_active=1, n_tokens=200_000)
    write_pack(run.folder / "blocks" / "00000.pack", [run.dashboard(0)] * 3 + [board])
    record = client.get("/demo/sae/3.json").json()
    assert record["density"] == 1 / 200_000
    assert record["log_density"] == math.log10(1 / 200_000)
    assert record["rarity"] == "ultralow"


@pytest.mark.parametrize(("index", "word"), [(3, None), (6, "ultralow"), (7, "dead")])
def test_rare_latents_are_named(client, run, index, word):
    assert client.get(f"/demo/sae/{index}.json").json()["rarity"] == word


def test_a_dead_latent_has_a_record(run):
    dead = json.loads(show("demo/sae/7"))
    assert dead["n_active"] == dead["density"] == dead["max_activation"] == 0
    assert dead["examples"] == {"top": [], "intervals": [], "random": [], "silent": []}


def test_list_prints_the_addresses_that_exist(run):
    make_run(model="another", dictionary="b")
    make_run(model="hidden", published=False)
    assert show("--list").splitlines() == ["another/b", "demo/sae"]


@pytest.mark.parametrize(
    "address", ["demo/sae/8", "demo/sae", "x", "demo/sae/-1", "a/b/c/1", "", "demo/sae/²"]
)
def test_an_address_that_leads_nowhere_is_one_clear_line(run, address):
    with pytest.raises(CommandError) as caught:
        show(*([address] if address else []))
    assert caught.value.returncode == 2
    assert len(str(caught.value).splitlines()) == 1


def test_a_damaged_run_is_one_clear_line(run):
    for pack in (run.folder / "blocks").iterdir():
        pack.write_bytes(b"no pack")
    with pytest.raises(CommandError, match="damaged") as caught:
        show("demo/sae/3")
    assert caught.value.returncode == 2


def test_the_api_says_what_is_missing_in_json(client, run):
    reply = client.get("/demo/sae/99.json")
    assert reply.status_code == 404
    assert "demo/sae/99" in reply.json()["error"]
    assert client.get("/api/nothing").json()["error"]
