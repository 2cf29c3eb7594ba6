"""A person's request becomes a registered run, or one clear line."""

import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from django.conf import settings

from featureviz import __version__
from featureviz.catalog import runs
from featureviz.catalog.models import Corpus, Dictionary, Run
from featureviz.engine.baselines import KINDS
from featureviz.engine.device import found
from featureviz.engine.plan import Plan
from featureviz.engine.precompute import Prepared, Request, prepare
from featureviz.engine.subject import DTYPE

_PACKAGES = ("torch", "transformer-lens", "numpy")


def place(request: Request, say: Callable[[str], object]) -> Run:
    """Check a request and register its run, or find the one there is.

    `say` is told what a person should know though it works.

    Raises: EngineError, CatalogError; nothing is left behind then.
    """
    store = Path(settings.FEATUREVIZ_STORE)
    stored_before = set(_stored(store))
    prepared = prepare(_absolute(request), store, found(settings.FEATUREVIZ_DEVICE))
    for notice in prepared.notices:
        say(notice)
    try:
        return _register(prepared, request)
    except runs.CatalogError:
        for folder in _made_for(prepared, store) - stored_before:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _register(prepared: Prepared, request: Request) -> Run:
    plan, model, dictionary = prepared.plan, prepared.model, prepared.dictionary
    return runs.register(
        runs.ModelFacts(
            name=request.model_name or model.name,
            source=model.source,
            digest=model.digest,
            architecture=model.architecture,
            n_layers=model.n_layers,
            d_model=model.d_model,
            d_vocab=model.d_vocab,
        ),
        runs.DictionaryFacts(
            name=request.name or dictionary.name,
            source=dictionary.source,
            digest=dictionary.digest,
            architecture=dictionary.architecture,
            hook=dictionary.hook,
            d_in=dictionary.d_in,
            d_sae=dictionary.n_latents,
        ),
        prepared.corpus,
        _run_facts(plan),
    )


def _run_facts(plan: Plan) -> runs.RunFacts:
    return runs.RunFacts(
        key=plan.key,
        plan=plan.as_json(),
        shards=tuple(len(plan.shard_contexts(number)) for number in range(plan.n_shards)),
        blocks=tuple(
            len(plan.block_latents(number)) // plan.ends for number in range(plan.n_blocks)
        ),
        provenance={
            "versions": {"featureviz": __version__} | {name: version(name) for name in _PACKAGES},
            "machine": platform.platform(),
            "dtype": DTYPE,
        },
    )


def _absolute(request: Request) -> Request:
    """Paths that mean the same to a worker started elsewhere."""
    folder, dictionary = Path(request.model), request.dictionary
    return replace(
        request,
        model=str(folder.resolve()) if folder.is_dir() else request.model,
        dictionary=dictionary if dictionary in KINDS else str(Path(dictionary).resolve()),
        corpus=Path(request.corpus).resolve(),
    )


def _stored(store: Path) -> Iterator[Path]:
    """The folders a request may add to."""
    for kind in ("corpora", "dictionaries"):
        yield from (store / kind).glob("*")


def _made_for(prepared: Prepared, store: Path) -> set[Path]:
    """The folders a request stands on that no registered run does."""
    made = set()
    if not Corpus.objects.filter(digest=prepared.corpus.digest).exists():
        made.add(store / "corpora" / prepared.corpus.digest)
    source = prepared.dictionary.source
    baseline = Path(source).parent
    if baseline.parent == store.resolve() / "dictionaries" and not _is_known(source):
        made.add(store / "dictionaries" / baseline.name)
    return made


def _is_known(source: str) -> bool:
    return Dictionary.objects.filter(source=source).exists()
