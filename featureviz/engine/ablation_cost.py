"""How many examples a run ablates when nobody said: all, unless that is long."""

from __future__ import annotations

from featureviz.engine.dictionaries.base import Dictionary
from featureviz.engine.plan import SIZES, Ablate, Asked
from featureviz.engine.subject import Subject
from featureviz.engine.tail import entry_of

ALL_UP_TO = 1e14  # multiply-adds: the better part of an hour on a processor core, at most


def decided(asked: Asked, subject: Subject, dictionary: Dictionary, n_ctx: int) -> Ablate:
    """What a request asks for; for `auto`, all where the estimate allows it, else the top group."""
    if asked != "auto":
        return asked
    return "all" if estimate(subject, dictionary, n_ctx) <= ALL_UP_TO else "top"


def estimate(subject: Subject, dictionary: Dictionary, n_ctx: int) -> float:
    """Multiply-adds of ablating every example, each context rerun whole behind the hook.

    An upper bound: what a latent cannot change is not computed.
    """
    examples = SIZES.n_top + SIZES.n_intervals * SIZES.n_per_interval + SIZES.n_random
    facts = dictionary.facts
    return float(facts.d_sae * examples * n_ctx * _rerun(subject, facts.hook))


def _rerun(subject: Subject, hook: str) -> int:
    """Parameters a token passes behind a hook; of the whole model where its way is not known."""
    entry = entry_of(hook, subject.facts.n_layers)
    head = subject.facts.d_model * subject.facts.d_vocab
    if entry is None:
        return sum(weight.numel() for weight in subject.plain.parameters())
    first = entry.layer if entry.mid is None else entry.mid
    layers = subject.plain.get_submodule(subject.parts.blocks)[first:]
    return head + sum(weight.numel() for weight in layers.parameters())
