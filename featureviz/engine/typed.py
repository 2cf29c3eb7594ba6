"""A text that somebody typed: its tokens, and the latents active on them, as a run counts them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from featureviz.engine.activations import Actives, active_latents, joined
from featureviz.engine.corpus import Contexts, cut
from featureviz.engine.errors import CorpusError, TextError
from featureviz.engine.precompute import Bench

LONGEST = 20_000  # characters; tokenising more only to refuse it would keep others waiting


@dataclass(frozen=True, slots=True)
class Typed:
    """A text as one context of the model."""

    tokens: npt.NDArray[np.int32]  # [length], its start token included
    counted: npt.NDArray[np.bool_]  # [length]; False at start and special tokens
    positions: npt.NDArray[np.int64]  # [n], ascending: where latents are active
    latents: npt.NDArray[np.int64]  # [n]
    values: npt.NDArray[np.float32]  # [n]; < 0 at the negative end of a signed latent

    def of(self, latent: int) -> list[float]:
        """One latent's activation at every position [length]; 0 where it is silent."""
        found = np.zeros(len(self.tokens), np.float32)
        mine = self.latents == latent
        found[self.positions[mine]] = self.values[mine]
        return found.tolist()

    def strongest(self, most: int) -> Typed:
        """The same with the `most` strongest latents of each position."""
        order = np.lexsort((-np.abs(self.values), self.positions))
        sorted_positions = self.positions[order]
        rank = np.arange(len(order)) - np.searchsorted(sorted_positions, sorted_positions)
        kept = np.sort(order[rank < most])
        return replace(
            self,
            positions=self.positions[kept],
            latents=self.latents[kept],
            values=self.values[kept],
        )


def typed(bench: Bench, text: str) -> Typed:
    """Run a text through the model and the dictionary of a run.

    It is tokenised and encoded as the corpus was, a start token before it where the corpus has one;
    positions that the run does not count have no activation here either.
    Raises: TextError when it is empty or longer than the model reads.
    """
    contexts = _one_context(bench, text)
    length = int(contexts.lengths[0])
    tokens, counted = contexts.tokens[:, :length], contexts.counted[:, :length]
    parts = active_latents(bench.subject, bench.dictionary, tokens, counted, batch_size=1)
    actives = joined([actives for _, actives, _ in parts])
    latents, values = _of_latents(actives, bench.plan.ends)
    return Typed(tokens[0], counted[0], actives.places.astype(np.int64), latents, values)


def _one_context(bench: Bench, text: str) -> Contexts:
    most = bench.subject.facts.n_ctx
    if len(text) > LONGEST:
        raise TextError(f"This text has {len(text):,} characters. Give at most {LONGEST:,}.")
    try:
        contexts = cut([text], bench.subject.tokenizer, most)
    except CorpusError as error:
        raise TextError("There is no text to read. Type some.") from error
    if len(contexts.tokens) > 1:
        n_tokens = int(contexts.counted.sum())
        raise TextError(
            f"This text has {n_tokens:,} tokens; {bench.subject.facts.name} reads "
            f"{int(contexts.counted[0].sum()):,} at once. Leave some out."
        )
    if contexts.tokens.max() >= bench.subject.facts.d_vocab:
        raise TextError("This text has a token that the model does not know. Leave it out.")
    return contexts


def _of_latents(
    actives: Actives, ends: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Ends as signed latents: of a signed one, the odd ends are its activations below 0."""
    latents = actives.latents.astype(np.int64)
    if ends == 1:
        return latents, actives.values
    return latents // ends, np.where(latents % ends, -actives.values, actives.values)
