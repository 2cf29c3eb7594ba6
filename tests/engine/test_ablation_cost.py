"""How many examples are ablated when nobody said."""

from dataclasses import replace

import pytest

from featureviz.engine import ablation_cost
from featureviz.engine.ablation_cost import decided, estimate
from featureviz.engine.dictionaries.load import load_dictionary
from featureviz.engine.precompute import prepare
from featureviz.engine.subject import load_subject

N_CTX = 16


@pytest.fixture
def case(model_folder, dictionary_folder):
    return load_subject(str(model_folder)), load_dictionary(str(dictionary_folder), None)


def at(dictionary, hook):
    return replace(dictionary, facts=replace(dictionary.facts, hook=hook))


def test_every_layer_behind_the_hook_is_counted_and_the_unembedding(case):
    subject, dictionary = case
    head = 32 * 300
    layer = 12 * 32 * 32 + 13 * 32  # GPT-2: weights, biases, two norms
    expected = {
        "blocks.1.hook_resid_post": head,
        "blocks.1.mlp.hook_post": head,
        "blocks.1.hook_resid_pre": head + layer,
        "blocks.1.hook_attn_out": head + layer,
        "blocks.0.hook_resid_pre": head + 2 * layer,
    }
    for hook, parameters in expected.items():
        found = estimate(subject, at(dictionary, hook), N_CTX)
        assert found == 96 * 80 * N_CTX * parameters, hook


def test_where_the_way_is_not_known_the_whole_model_is_counted(case):
    subject, dictionary = case
    whole = sum(weight.numel() for weight in subject.plain.parameters())
    unknown = at(dictionary, "blocks.0.mlp.hook_pre")
    assert estimate(subject, unknown, N_CTX) == 96 * 80 * N_CTX * whole


def test_all_is_chosen_up_to_the_limit_and_the_top_group_beyond(case, monkeypatch):
    subject, dictionary = case
    cost = estimate(subject, dictionary, N_CTX)
    monkeypatch.setattr(ablation_cost, "ALL_UP_TO", cost)
    assert decided("auto", subject, dictionary, N_CTX) == "all"
    monkeypatch.setattr(ablation_cost, "ALL_UP_TO", cost - 1)
    assert decided("auto", subject, dictionary, N_CTX) == "top"


@pytest.mark.parametrize("asked", ["none", "top", "all"])
def test_what_was_said_is_done_whatever_it_costs(case, asked, monkeypatch):
    subject, dictionary = case
    monkeypatch.setattr(ablation_cost, "ALL_UP_TO", 0)
    assert decided(asked, subject, dictionary, N_CTX) == asked


def test_the_plan_records_what_was_decided(request_of, tmp_path, monkeypatch):
    auto, everything = request_of(ablate="auto"), request_of(ablate="all")
    assert prepare(auto, tmp_path).plan == prepare(everything, tmp_path).plan
    monkeypatch.setattr(ablation_cost, "ALL_UP_TO", 0)
    assert prepare(auto, tmp_path).plan.ablate == "top"
