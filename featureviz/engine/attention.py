"""Which tokens an attention layer brought a latent from, for dictionaries on its z.

z at a position is, head by head, the values of all positions up to it, weighted by the attention
pattern. So the latent's pre-activation splits into one term a source: pattern times value times
W_enc, summed over the heads; what no token brought, the biases, is left out. Patterns are taken as
they are. Source: Kissane et al. 2024 (direct feature attribution).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float
from msgspec.structs import replace
from torch import Tensor

from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.schema import Dashboard, Example, Source
from featureviz.engine.dictionaries.base import Dictionary
from featureviz.engine.subject import Attention, Subject

_SHOWN = 5
_TOLERANCE = 1e-3  # of the largest entry of z, between the layer's own and the one rebuilt

Place = tuple[int, int]  # (context, latent)


def with_sources(
    dashboards: Sequence[Dashboard],
    subject: Subject,
    dictionary: Dictionary,
    corpus: StoredCorpus,
    batch_size: int,
) -> list[Dashboard]:
    """The dashboards with the sources of their strongest contexts; as they are at other hooks.

    So too where a layer's pattern and values do not give its z: attention of another kind.
    """
    if not _is_usual(subject, dictionary.facts.hook):
        return list(dashboards)
    wanted: dict[int, list[tuple[int, Example]]] = {}
    for dashboard in dashboards:
        for example in dashboard.top:
            wanted.setdefault(example.context, []).append((dashboard.index, example))
    found: dict[Place, tuple[Source, ...]] = {}
    for contexts, attention in _batches(sorted(wanted), subject, dictionary, corpus, batch_size):
        for row, context in enumerate(contexts):
            for latent, example in wanted[context]:
                encoder = dictionary.W_enc[:, latent]
                terms = contributions(attention, row, example.position, encoder)
                found[context, latent] = _strongest(terms)
    return [_attached(dashboard, found) for dashboard in dashboards]


@torch.inference_mode()
def contributions(
    attention: Attention, row: int, position: int, encoder: Float[Tensor, " d_in"]
) -> Float[Tensor, " n_ctx"]:
    """What every source position adds to x · encoder at a position of one context, x being z."""
    _, _, n_heads, d_head = attention.values.shape
    along = torch.einsum("shd,hd->hs", attention.values[row], encoder.view(n_heads, d_head))
    return (attention.pattern[row, :, position] * along).double().sum(0)


def _batches(
    contexts: Sequence[int],
    subject: Subject,
    dictionary: Dictionary,
    corpus: StoredCorpus,
    size: int,
) -> Iterator[tuple[Sequence[int], Attention]]:
    """Contexts some at a time, every batch filled up to the same shape."""
    for start in range(0, len(contexts), size):
        part = contexts[start : start + size]
        filled = np.resize(np.array(part), size)
        tokens = torch.from_numpy(corpus.tokens[filled].astype(np.int64))
        yield part, subject.attention(tokens, dictionary.facts.hook)


def _is_usual(subject: Subject, hook: str) -> bool:
    """Whether `hook` is the z of a layer whose pattern and values give it: tried on some tokens."""
    if not hook.endswith("attn.hook_z"):
        return False
    tokens = torch.arange(min(16, subject.facts.n_ctx, subject.facts.d_vocab))[None]
    try:
        attention = subject.attention(tokens, hook)
        rebuilt = torch.einsum("bhqs,bshd->bqhd", attention.pattern, attention.values).flatten(2)
        error = (rebuilt - attention.z).abs().max()
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError, ZeroDivisionError):
        return False  # attention of another build
    return bool(error <= _TOLERANCE * attention.z.abs().max())


def _strongest(terms: Float[Tensor, " n_ctx"]) -> tuple[Source, ...]:
    values = terms.cpu().numpy()
    best = np.argsort(-np.abs(values), kind="stable")[:_SHOWN]
    return tuple(Source(int(at), float(values[at])) for at in best if values[at])


def _attached(dashboard: Dashboard, found: dict[Place, tuple[Source, ...]]) -> Dashboard:
    top = tuple(
        replace(example, sources=found[example.context, dashboard.index])
        for example in dashboard.top
    )
    return replace(dashboard, top=top)
