"""A latent in the field names of Neuronpedia's `GET /api/feature/{model}/{source}/{index}`.

What is not computed here has the value Neuronpedia gives where it has none.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from featureviz.catalog.models import Latent

_TOP = (-1.0, -1.0)  # binMin and binContains of examples that are of no interval


def feature(latent: Latent, record: dict[str, Any]) -> dict[str, Any]:
    """The record of a latent (`annotate/record.py`), renamed."""
    named = _named(latent)
    neurons = record["neuron_alignment"] or []
    correlated = record["correlated_neurons"] or []
    return {
        **named,
        "sourceSetName": named["layer"],
        "hookName": latent.run.dictionary.hook,
        "creatorId": None,
        "createdAt": record["run"]["published_at"],
        "maxActApprox": record["max_activation"],
        "frac_nonzero": record["density"],
        **_bars("freq_hist_data_bar", record["histogram"]),
        **_logits(record["logits"]),
        "neuron_alignment_indices": [each["neuron"] for each in neurons],
        "neuron_alignment_values": [each["weight"] for each in neurons],
        "neuron_alignment_l1": [each["share_of_l1"] for each in neurons],
        "correlated_neurons_indices": [each["neuron"] for each in correlated],
        "correlated_neurons_pearson": [each["pearson"] for each in correlated],
        "correlated_neurons_l1": [each["cosine"] for each in correlated],
        "correlated_features_indices": [],
        "correlated_features_pearson": [],
        "correlated_features_l1": [],
        "decoder_weights_dist": [],
        "topkCosSimIndices": [],
        "topkCosSimValues": [],
        "hasVector": False,
        "vector": [],
        "vectorLabel": None,
        "vectorDefaultSteerStrength": None,
        "n_prompts_total": record["n_contexts"],
        "n_tokens_in_prompt": record["run"]["context_size"],
        "dataset": record["run"]["corpus"]["name"],
        "comments": [],
        "explanations": [{**_explanation(each), **named} for each in record["explanations"]],
        "activations": [
            {"id": f"{latent}/{number}", **named, **each}
            for number, each in enumerate(_activations(record))
        ],
    }


def _named(latent: Latent) -> dict[str, str]:
    dictionary = latent.run.dictionary
    return {
        "modelId": dictionary.model.name,
        "layer": dictionary.name,
        "index": str(latent.index),
    }


def _bars(name: str, histogram: dict[str, Any]) -> dict[str, list[float]]:
    """Heights, and the middles of the bins."""
    edges = histogram["edges"]
    middles = [(left + right) / 2 for left, right in pairwise(edges)]
    return {f"{name}_heights": list(histogram["counts"]), f"{name}_values": middles}


def _logits(logits: dict[str, Any] | None) -> dict[str, Any]:
    shown = logits or {"top": [], "bottom": [], "histogram": {"edges": [], "counts": []}}
    return {
        **_bars("logits_hist_data_bar", shown["histogram"]),
        "pos_str": [each["token"] for each in shown["top"]],
        "pos_values": [each["value"] for each in shown["top"]],
        "neg_str": [each["token"] for each in shown["bottom"]],
        "neg_values": [each["value"] for each in shown["bottom"]],
    }


def _explanation(said: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": str(said["id"]),
        "description": said["description"],
        "authorId": said["author"],
        "author": {"name": said["author"] or said["model"]},
        "explanationModelName": said["model"],
        "typeName": None,
        "createdAt": said["created_at"],
        "scores": [],
    }


def _activations(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Top examples first, then those of the intervals; none of the silent ones."""
    least, contains = _TOP
    for each in record["examples"]["top"]:
        yield _activation(each, record, (least, record["max_activation"], contains))
    for interval in record["examples"]["intervals"]:
        share = interval["n_active"] / record["n_tokens"]
        for each in interval["examples"]:
            yield _activation(each, record, (interval["lower"], interval["upper"], share))


def _activation(
    example: dict[str, Any], record: dict[str, Any], bin_of: tuple[float, float, float]
) -> dict[str, Any]:
    values = example["activations"]
    peak = max(range(len(values)), key=values.__getitem__)
    lower, upper, share = bin_of
    return {
        "creatorId": None,
        "dataSource": record["run"]["corpus"]["name"],
        "dataIndex": str(example["context"]),
        "tokens": example["tokens"],
        "values": values,
        "maxValue": values[peak],
        "maxValueTokenIndex": peak,
        "minValue": min(values),
        "qualifyingTokenIndex": example["position"],
        "binMin": lower,
        "binMax": upper,
        "binContains": share,
        "dfaValues": [],
        "dfaMaxValue": None,
        "dfaTargetIndex": None,
        "lossValues": [],
        "logitContributions": None,
    }
