"""What taking latents out costs beside rerunning every context from the hook on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bench.engine import prepare_size
from bench.rows import Row, seconds
from bench.subjects import Size
from featureviz.engine.ablation import THRESHOLD, Clean, Pairs, TailAblator
from featureviz.engine.precompute import Bench
from featureviz.engine.tail import Stream, entry_of
from featureviz.engine.token_effects import pairs_of, shown_firings

_REPEATS = 5
_LATENTS = 64
_RERUN = 96  # pairs the reference is measured on
_BATCH = 32

_SIZES = {
    "demo MLP": Size(n_layers=1, d_model=128, d_vocab=4096, l0=30, place="blocks.0.mlp.hook_post"),
    "middle of 4 layers": Size(n_layers=4, l0=30, place="blocks.1.hook_resid_post"),
}


def rows() -> Iterator[Row]:
    """(context, latent) pairs a second, over those of full reruns from the hook on."""
    for name, size in _SIZES.items():
        with TemporaryDirectory(prefix="featureviz-bench-") as folder:
            yield from _ratios(name, _work(Path(folder), replace(size, n_contexts=128)))


@dataclass(frozen=True)
class _Work:
    """Contexts and pairs as dashboards show them: top, intervals, random."""

    ablator: TailAblator
    tokens: npt.NDArray[np.int32]
    pairs: Pairs


def _work(folder: Path, size: Size) -> _Work:
    bench = Bench(prepare_size(folder, size).plan, folder / "store")
    for number in range(bench.plan.n_shards):
        bench.shard(number)
    latents = range(_LATENTS)
    firings = shown_firings(bench._dashboards(latents, bench.sketch(latents)), "all")
    contexts = sorted({context for context, _ in firings})
    entry = entry_of(size.hook, size.n_layers)
    assert entry is not None
    return _Work(
        TailAblator(bench.subject, bench.dictionary, entry),
        np.asarray(bench.corpus.tokens[contexts]),
        pairs_of(firings, contexts),
    )


def _ratios(name: str, work: _Work) -> Iterator[Row]:
    n_pairs, reference = len(work.pairs.contexts), Reference(work)
    found, ours, theirs = [], 0.0, 0.0

    def fast() -> object:
        return work.ablator.effects(work.ablator.clean(work.tokens), work.pairs, THRESHOLD)

    for _ in range(_REPEATS):
        ours, theirs = n_pairs / seconds(fast), _RERUN / seconds(reference.run)
        found.append(ours / theirs)
    active = len(work.pairs.positions) / n_pairs
    note = f"{ours:,.0f} pairs/s of {active:.1f} active positions; {theirs:,.0f} rerun"
    spread = (min(found), max(found))
    yield Row(f"ablation_ratio {name}", round(median(found), 2), "ratio", 3.0, False, spread, note)


class Reference:
    """Every context whole, from the hook on, with a log-softmax over the vocabulary.

    The same layers without hooks, fused attention, batches of 32; total effect and KL, no direct
    effect and no changed tokens. The clean run is not timed here; in ours it is.
    """

    @torch.inference_mode()
    def __init__(self, work: _Work) -> None:
        self.ablator = work.ablator
        self.pairs = work.pairs
        self.chosen = np.linspace(0, len(work.pairs.contexts) - 1, _RERUN).astype(np.int64)
        rows, self.row = np.unique(work.pairs.contexts[self.chosen], return_inverse=True)
        self.clean = work.ablator.clean(work.tokens[rows])
        self.before = self._log_probs(_stream(self.clean).final)

    @torch.inference_mode()
    def run(self) -> list[tuple[Tensor, Tensor]]:
        """Total effects and KL [batch, n_ctx - 1], batch by batch."""
        return [self._batch(slice(at, at + _BATCH)) for at in range(0, _RERUN, _BATCH)]

    def _batch(self, batch: slice) -> tuple[Tensor, Tensor]:
        stream, rows = _stream(self.clean), torch.from_numpy(self.row[batch])
        change = self._change(self.chosen[batch])
        if stream.entry is None:
            final = stream.final[rows] - change
        else:
            empty = [(keys[rows, :, :0], values[rows, :, :0]) for keys, values in stream.cache]
            final = self.ablator.tail.rerun(stream.entry[rows] - change, empty)
        before = self.before[rows]
        gap = before - self._log_probs(final)
        effect = gap.gather(2, self.clean.tokens[rows][:, 1:, None])[..., 0]
        return effect, (before.exp() * gap).sum(-1)

    def _log_probs(self, final: Tensor) -> Tensor:
        tail = self.ablator.tail
        return tail.head(tail.norm(final))[:, :-1].log_softmax(-1)

    def _change(self, chosen: npt.NDArray[np.int64]) -> Tensor:
        """What the pairs' latents write at every position [n, n_ctx, d_model]."""
        dictionary, n_ctx = self.ablator.dictionary, self.clean.tokens.shape[1]
        activations = torch.zeros(len(chosen), n_ctx)
        for row, pair in enumerate(chosen):
            places = slice(self.pairs.starts[pair], self.pairs.starts[pair + 1])
            activations[row, self.pairs.positions[places]] = torch.from_numpy(
                self.pairs.values[places]
            )
        directions = dictionary.W_dec[torch.from_numpy(self.pairs.latents[chosen])]
        writes = self.ablator.subject.to_residual(dictionary.facts.hook)
        assert writes is not None
        return writes(activations[..., None] * directions[:, None])


def _stream(clean: Clean) -> Stream:
    assert clean.stream is not None
    return clean.stream
