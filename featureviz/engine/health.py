"""How well a dictionary stands for what it reads.

Sums over all counted positions are taken while a shard is read, kept in the shard's own file, and
merged in shard order; losses are measured on contexts spaced evenly over the corpus. The formulas
are those of docs/methods.md; sources: Bricken et al. 2023, SAEBench's and dictionary_learning's
code for the names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from safetensors import safe_open
from torch import Tensor

from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.density import rarity
from featureviz.dashboards.health import Health, Losses
from featureviz.dashboards.schema import Histogram
from featureviz.engine.activations import Actives
from featureviz.engine.dictionaries.base import Dictionary
from featureviz.engine.subject import Subject

CONTEXTS = 128  # the losses are measured on
_LOGITS = 1 << 24  # held at once
_DENSITY_STEP = 0.25  # decades
_NORM_BINS = 50
_ALIKE = 1e-3  # relative: norms that differ by less are one, rounded to float16 or not

_SUMS, _TOTAL = "health_sums", "health_total"  # in a shard's file


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over counted positions, float64. x^ is the reconstruction of x."""

    n: float = 0.0
    active: float = 0.0
    activation: float = 0.0
    error: float = 0.0  # |x − x^|²
    squares: float = 0.0  # |x|²
    reconstructed: float = 0.0  # |x^|²
    product: float = 0.0  # x · x^
    cosine: float = 0.0
    ratio: float = 0.0  # |x^| / |x|

    def __add__(self, other: Sums) -> Sums:
        return Sums(*(a + b for a, b in zip(self.values(), other.values(), strict=True)))

    def values(self) -> list[float]:
        """The sums, in the order of the fields."""
        return [getattr(self, each.name) for each in fields(self)]


def sums_of(x: Float[Tensor, "n d_in"], reconstructed: Float[Tensor, "n d_in"]) -> Sums:
    """The sums of some positions, but for what depends on single latents."""
    length, length_of_reconstruction = _lengths(x), _lengths(reconstructed)
    product = torch.linalg.vecdot(x, reconstructed).double()
    norms = length * length_of_reconstruction
    return Sums(
        n=float(len(x)),
        error=float(_lengths(x - reconstructed).square().sum()),
        squares=float(length.square().sum()),
        reconstructed=float(length_of_reconstruction.square().sum()),
        product=float(product.sum()),
        cosine=float((product / norms.where(norms > 0, 1)).sum()),
        ratio=float((length_of_reconstruction / length.where(length > 0, 1)).sum()),
    )


@dataclass
class HealthGatherer:
    """Sums over one shard, batch by batch."""

    dictionary: Dictionary
    counted: npt.NDArray[np.bool_]  # [n_contexts, n_ctx] of the shard
    sums: Sums = Sums()
    total: npt.NDArray[np.float64] = field(init=False)  # of x [d_in]
    _done: int = 0  # positions

    def __post_init__(self) -> None:
        self.total = np.zeros(self.dictionary.facts.d_in)

    def add(self, actives: Actives, x: Float[Tensor, "positions d_in"]) -> None:
        """Add the next positions and the activations on them; places count from the shard's."""
        counted = self.counted.reshape(-1)[self._done : self._done + len(x)]
        places = np.flatnonzero(counted)
        rows = x[torch.from_numpy(places).to(x.device)]
        offsets = np.searchsorted(actives.places, places + self._done)
        self.sums += sums_of(rows, _reconstruction(self.dictionary, actives, offsets))
        self.sums += Sums(
            active=float(len(actives.values)),
            activation=float(actives.values.sum(dtype=np.float64)),
        )
        self.total += rows.sum(0).double().cpu().numpy()
        self._done += len(x)

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """The sums, as the shard's file keeps them."""
        return {_SUMS: np.array(self.sums.values()), _TOTAL: self.total}


@dataclass(frozen=True, slots=True)
class Gathered:
    """What all shards hold together."""

    sums: Sums
    mean: npt.NDArray[np.float64]  # of x over counted positions [d_in]
    n_active: npt.NDArray[np.int64]  # [d_sae]

    @classmethod
    def of(cls, shards: Sequence[Path]) -> Self:
        """Merge the shards, in their order."""
        sums, total, n_active = Sums(), np.zeros(1), np.zeros(1, np.int64)
        for path in shards:
            with safe_open(path, framework="numpy") as shard:
                sums += Sums(*shard.get_tensor(_SUMS).tolist())
                total = total + shard.get_tensor(_TOTAL)
                n_active = n_active + np.diff(shard.get_tensor("starts"))
        return cls(sums, total / max(1.0, sums.n), n_active)

    @property
    def fvu(self) -> float | None:
        """Σ|x − x^|² / Σ|x − mean x|², over all positions together."""
        spread = self.sums.squares - self.sums.n * float(self.mean @ self.mean)
        return self.sums.error / spread if spread > 0 else None


def health(
    subject: Subject, dictionary: Dictionary, corpus: StoredCorpus, shards: Sequence[Path]
) -> Health:
    """The health of a dictionary; needs all shards."""
    found = Gathered.of(shards)
    sums, n = found.sums, max(1.0, found.sums.n)
    norms = dictionary.W_dec.norm(dim=1).double().cpu().numpy()
    n_tokens = int(sums.n)
    words = [rarity(active, n_tokens) for active in found.n_active.tolist()]
    return Health(
        n_tokens=n_tokens,
        d_sae=dictionary.facts.d_sae,
        l0=sums.active / n,
        l1=sums.activation / n,
        fvu=found.fvu,
        cosine=sums.cosine / n,
        norm_ratio=sums.ratio / n,
        reconstruction_bias=sums.reconstructed / sums.product if sums.product else None,
        n_dead=words.count("dead"),
        n_ultralow=words.count("ultralow"),
        n_above_hundredth=int((found.n_active > 0.01 * n_tokens).sum()),
        n_above_tenth=int((found.n_active > 0.1 * n_tokens).sum()),
        log_densities=log_densities(found.n_active, n_tokens),
        decoder_norms=_histogram_of_norms(norms),
        smallest_norm=float(norms.min()),
        median_norm=float(np.median(norms)),
        largest_norm=float(norms.max()),
        losses=losses(subject, dictionary, corpus, found.mean),
    )


def log_densities(n_active: npt.NDArray[np.int64], n_tokens: int) -> Histogram:
    """Log10 of the density of the latents that fired, in half-open bins of a quarter decade."""
    alive = n_active[n_active > 0]
    if not len(alive):
        return Histogram((), ())
    lowest = int(np.floor(np.log10(1 / n_tokens) / _DENSITY_STEP)) - 1
    edges = np.arange(lowest, 1) * _DENSITY_STEP
    bins = np.searchsorted(edges, np.log10(alive / n_tokens)) - 1
    counts = np.bincount(bins, minlength=len(edges) - 1)
    return Histogram(tuple(edges.tolist()), tuple(counts.tolist()))


@torch.inference_mode()
def losses(
    subject: Subject,
    dictionary: Dictionary,
    corpus: StoredCorpus,
    mean: npt.NDArray[np.float64],
) -> Losses:
    """Losses with the hook's activations kept, spliced, zeroed and averaged, in nats a token."""
    n = min(CONTEXTS, corpus.facts.n_contexts)
    contexts = np.arange(n) * corpus.facts.n_contexts // n
    average = torch.from_numpy(mean).float().to(subject.device)
    ways: list[Callable[[Tensor], Tensor]] = [
        lambda x: x,
        lambda x: dictionary.codes(x).dense() @ dictionary.W_dec + dictionary.b_dec,
        torch.zeros_like,
        average.expand_as,
    ]
    size = max(1, _LOGITS // (corpus.facts.context_size * subject.facts.d_vocab))
    sums, n_tokens = np.zeros((len(ways), 2)), 0
    for start in range(0, n, size):
        rows = contexts[start : start + size]
        tokens = torch.from_numpy(corpus.tokens[rows].astype(np.int64)).to(subject.device)
        counted = torch.from_numpy(corpus.counted[rows]).to(subject.device)
        sums += _summed_losses(subject, dictionary.facts.hook, tokens, counted, ways)
        n_tokens += int(counted[:, 1:].sum())
    (clean, _), *rest = (sums / max(1, n_tokens)).tolist()
    (spliced, kl_spliced), (zero, kl_zero), (averaged, kl_mean) = rest
    return Losses(n, n_tokens, clean, spliced, zero, averaged, kl_spliced, kl_zero, kl_mean)


def _summed_losses(
    subject: Subject,
    hook: str,
    tokens: Tensor,
    counted: Tensor,
    ways: Sequence[Callable[[Tensor], Tensor]],
) -> npt.NDArray[np.float64]:
    """Summed loss and KL from the first way [n_ways, 2], over predictions of counted tokens."""
    scored, targets = counted[:, 1:], tokens[:, 1:][counted[:, 1:]]
    sums = np.zeros((len(ways), 2))
    clean = None
    for number, way in enumerate(ways):
        logits = subject.logits(tokens, hook, _replacing(counted, way))[:, :-1][scored].float()
        total = logits.logsumexp(-1)
        if clean is None:
            clean = _Predicted(logits, total, (logits - total[:, None]).exp_())
        chosen = logits.gather(1, targets[:, None])[:, 0]
        sums[number, 0] = float((total - chosen).sum(dtype=torch.float64))
        sums[number, 1] = float(clean.divergence(logits, total).sum(dtype=torch.float64))
    return sums


class _Predicted(NamedTuple):
    """What the untouched model predicts."""

    logits: Float[Tensor, "n d_vocab"]
    total: Float[Tensor, " n"]  # their logsumexp
    p: Float[Tensor, "n d_vocab"]

    def divergence(
        self, logits: Float[Tensor, "n d_vocab"], total: Float[Tensor, " n"]
    ) -> Float[Tensor, " n"]:
        """KL from these predictions to others, in nats: p · (difference of logits) - totals'."""
        if logits is self.logits:
            return torch.zeros_like(total)
        return torch.linalg.vecdot(self.p, self.logits - logits) - self.total + total


def _replacing(counted: Tensor, way: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """A change at counted positions; the others keep what flows there."""

    def change(value: Tensor) -> Tensor:
        flat = value.flatten(2).clone()  # heads lie side by side, as the dictionary reads them
        flat[counted] = way(flat[counted])
        return flat.view(value.shape)

    return change


def _reconstruction(
    dictionary: Dictionary, actives: Actives, offsets: npt.NDArray[np.int64]
) -> Float[Tensor, "n d_in"]:
    """Σ f_i d_i + b_dec of consecutive positions, from their activations alone."""
    device = dictionary.W_dec.device
    sums = torch.nn.functional.embedding_bag(
        torch.from_numpy(actives.latents.astype(np.int64)).to(device),
        dictionary.W_dec,
        torch.from_numpy(offsets).to(device),
        mode="sum",
        per_sample_weights=torch.from_numpy(actives.values).to(device),
    )
    return sums + dictionary.b_dec


def _lengths(x: Float[Tensor, "n d_in"]) -> Float[Tensor, " n"]:
    return x.norm(dim=1).double()


def _histogram_of_norms(norms: npt.NDArray[np.float64]) -> Histogram:
    if norms.max() - norms.min() <= _ALIKE * norms.max():
        return Histogram((), ())
    counts, edges = np.histogram(norms, bins=_NORM_BINS)
    return Histogram(tuple(edges.tolist()), tuple(counts.tolist()))
