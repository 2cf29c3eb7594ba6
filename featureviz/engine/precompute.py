"""The precompute, readable as a table of contents: prepare, shard, block."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from featureviz.dashboards.corpora import CorpusFacts, StoredCorpus
from featureviz.dashboards.health import write_health
from featureviz.dashboards.schema import Dashboard, LogitWeights
from featureviz.dashboards.store import write_pack
from featureviz.engine.ablation import ablator
from featureviz.engine.ablation_cost import decided
from featureviz.engine.activations import Actives, active_latents, joined
from featureviz.engine.attention import with_sources
from featureviz.engine.baselines import KINDS, Place, baseline, fit_notices, hook_of
from featureviz.engine.compose import Composer
from featureviz.engine.corpus import Contexts, cut, read_documents, store_corpus
from featureviz.engine.dictionaries.base import Dictionary, DictionaryFacts
from featureviz.engine.dictionaries.load import load_dictionary
from featureviz.engine.effects import logit_weights, normalised_logit_weights, with_logits
from featureviz.engine.ends import of_both_ends, with_both_ends
from featureviz.engine.errors import CorpusError, DictionaryError, SubjectError
from featureviz.engine.final_norm import FinalNorm, final_norm
from featureviz.engine.health import HealthGatherer, health
from featureviz.engine.memory import reuse_memory
from featureviz.engine.neurons import NeuronGatherer, with_neurons
from featureviz.engine.plan import Asked, Plan, Sources, batch_size, block_size, shard_size
from featureviz.engine.profiles import with_profiles
from featureviz.engine.silent import with_silent
from featureviz.engine.sketches.walk import BlockSketch, Ground, sketch_block
from featureviz.engine.spool import Spool, by_latent, write_shard
from featureviz.engine.subject import Subject, SubjectFacts, load_subject
from featureviz.engine.token_effects import Workplace, with_effects

Report = Callable[[int], None]  # how many contexts, or latents, are done

_DEFAULT_CONTEXT = 128
_SPOOLED_BYTES = 8  # an activation
_MUCH_DISK = 1.0  # GB a person should be told of


def _silent(_done: int) -> None:
    """Report to nobody."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asks for."""

    model: str  # folder or TransformerLens name
    dictionary: str  # SAELens folder; or neurons, pca, ica, random: a basis of `hook`
    corpus: Path
    hook: str | None = None  # else the dictionary's own
    context_size: int | None = None  # else the dictionary's own, else 128
    max_contexts: int | None = None
    seed: int = 0
    model_name: str | None = None  # else the folder's or TransformerLens's
    name: str | None = None  # of the dictionary; else its folder's
    ablate: Asked = "none"  # groups of examples that get ablation effects


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that was checked: its plan, and what it is about."""

    plan: Plan
    model: SubjectFacts
    dictionary: DictionaryFacts
    corpus: CorpusFacts
    notices: tuple[str, ...]  # what a person should know, though it works


def prepare(request: Request, store: Path, device: str = "cpu") -> Prepared:
    """Check a request, store its corpus, and plan the run.

    Raises: EngineError on bad input; nothing is left behind then.
    """
    given = _given_dictionary(request, device)
    hook = given.facts.hook if given else hook_of(request.dictionary, request.hook)
    subject = load_subject(request.model, device)
    subject.check_hook(hook)
    if given:
        _check_fit(subject, given)
    context_size = _context_size(request, subject, given)
    if request.max_contexts is not None and request.max_contexts < 1:
        raise CorpusError(f"--max-contexts {request.max_contexts}: expected 1 or more.")
    contexts = cut(
        read_documents(request.corpus), subject.tokenizer, context_size, request.max_contexts
    )
    _check_tokens(subject, contexts)
    dictionary = given
    if dictionary is None:
        place = Place(subject, hook, contexts, request.seed)
        folder = str(baseline(request.dictionary, place, store))
        dictionary = load_dictionary(folder, device=device)
    corpus = store_corpus(
        request.corpus, subject.tokenizer, contexts, store, subject.facts.d_vocab
    ).facts
    return Prepared(
        _plan(request, subject, dictionary, corpus),
        subject.facts,
        dictionary.facts,
        corpus,
        (*_notices(corpus), *_notices_of_baseline(dictionary.facts, corpus)),
    )


class Bench:
    """A place of work: model and dictionary are loaded once, when first needed, onto its device."""

    def __init__(self, plan: Plan, store: Path, device: str = "cpu") -> None:
        reuse_memory()
        self.plan = plan
        self.store = store
        self.device = device

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to release: what is loaded is shared by the process."""

    def shard(self, number: int, report: Report = _silent) -> None:
        """Spool the activations of one shard; doing it twice writes the same bytes."""
        contexts = self.plan.shard_contexts(number)
        rows = slice(contexts.start, contexts.stop)
        tokens, counted = self.corpus.tokens[rows], self.corpus.counted[rows]
        parts: list[Actives] = []
        gathered = (
            NeuronGatherer.of(self.dictionary.facts, counted),
            HealthGatherer(self.dictionary, counted),
        )
        done = 0
        for size, actives, x in active_latents(
            self.subject, self.dictionary, tokens, counted, self.plan.batch_size
        ):
            parts.append(actives)
            for gatherer in gathered:
                gatherer.add(actives, x)
            done += size
            report(done)
        slices = by_latent(joined(parts), self.plan.d_sae)
        beside = {name: array for each in gathered for name, array in each.arrays().items()}
        write_shard(shard_path(self._folder, number), slices, beside)

    def block(self, number: int, report: Report = _silent) -> None:
        """Write the dashboards of one block of latents; needs all shards.

        The first block's job writes the dictionary's health too, and before its own pack: where
        all packs are, the health is.
        """
        if number == 0:
            self.health()
        self.pack(number, report)

    def health(self) -> None:
        """Write how well the dictionary stands for what it reads; needs all shards."""
        found = health(self.subject, self.dictionary, self.corpus, self._shards)
        write_health(self._folder, found)

    def pack(self, number: int, report: Report = _silent) -> None:
        """Write one block's dashboards alone; doing it twice writes the same bytes.

        A latent whose activations were gone through, without a dashboard yet, counts as half done.
        """
        latents = self.plan.block_latents(number)
        sketch = self.sketch(latents, lambda walked: report(walked // (2 * self.plan.ends)))
        dashboards = self._dashboards(latents, sketch)
        dashboards = with_both_ends(dashboards, self.plan.ends)
        write_pack(block_path(self._folder, number), dashboards)
        report(len(dashboards))

    def with_all_effects(
        self, dashboard: Dashboard, report: Callable[[int, int], None]
    ) -> Dashboard:
        """A written dashboard with the ablation effects of every example, as `ablate="all"` has it.

        `report` is told how many contexts are done, and of how many.
        """
        ends = of_both_ends(dashboard, self.plan.ends)
        return with_both_ends(with_effects(ends, self._workplace, "all", report), self.plan.ends)[0]

    @cached_property
    def subject(self) -> Subject:
        """The language model; refused when it changed since the run was planned."""
        subject = load_subject(self.plan.sources.model, self.device)
        if subject.facts.digest != self.plan.model_digest:
            raise SubjectError(f"{self.plan.sources.model}: {_CHANGED}")
        return subject

    @cached_property
    def dictionary(self) -> Dictionary:
        """The dictionary; refused when it changed since the run was planned."""
        source = self.plan.sources.dictionary
        dictionary = load_dictionary(source, self.plan.hook, self.device)
        if dictionary.facts.digest != self.plan.dictionary_digest:
            raise DictionaryError(f"{self.plan.sources.dictionary}: {_CHANGED}")
        return dictionary

    @cached_property
    def corpus(self) -> StoredCorpus:
        """The stored corpus."""
        return StoredCorpus(self.store / "corpora" / self.plan.corpus_digest)

    @property
    def _folder(self) -> Path:
        return self.store / "runs" / self.plan.key

    @property
    def _shards(self) -> list[Path]:
        return [shard_path(self._folder, number) for number in range(self.plan.n_shards)]

    @cached_property
    def _norm(self) -> FinalNorm | None:
        return final_norm(self.subject)

    @cached_property
    def _composer(self) -> Composer:
        return Composer(self.corpus, self.plan.d_vocab)

    @cached_property
    def _spool(self) -> Spool:
        return Spool(self._shards, self.plan.shard_size * self.plan.context_size)

    @property
    def _ground(self) -> Ground:
        return Ground(self.corpus.tokens, self.plan.d_vocab, self.plan.seed)

    @cached_property
    def _workplace(self) -> Workplace:
        found = ablator(self.subject, self.dictionary, self.plan.context_size)
        return Workplace(found, self.subject, self.dictionary, self.corpus)

    def sketch(self, latents: range, report: Report = _silent) -> BlockSketch:
        """Everything gathered of a block of latents; needs all shards."""
        return sketch_block(self._spool, latents, self._ground, self.plan.sizes, report=report)

    def _dashboards(self, latents: range, sketch: BlockSketch) -> list[Dashboard]:
        directions = self.dictionary.W_dec[latents.start : latents.stop]
        norms = directions.norm(dim=1).tolist()
        with ThreadPoolExecutor(1) as beside:  # products there, records here: neither core waits
            weights = beside.submit(self._logit_weights, directions)
            dashboards = self._composer.dashboards(latents, sketch, norms)
            dashboards = with_silent(dashboards, self._spool, self.corpus, self._ground)
            dashboards = with_neurons(dashboards, self.dictionary, self._shards)
            dashboards = with_sources(
                dashboards, self.subject, self.dictionary, self.corpus, self.plan.batch_size
            )
            dashboards = with_profiles(dashboards, self.corpus, self._shards, self.plan.shard_size)
            dashboards = with_logits(dashboards, *weights.result())
        if self.plan.ablate == "none":
            return dashboards
        return with_effects(dashboards, self._workplace, self.plan.ablate)

    def _logit_weights(
        self, directions: Tensor
    ) -> tuple[list[LogitWeights] | None, list[LogitWeights] | None]:
        """Raw, and as the final norm lets them through; none where nothing is written linearly."""
        writes = self.subject.to_residual(self.plan.hook)
        if writes is None:
            return None, None
        W_U, written = self.subject.W_U, writes(directions)
        raw = logit_weights(written, W_U)
        if self._norm is None:
            return raw, None
        return raw, normalised_logit_weights(written, W_U, self._norm)


def shard_path(run: Path, number: int) -> Path:
    """Where a shard's activations are spooled."""
    return run / "shards" / f"{number:05d}.safetensors"


def block_path(run: Path, number: int) -> Path:
    """Where a block's dashboards are."""
    return run / "blocks" / f"{number:05d}.pack"


_CHANGED = (
    "these weights changed since the run was planned. Put the old ones back, or start a new run."
)


def _given_dictionary(request: Request, device: str) -> Dictionary | None:
    """The dictionary a request names by its folder; none where it asks for a baseline."""
    if request.dictionary in KINDS:
        return None
    return load_dictionary(request.dictionary, request.hook, device)


def _check_fit(subject: Subject, dictionary: Dictionary) -> None:
    facts = dictionary.facts
    probe = subject.activations(torch.zeros(1, 1, dtype=torch.long), facts.hook)
    if probe.shape[-1] != facts.d_in:
        raise DictionaryError(
            f"{facts.source}: W_enc reads {facts.d_in} dimensions; {facts.hook} of "
            f"{subject.facts.name} has {probe.shape[-1]}. Give the model it was trained on, or "
            "another --hook."
        )


def _check_tokens(subject: Subject, contexts: Contexts) -> None:
    largest = int(contexts.tokens.max())
    if largest >= subject.facts.d_vocab:
        raise SubjectError(
            f"{subject.facts.source}: its tokenizer gives token {largest}; the model knows "
            f"{subject.facts.d_vocab}. Give the tokenizer it was trained with."
        )


def _context_size(request: Request, subject: Subject, dictionary: Dictionary | None) -> int:
    n_ctx = subject.facts.n_ctx
    wanted = request.context_size
    if wanted is None:
        own = dictionary.facts.context_size if dictionary else None
        return min(own or _DEFAULT_CONTEXT, n_ctx)
    if not 2 <= wanted <= n_ctx:
        raise CorpusError(
            f"--context-size {wanted}: {subject.facts.name} reads 2 to {n_ctx} positions."
        )
    return wanted


def _notices(corpus: CorpusFacts) -> tuple[str, ...]:
    if corpus.n_positions >= corpus.context_size:
        return ()
    return (
        f"{corpus.name} is shorter than one context: {corpus.n_positions} positions of "
        f"{corpus.context_size}; the rest is padding and counts in no statistic.",
    )


def _notices_of_baseline(facts: DictionaryFacts, corpus: CorpusFacts) -> tuple[str, ...]:
    if not facts.dense:
        return ()
    gigabytes = facts.most_active * corpus.n_tokens * _SPOOLED_BYTES / 1e9
    if gigabytes < _MUCH_DISK:
        return fit_notices(Path(facts.source))
    return (
        *fit_notices(Path(facts.source)),
        f"{facts.name} is active on nearly every token: up to {gigabytes:.1f} GB of activations go "
        "to the store. --max-contexts makes it less.",
    )


def _found_at(source: str) -> str:
    """A folder's full path, so that any process finds it; another name as it is."""
    path = Path(source)
    return str(path.resolve()) if path.is_dir() else source


def _plan(request: Request, subject: Subject, dictionary: Dictionary, corpus: CorpusFacts) -> Plan:
    return Plan(
        sources=Sources(
            _found_at(request.model),
            _found_at(dictionary.facts.source),
            str(Path(request.corpus).resolve()),
        ),
        model_digest=subject.facts.digest,
        dictionary_digest=dictionary.facts.digest,
        corpus_digest=corpus.digest,
        hook=dictionary.facts.hook,
        n_contexts=corpus.n_contexts,
        context_size=corpus.context_size,
        d_sae=dictionary.facts.d_sae,
        d_vocab=max(subject.facts.d_vocab, len(subject.tokenizer)),
        seed=request.seed,
        batch_size=batch_size(corpus.context_size),
        shard_size=shard_size(corpus.context_size, dictionary.facts.most_active),
        block_size=block_size(
            subject.facts.d_vocab,
            corpus.n_tokens if dictionary.facts.dense else 0,
            dictionary.facts.ends,
        ),
        ablate=decided(request.ablate, subject, dictionary, corpus.context_size),
        ends=dictionary.facts.ends,
    )
