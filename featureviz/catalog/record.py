"""One latent's whole record as plain values: what `manage.py show` prints and the API serves."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from featureviz.catalog import relations
from featureviz.catalog.glances import variation
from featureviz.catalog.models import Latent, Run
from featureviz.catalog.relations import Relation
from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.density import rarity
from featureviz.dashboards.relations import Related
from featureviz.dashboards.schema import (
    Dashboard,
    Example,
    Histogram,
    Interval,
    LogitWeights,
    TokenEffect,
    TokenWeight,
)
from featureviz.dashboards.store import StoreError
from featureviz.dashboards.text import readable

EFFECT_SIGN = (
    "log p(token) as it is, minus log p(token) without the latent, in nats: "
    "above 0, the token is less likely without the latent (it helped); below 0, more likely"
)


def latent_record(latent: Latent) -> dict[str, Any]:
    """Everything known of a latent, its examples with their text.

    Raises: StoreError when the run's files are damaged or gone.
    """
    run = latent.run
    return {
        "address": str(latent),
        **_Writer(run.corpus.stored).statistics(run.dashboard(latent.index)),
        "relations": [_relation(relation, latent.index) for relation in relations.of(run)],
        "run": _run(run),
    }


_SHARED = ("index", "n_tokens", "n_contexts", "decoder_norm", "negative")  # by both ends


@dataclass(frozen=True)
class _Writer:
    """Writes records in plain values; knows the corpus their text is in."""

    corpus: StoredCorpus

    def statistics(self, dashboard: Dashboard) -> dict[str, Any]:
        numbers = (
            "index", "n_tokens", "n_active", "density", "n_contexts", "n_active_contexts",
            "sum_activation", "sum_squared_activation", "mean_activation", "max_activation",
            "decoder_norm",
        )  # fmt: skip
        return {
            **{name: getattr(dashboard, name) for name in numbers},
            "log_density": math.log10(dashboard.density) if dashboard.n_active else None,
            "variation": variation(dashboard),
            "rarity": rarity(dashboard.n_active, dashboard.n_tokens) or None,
            "histogram": _histogram(dashboard.histogram),
            "logits": self.logits(dashboard.logits),
            "logits_normalised": self.logits(dashboard.logits_normalised),
            "neuron_alignment": msgspec.to_builtins(dashboard.neuron_alignment),
            "correlated_neurons": msgspec.to_builtins(dashboard.correlated_neurons),
            "correlated_neurons_left_out": dashboard.correlated_neurons_left_out or None,
            "fires_on": [
                {"token": self.token(row.token), **_renamed(row)} for row in dashboard.fires_on
            ],
            "profiles": _profiles(dashboard),
            "examples": {
                "top": self.examples(dashboard.top),
                "intervals": [self.interval(interval) for interval in dashboard.intervals],
                "random": self.examples(dashboard.random),
                "silent": self.examples(dashboard.silent),
            },
            "effect_threshold": dashboard.effect_threshold,
            "effect_sign": EFFECT_SIGN,
            "negative": self.negative(dashboard),
        }

    def negative(self, dashboard: Dashboard) -> dict[str, Any] | None:
        """A signed latent's other end; every activation has its sign, `min_activation` is least."""
        if dashboard.negative is None:
            return None
        end = self.statistics(dashboard.negative)
        end["min_activation"] = end.pop("max_activation")
        return {name: value for name, value in end.items() if name not in _SHARED}

    def logits(self, logits: LogitWeights | None) -> dict[str, Any] | None:
        if logits is None:
            return None
        return {
            "top": self.weights(logits.top),
            "bottom": self.weights(logits.bottom),
            "histogram": _histogram(logits.histogram),
            "steps": logits.steps,
        }

    def weights(self, weights: Sequence[TokenWeight]) -> list[dict[str, Any]]:
        return [{"token": self.token(row.token), **_renamed(row)} for row in weights]

    def interval(self, interval: Interval) -> dict[str, Any]:
        numbers = {name: getattr(interval, name) for name in ("lower", "upper", "n_active")}
        return {**numbers, "examples": self.examples(interval.examples)}

    def examples(self, examples: Sequence[Example]) -> list[dict[str, Any]]:
        return [self.example(example) for example in examples]

    def example(self, example: Example) -> dict[str, Any]:
        """An example with its whole context; `position` indexes the three lists."""
        length = int(self.corpus.lengths[example.context])
        ids = self.corpus.tokens[example.context, :length].tolist()
        active = dict(zip(example.positions, example.activations, strict=True))
        return {
            "activation": example.activation,
            "context": example.context,
            "position": example.position,
            "repeated": example.repeated,
            "n_alike": example.n_alike,
            "alike": example.alike,
            "tokens": [self.token(token) for token in ids],
            "token_ids": ids,
            "activations": [active.get(position, 0.0) for position in range(length)],
            "attention_sources": self.sources(example),
            "effects": None
            if example.effects is None
            else [self.effect(effect, ids) for effect in example.effects],
        }

    def effect(self, effect: TokenEffect, ids: Sequence[int]) -> dict[str, Any]:
        """An ablation effect on the token at `position`; changes are of its probability."""
        return {
            "position": effect.position,
            "token": self.token(ids[effect.position]),
            "total": effect.total,
            "direct": effect.direct,
            "kl": effect.kl,
            "risen": self.weights(effect.risen),
            "fallen": self.weights(effect.fallen),
        }

    def sources(self, example: Example) -> list[dict[str, Any]] | None:
        if example.sources is None:
            return None
        return [
            {
                "position": source.position,
                "token": self.token(int(self.corpus.tokens[example.context, source.position])),
                "contribution": source.contribution,
            }
            for source in example.sources
        ]

    def token(self, token: int) -> str:
        return readable(self.corpus.vocabulary[token])


def _profiles(dashboard: Dashboard) -> list[dict[str, Any]] | None:
    """How it keeps to classes of tokens; none in a run that knew no classes."""
    if dashboard.profiles is None:
        return None
    return [
        {
            "class": one.name,
            "n_tokens": one.n_tokens,
            "base_rate": one.n_tokens / dashboard.n_tokens,
            "n_active": one.n_active,
            "share_of_active": one.n_active / dashboard.n_active,
            "share_of_activation": one.total / dashboard.sum_activation,
            "recall": one.n_active / one.n_tokens,
            "pearson": one.pearson,
            "in_intervals": one.in_intervals,
        }
        for one in dashboard.profiles
    ]


def _renamed(row: msgspec.Struct) -> dict[str, Any]:
    fields = msgspec.structs.asdict(row)
    return {"token_id": fields.pop("token"), **fields}


def _histogram(histogram: Histogram) -> dict[str, Any]:
    return {"edges": histogram.edges, "counts": histogram.counts}


def _relation(relation: Relation, index: int) -> dict[str, Any]:
    """How the latent goes with those of a dictionary over the same corpus, as far as it is."""
    to = str(relation.other.dictionary)
    about = {"to": to, "run": relation.other.key, "state": relation.state}
    if not relation.is_whole:
        return about
    try:
        found = relation.run.relations(relation.other, index)
    except StoreError:
        return {**about, "state": "gone"}
    return {
        **about,
        "latents": [_related(to, each) for each in found.related],
        "parent": _related(to, found.parent) if found.parent else None,
        "n_children": found.n_children,
        "children": [_related(to, each) for each in found.children],
    }


def _related(to: str, related: Related) -> dict[str, Any]:
    return {
        "address": f"{to}/{related.index}",
        "n_both_active": related.n_both,
        "activation_correlation": related.correlation,
        "jaccard": related.jaccard,
        "decoder_cosine": related.cosine,
        "logit_weight_correlation": related.logit_correlation,
    }


def _run(run: Run) -> dict[str, Any]:
    model, dictionary, corpus = run.dictionary.model, run.dictionary, run.corpus
    return {
        "key": run.key,
        "published_at": run.published_at and run.published_at.isoformat(),
        "seed": run.plan.get("seed"),
        "n_contexts": corpus.n_contexts,
        "context_size": corpus.context_size,
        "model": {"name": model.name, "digest": model.digest},
        "dictionary": {
            "name": dictionary.name,
            "digest": dictionary.digest,
            "architecture": dictionary.architecture,
            "hook": dictionary.hook,
            "d_in": dictionary.d_in,
            "d_sae": dictionary.d_sae,
        },
        "corpus": {"name": corpus.name, "digest": corpus.digest, "n_tokens": corpus.n_tokens},
        **{name: run.provenance.get(name) for name in ("dtype", "devices", "machine", "seconds")},
        "versions": run.provenance.get("versions", {}),
    }
