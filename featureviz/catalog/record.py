"""One latent's whole record as plain values: what `manage.py show` prints and the API serves."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from featureviz.catalog.models import Latent, Run
from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.density import rarity
from featureviz.dashboards.schema import Dashboard, Example, Histogram, Interval, TokenWeight
from featureviz.dashboards.text import readable


def latent_record(latent: Latent) -> dict[str, Any]:
    """Everything known of a latent, its examples with their text.

    Raises: StoreError when the run's files are damaged or gone.
    """
    run = latent.run
    return {
        "address": str(latent),
        **_Writer(run.corpus.stored).statistics(run.dashboard(latent.index)),
        "run": _run(run),
    }


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
            "rarity": rarity(dashboard.n_active, dashboard.n_tokens) or None,
            "histogram": _histogram(dashboard.histogram),
            "logits": self.logits(dashboard),
            "fires_on": [
                {"token": self.token(row.token), **_renamed(row)} for row in dashboard.fires_on
            ],
            "profiles": _profiles(dashboard),
            "examples": {
                "top": self.examples(dashboard.top),
                "intervals": [self.interval(interval) for interval in dashboard.intervals],
                "random": self.examples(dashboard.random),
            },
        }

    def logits(self, dashboard: Dashboard) -> dict[str, Any] | None:
        if dashboard.logits is None:
            return None
        logits = dashboard.logits
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
        }

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
