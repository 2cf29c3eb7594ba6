"""Brute force: some latents' activations at every position of the corpus.

The language model is TransformerLens's, run whole and cached at the hook point; the dictionary is
SAELens's, a baseline a product of matrices. Nothing of the engine's own forward pass, encoders,
spool or sketches is used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from featureviz.dashboards.corpora import StoredCorpus
from featureviz.engine.plan import Plan
from featureviz.engine.subject import Subject, load_subject
from featureviz.verify.coders import Coder, load_coder

_POSITIONS = 1 << 12  # run at once

Report = Callable[[int, int], None]  # contexts done, of how many


@dataclass(frozen=True)
class NeuronSums:
    """Sums over all counted positions, of what the dictionary reads."""

    total: npt.NDArray[np.float64]  # [d_in]
    squares: npt.NDArray[np.float64]  # [d_in]
    cross: npt.NDArray[np.float64]  # [n_latents, d_in]; of activation times neuron


@dataclass
class WholeSums:
    """Sums over all counted positions, of all latents at once; x^ is the reconstruction of x."""

    active: npt.NDArray[np.int64]  # [d_sae]; positions
    activation: float = 0.0
    error: float = 0.0  # |x - x^|^2
    reconstructed: float = 0.0  # |x^|^2
    product: float = 0.0  # x . x^
    cosine: float = 0.0
    ratio: float = 0.0  # |x^| / |x|

    def add(self, x: Tensor, f: Tensor, again: Tensor) -> None:
        """Add positions: x and x^ [n, d_in], activations [n, d_sae]."""
        self.active += f.count_nonzero(dim=0).numpy()
        self.activation += float(f.sum(dtype=torch.float64))
        one, other = x.double(), again.double()
        lengths, others = one.norm(dim=1), other.norm(dim=1)
        products = (one * other).sum(1)
        self.error += float((one - other).square().sum())
        self.reconstructed += float(others.square().sum())
        self.product += float(products.sum())
        self.cosine += float((products / (lengths * others).clamp_min(1e-30)).sum())
        self.ratio += float((others / torch.where(lengths > 0, lengths, 1)).sum())


@dataclass(frozen=True)
class Truth:
    """Activations of a few latents over a whole corpus, and what they were computed with."""

    plan: Plan
    corpus: StoredCorpus
    subject: Subject
    dictionary: Coder
    latents: tuple[int, ...]
    values: npt.NDArray[np.float32]  # [n_counted, n_latents]
    neurons: NeuronSums
    whole: WholeSums  # all 0 where no health was asked for

    @cached_property
    def spots(self) -> npt.NDArray[np.int64]:
        """(context, position) of every counted position [n_counted, 2], in corpus order."""
        return np.argwhere(np.asarray(self.corpus.counted))

    @cached_property
    def tokens(self) -> npt.NDArray[np.int32]:
        """The token at every counted position [n_counted]."""
        return np.asarray(self.corpus.tokens)[tuple(self.spots.T)]

    def column(self, latent: int) -> npt.NDArray[np.float64]:
        """One latent's activations at all counted positions [n_counted]."""
        return self.values[:, self.latents.index(latent)].astype(np.float64)

    def at(self, latent: int, context: int) -> dict[int, float]:
        """One latent's activations > 0 in a context, by position."""
        rows = slice(*np.searchsorted(self.spots[:, 0], [context, context + 1]))
        found = zip(self.spots[rows, 1].tolist(), self.column(latent)[rows].tolist(), strict=True)
        return {position: value for position, value in found if value > 0}

    @cached_property
    def W_dec(self) -> npt.NDArray[np.float64]:
        """Decoder rows [d_sae, d_in]."""
        return self.dictionary.W_dec.detach().double().numpy()


@torch.inference_mode()
def brute_force(
    plan: Plan, store: Path, latents: Sequence[int], report: Report, *, health: bool = True
) -> Truth:
    """Run the whole corpus through model and dictionary. Raises: EngineError.

    `health` says whether reconstructions are made and summed up too.
    """
    corpus = StoredCorpus(store / "corpora" / plan.corpus_digest)
    subject = load_subject(plan.sources.model)
    dictionary = load_coder(Path(plan.sources.dictionary))
    d_in = dictionary.W_dec.shape[1]
    total, squares, cross = np.zeros(d_in), np.zeros(d_in), np.zeros((len(latents), d_in))
    columns = list[npt.NDArray[np.float32]]()
    whole = WholeSums(np.zeros(len(dictionary.W_dec), np.int64))
    size = max(1, _POSITIONS // plan.context_size)
    for start in range(0, plan.n_contexts, size):
        rows = slice(start, min(start + size, plan.n_contexts))
        read = hooked(subject, np.asarray(corpus.tokens[rows]), plan.hook)
        x = read[torch.from_numpy(np.array(corpus.counted[rows]))]
        f = dictionary.encode(x).float()
        if health:
            whole.add(x, f, dictionary.decode(f))
        columns.append(f[:, list(latents)].numpy())
        exact = x.double().numpy()
        total += exact.sum(0)
        squares += (exact**2).sum(0)
        cross += columns[-1].astype(np.float64).T @ exact
        report(rows.stop, plan.n_contexts)
    sums = NeuronSums(total, squares, cross)
    values = np.concatenate(columns)
    return Truth(plan, corpus, subject, dictionary, tuple(latents), values, sums, whole)


def hooked(subject: Subject, tokens: npt.NDArray[np.int32], hook: str) -> Tensor:
    """What flows through a hook point [n, n_ctx, d_in], the whole model run."""
    batch = torch.from_numpy(tokens.astype(np.int64))
    _, cache = subject.bridge.run_with_cache(batch, names_filter=[hook])
    return cache[hook].flatten(2).float()
