"""The record shipped beside the weights: figures measured on held-out text, and chosen latents.

A latent is chosen for a class of tokens (a script, digits, the word "self") by measurement: of
those active on enough held-out tokens, the one with the highest share of them in the class.
"""

import json
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize
from transformers import GPT2LMHeadModel

from featureviz.demo.dictionary import TopK, load_dictionary
from featureviz.demo.measure import (
    CLASSES,
    HeldOut,
    LatentCounts,
    Loss,
    count_latents,
    fit_ngrams,
    held_out_contexts,
    mean_loss,
    mean_neurons,
    model_losses,
)
from featureviz.demo.recipe import DICTIONARIES, MODELS, Build
from featureviz.demo.texts import held_out_documents, text_digest
from featureviz.demo.tokenizer import VOCABULARY, load_tokenizer

ENOUGH = 100  # active held-out tokens a chosen latent needs
ENOUGH_OF_A_SIBLING = 20
PURE = 0.8  # share of active tokens in the class
FLOAT16_CONTEXTS = 1000  # on which the cost of rounding weights is measured
LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors", "django")

Report = Callable[[str], None]


@dataclass(frozen=True)
class ChosenLatent:
    """A latent and how it fits a class of tokens, over held-out text."""

    index: int
    active: int  # tokens it fires on
    share: float  # of those, in the class
    recall: float  # of the class's tokens, those it fires on
    pearson: float  # of its activation with membership of the class (0 or 1)


@dataclass(frozen=True)
class Parent:
    """A latent of A-0 that points where a chosen latent of A-1 does."""

    latent: ChosenLatent
    cosine: float  # of the two decoder rows


def write_record(build: Build, report: Report) -> None:
    """Measure everything and write `record.json`."""
    held_out = held_out_contexts(load_tokenizer(build.out / "A"), held_out_documents())
    baselines = _baselines(build, held_out)
    report(f"baselines {baselines}")
    record: dict[str, Any] = {"corpus": _corpus(held_out), "versions": _versions()}
    record |= {"baselines": baselines, "models": {}, "dictionaries": {}, "latents": {}}
    counts: dict[str, LatentCounts] = {}
    for name in MODELS:
        own = build.notes(f"losses-{name}")
        record["models"][name] = own | {"training": build.notes(f"model-{name}")}
        for dictionary in (each for each in DICTIONARIES if each.startswith(name)):
            counts[dictionary] = count_latents(build.model(name), _sae(build, dictionary), held_out)
            figures = _dictionary_figures(build, dictionary, held_out, counts[dictionary], own)
            record["dictionaries"][dictionary] = figures
            report(f"{dictionary} {figures}")
    record["latents"] = _chosen(build, counts)
    text = json.dumps(_rounded(record), indent=1, ensure_ascii=False)
    (build.out / "record.json").write_text(text + "\n", encoding="utf-8")


def _sae(build: Build, name: str) -> TopK:
    return load_dictionary(build.out / name)


def _corpus(held_out: HeldOut) -> dict[str, Any]:
    code = held_out.counted[held_out.is_code].sum().item()
    return {
        "held_out_text_sha256": text_digest(),
        "contexts": len(held_out.tokens),
        "tokens": int(held_out.counted.sum()),
        "code_tokens": code,
        "tokens_in": dict(zip(CLASSES, held_out.classes.sum((0, 1)).tolist(), strict=True)),
    }


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}


def _baselines(build: Build, held_out: HeldOut) -> dict[str, Any]:
    """Held-out losses of n-gram models fitted on what the language models are trained on."""
    ngrams = fit_ngrams(build.training_contexts(), VOCABULARY)
    unigram = mean_loss(held_out, ngrams.unigram_losses)
    return {"unigram": asdict(unigram), "bigram": asdict(mean_loss(held_out, ngrams.bigram_losses))}


def note_losses(build: Build, name: str, report: Report) -> None:
    """Losses of a model as shipped, and without its neurons: the two ends of loss recovered."""
    held_out = held_out_contexts(load_tokenizer(build.out / name), held_out_documents())
    model = build.model(name)
    average = mean_neurons(model, held_out)
    figures: dict[str, Any] = {}
    for key, splice in (
        ("loss", None),
        ("loss_zero_ablated", torch.zeros_like),
        ("loss_mean_ablated", average.expand_as),
    ):
        figures[key] = asdict(mean_loss(held_out, model_losses(model, splice)))
        report(f"{key} {figures[key]}")
    some = held_out.first(FLOAT16_CONTEXTS)
    stored, trained = (
        mean_loss(some, model_losses(each)) for each in (model, build.model_before_rounding(name))
    )
    figures["loss_added_by_float16"] = stored.all - trained.all
    build.note(f"losses-{name}", **figures)


def _dictionary_figures(
    build: Build, name: str, held_out: HeldOut, counts: LatentCounts, model: dict[str, Any]
) -> dict[str, Any]:
    """Health of a dictionary; all losses are of runs spliced at the same positions."""
    loss = _spliced_loss(build.model(name[0]), _sae(build, name), held_out)
    return {
        "d_sae": DICTIONARIES[name],
        "tokens": counts.n_tokens,
        "l0": counts.active.sum().item() / counts.n_tokens,
        "fvu": counts.fvu,  # sum |x - x^|^2 / sum |x - mean(x)|^2
        "explained_variance": 1 - counts.fvu,
        "share_dead": (counts.active == 0).double().mean().item(),
        "share_active_under_10_times": (counts.active < 10).double().mean().item(),
        "loss_spliced": asdict(loss),
        "loss_recovered_zero_ablation": _recovered(model, "zero", loss),
        "loss_recovered_mean_ablation": _recovered(model, "mean", loss),
        "training": build.notes(name),
    }


def _recovered(model: dict[str, Any], end: str, spliced: Loss) -> float:
    """(ablated - spliced) / (ablated - clean): 1 if the dictionary loses nothing."""
    ablated: float = model[f"loss_{end}_ablated"]["all"]
    return (ablated - spliced.all) / (ablated - model["loss"]["all"])


def _spliced_loss(model: GPT2LMHeadModel, sae: TopK, held_out: HeldOut) -> Loss:
    return mean_loss(held_out, model_losses(model, lambda x: sae.decode(sae.encode(x))))


def _chosen(build: Build, counts: dict[str, LatentCounts]) -> dict[str, Any]:
    children, parents = (normalize(_sae(build, name).W_dec, dim=1) for name in ("A-1", "A-0"))
    cosines = children @ parents.T
    return {name: _chosen_in(name, counts, cosines) for name in CLASSES}


def _chosen_in(name: str, counts: dict[str, LatentCounts], cosines: Tensor) -> dict[str, Any]:
    """The latents of one class of tokens: chosen in A-1 and A-0, A-1's siblings, parents in A-0."""
    best = best_latent(counts["A-1"], name, ENOUGH)
    pure = pure_latents(counts["A-1"], name, ENOUGH_OF_A_SIBLING)
    near, parents = cosines[best].topk(3)
    return {
        "tokens": int(counts["A-1"].tokens_in[CLASSES.index(name)]),
        "least_active": ENOUGH,
        "least_active_of_a_sibling": ENOUGH_OF_A_SIBLING,
        "A-1": asdict(describe(counts["A-1"], name, best)),
        "A-0": asdict(describe(counts["A-0"], name, best_latent(counts["A-0"], name, ENOUGH))),
        "A-1_pure_latents": len(pure_latents(counts["A-1"], name, 10)),
        "A-1_siblings": [
            asdict(describe(counts["A-1"], name, index)) for index in pure if index != best
        ][:10],
        "A-0_parents": [
            asdict(Parent(describe(counts["A-0"], name, index), cosine))
            for index, cosine in zip(parents.tolist(), near.tolist(), strict=True)
        ],
    }


def best_latent(counts: LatentCounts, name: str, enough: int) -> int:
    """Of latents active on `enough` tokens, the one with the highest share of them in the class.

    Ties go to the one that fires on more tokens of the class.
    """
    number = CLASSES.index(name)
    share = torch.where(counts.active >= enough, counts.share[number], -1.0)
    ties = (share == share.max()).nonzero().flatten()
    return int(ties[counts.active_in[number, ties].argmax()])


def pure_latents(counts: LatentCounts, name: str, enough: int) -> list[int]:
    """Latents with `enough` active tokens, PURE of them or more in the class; most active first."""
    number = CLASSES.index(name)
    found = (counts.active >= enough) & (counts.share[number] >= PURE)
    return sorted(found.nonzero().flatten().tolist(), key=lambda i: -counts.active[i].item())


def describe(counts: LatentCounts, name: str, index: int) -> ChosenLatent:
    """How one latent fits one class."""
    number = CLASSES.index(name)
    share, recall, pearson = (
        float(figure[number, index]) for figure in (counts.share, counts.recall, counts.pearson)
    )
    return ChosenLatent(index, int(counts.active[index]), share, recall, pearson)


def _rounded(value: Any) -> Any:
    """Floats to 4 digits after the point, at any depth: more is only noise between machines."""
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return round(value, 4) if isinstance(value, float) else value
