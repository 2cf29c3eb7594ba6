"""Programs that read Neuronpedia read this."""

import pytest

from featureviz.annotate import explanations
from featureviz.annotate.explanations import Signature
from tests.factories import make_run

pytestmark = pytest.mark.django_db

# The fields of an exported feature and activation, as Neuronpedia names them.
FEATURE = [
    "modelId",
    "layer",
    "index",
    "maxActApprox",
    "creatorId",
    "frac_nonzero",
    "freq_hist_data_bar_heights",
    "freq_hist_data_bar_values",
    "logits_hist_data_bar_heights",
    "logits_hist_data_bar_values",
    "neuron_alignment_indices",
    "neuron_alignment_values",
    "neuron_alignment_l1",
    "correlated_neurons_indices",
    "correlated_neurons_pearson",
    "correlated_neurons_l1",
    "decoder_weights_dist",
    "neg_str",
    "neg_values",
    "pos_str",
    "pos_values",
    "sourceSetName",
    "topkCosSimIndices",
    "topkCosSimValues",
    "vector",
    "vectorLabel",
    "hookName",
    "vectorDefaultSteerStrength",
    "hasVector",
    "explanations",
    "activations",
]
ACTIVATION = [
    "id",
    "modelId",
    "layer",
    "index",
    "creatorId",
    "dataSource",
    "tokens",
    "values",
    "maxValue",
    "minValue",
    "maxValueTokenIndex",
    "dfaValues",
    "dfaMaxValue",
    "dfaTargetIndex",
    "binMin",
    "binMax",
    "binContains",
    "qualifyingTokenIndex",
]
EXPLANATION = [
    "id",
    "modelId",
    "layer",
    "index",
    "authorId",
    "description",
    "typeName",
    "explanationModelName",
]


@pytest.fixture
def board(store):
    run = make_run()
    explanations.write(run.dictionary, 3, "Digits", Signature(model_name="llama"))
    return run.dashboard(3)


@pytest.fixture
def feature(client, board):
    return client.get("/api/feature/demo/sae/3").json()


def test_every_field_is_there_under_its_name(feature):
    assert set(FEATURE) <= set(feature)
    assert all(set(ACTIVATION) <= set(each) for each in feature["activations"])
    assert set(EXPLANATION) <= set(feature["explanations"][0])


def test_it_is_named_as_it_was_asked_for(feature):
    assert [feature[name] for name in ("modelId", "layer", "index")] == ["demo", "sae", "3"]


def test_numbers_are_the_dashboards(feature, board):
    assert feature["maxActApprox"] == board.max_activation
    assert feature["frac_nonzero"] == board.density
    assert feature["pos_values"] == [row.value for row in board.logits.top]
    assert feature["neg_values"] == [row.value for row in board.logits.bottom]
    assert feature["neuron_alignment_l1"] == [row.share_of_l1 for row in board.neuron_alignment]
    assert feature["correlated_neurons_pearson"] == [
        row.pearson for row in board.correlated_neurons
    ]


def test_bars_stand_at_the_middles_of_their_bins(feature, board):
    edges = board.histogram.edges
    assert feature["freq_hist_data_bar_heights"] == list(board.histogram.counts)
    assert feature["freq_hist_data_bar_values"][0] == pytest.approx((edges[0] + edges[1]) / 2)
    assert len(feature["freq_hist_data_bar_values"]) == len(board.histogram.counts)


def test_activations_are_the_top_then_the_intervals(feature, board):
    found = feature["activations"]
    n_top = len(board.top)
    assert all(each["binMin"] == -1 for each in found[:n_top])
    assert [each["maxValue"] for each in found[:n_top]] == [each.activation for each in board.top]
    assert len(found) == n_top + sum(len(each.examples) for each in board.intervals)
    shares = {each["binMin"]: each["binContains"] for each in found[n_top:]}
    for interval in board.intervals:
        if interval.examples:
            assert shares[interval.lower] == interval.n_active / board.n_tokens


def test_an_activation_has_a_value_for_each_token(feature):
    for each in feature["activations"]:
        assert len(each["tokens"]) == len(each["values"])
        assert each["values"][each["maxValueTokenIndex"]] == each["maxValue"]
    ids = [each["id"] for each in feature["activations"]]
    assert len(set(ids)) == len(ids)


def test_a_dead_latent_has_no_activations(client, board):
    dead = client.get("/api/feature/demo/sae/7").json()
    assert (dead["maxActApprox"], dead["frac_nonzero"], dead["activations"]) == (0, 0, [])


def test_what_is_not_there_is_said(client, board):
    reply = client.get("/api/feature/demo/sae/8")
    assert reply.status_code == 404
    assert "demo/sae/8" in reply.json()["error"]
