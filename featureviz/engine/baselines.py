"""Dictionaries nobody trained, to compare with: a hook's neurons, PCA, ICA, random directions.

Each is made once, when a run is planned, and kept as a SAELens-like folder in the store under a
digest of what it was made from; the same request finds the same folder, and workers load it as any
other. Sources: Bricken et al. 2023 (neurons), Cunningham et al. 2023 (all four).
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from safetensors.torch import save
from torch import Tensor

from featureviz.engine import digests
from featureviz.engine.corpus import Contexts
from featureviz.engine.decompositions import (
    MOST_ROUNDS,
    TOLERANCE,
    Basis,
    independent,
    principal,
    random_directions,
    spread_of,
)
from featureviz.engine.errors import DictionaryError
from featureviz.engine.subject import Subject

KINDS = ("neurons", "pca", "ica", "random")

_VERSION = 1  # of the ways below; another one fits anew
_FIT_POSITIONS = 1 << 18  # read, evenly spread over the corpus
_SAMPLE = 1 << 16  # of them, for FastICA
_SAMPLE_ENTRIES = 1 << 26  # of the sample in memory: 256 MiB of float32
_BATCH_POSITIONS = 1 << 12
_PROBED = (4, 64)  # contexts and positions that show whether a hook is ever negative


@dataclass(frozen=True, slots=True)
class Made:
    """A basis, its own folder apart: what is written to it."""

    signed: bool
    size: int  # latents
    basis: Basis | None = None  # none: the identity
    fit: dict[str, Any] = field(default_factory=dict)  # how it was fitted


@dataclass(frozen=True)
class Place:
    """Where a basis is taken, and the text that fills it."""

    subject: Subject
    hook: str
    contexts: Contexts
    seed: int

    @property
    def d_in(self) -> int:
        """Dimensions of the hook."""
        probe = self.subject.activations(torch.zeros(1, 1, dtype=torch.long), self.hook)
        return int(probe.shape[-1])

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """The contexts that are read, evenly spread."""
        n_contexts, n_ctx = self.contexts.tokens.shape
        wanted = min(n_contexts, max(1, _FIT_POSITIONS // n_ctx))
        return np.arange(wanted) * n_contexts // wanted

    def activations(self) -> Iterator[Float[Tensor, "n d_in"]]:
        """What flows through the hook at counted positions of those contexts, batch by batch."""
        tokens, counted, rows = self.contexts.tokens, self.contexts.counted, self.rows
        size = max(1, _BATCH_POSITIONS // tokens.shape[1])
        for start in range(0, len(rows), size):
            own = rows[start : start + size]
            filled = torch.from_numpy(tokens[np.resize(own, size)].astype(np.int64))
            x = self.subject.activations(filled, self.hook)[: len(own)]
            yield x[torch.from_numpy(counted[own]).to(x.device)]

    @property
    def n_read(self) -> int:
        """Counted positions of those contexts."""
        return int(self.contexts.counted[self.rows].sum())


def hook_of(kind: str, hook: str | None) -> str:
    """The hook point asked for. Raises: DictionaryError where there is none."""
    if hook is None:
        raise DictionaryError(
            f"--dictionary {kind} needs --hook, the hook point it is a basis of; "
            "blocks.0.mlp.hook_post, for example."
        )
    return hook


def baseline(kind: str, place: Place, store: Path) -> Path:
    """The folder of a baseline; made unless it stands there already.

    Raises: EngineError on a hook the model does not have, or a text too short to fit to.
    """
    recipe = msgspec.json.encode(_recipe(kind, place), order="sorted")
    identity = digests.of_bytes(recipe)[:32]
    folder = store.resolve() / "dictionaries" / identity / f"{kind}-{_short(place.hook)}"
    if not folder.exists():
        _write(folder, place.hook, kind, _MAKERS[kind](place))
    return folder


def fit_notices(folder: Path) -> tuple[str, ...]:
    """What a person should know of a baseline's fit, though it works."""
    config = json.loads((folder / "cfg.json").read_bytes())
    fit, said = config["metadata"].get("fit", {}), []
    if fit.get("converged") is False:
        said.append(
            f"ICA did not converge in {fit['rounds']} rounds over {fit['sampled']:,} tokens; its "
            "components are where the last round left them. More text may settle them."
        )
    missing = config["d_in"] - config["d_sae"]
    if missing:
        said.append(
            f"This text leaves {missing} of the {config['d_in']} dimensions of "
            f"{config['metadata']['hook_name']} without any variance; they have no component."
        )
    return tuple(said)


def _recipe(kind: str, place: Place) -> dict[str, Any]:
    """Everything a basis depends on."""
    recipe: dict[str, Any] = {"kind": kind, "version": _VERSION, "hook": place.hook}
    recipe["model"] = place.subject.facts.digest
    if kind in ("ica", "random"):
        recipe["seed"] = place.seed
    if kind in ("pca", "ica"):
        contexts = place.contexts
        recipe["text"] = digests.of_bytes(
            np.array(contexts.tokens.shape, np.int64).tobytes(),
            contexts.tokens.tobytes(),
            contexts.counted.tobytes(),
        )
        recipe["read"] = [_FIT_POSITIONS, _SAMPLE, _SAMPLE_ENTRIES, MOST_ROUNDS, TOLERANCE]
    return recipe


def _short(hook: str) -> str:
    """A hook in a dictionary's name: blocks.0.mlp.hook_post is 0.mlp.post."""
    return hook.removeprefix("blocks.").replace("hook_", "")


def _neurons(place: Place) -> Made:
    return Made(signed=not _never_negative(place), size=place.d_in)


def _never_negative(place: Place) -> bool:
    """Whether a ReLU ends at the hook: the model says so, and random text does not deny it."""
    if not place.subject.is_rectified(place.hook):
        return False
    n, length = _PROBED
    facts = place.subject.facts
    generator = torch.Generator().manual_seed(0)
    shape = (n, min(length, facts.n_ctx))
    tokens = torch.randint(facts.d_vocab, shape, generator=generator)
    return bool((place.subject.activations(tokens, place.hook) >= 0).all())


def _pca(place: Place) -> Made:
    spread = spread_of(place.activations())
    basis = principal(spread)
    return Made(True, len(basis.directions), basis, _read(place))


def _ica(place: Place) -> Made:
    n, d_in = place.n_read, place.d_in
    wanted = min(n, _SAMPLE, max(1, _SAMPLE_ENTRIES // d_in))
    sample: list[Tensor] = []
    spread = spread_of(_sampling(place.activations(), np.arange(wanted) * n // wanted, sample))
    found = independent(torch.cat(sample), spread, place.seed)
    fit = {"sampled": wanted, "rounds": found.rounds, "converged": found.converged}
    return Made(True, len(found.basis.directions), found.basis, _read(place) | fit)


def _sampling(
    batches: Iterator[Tensor], wanted: npt.NDArray[np.int64], kept: list[Tensor]
) -> Iterator[Tensor]:
    """Pass batches on; the vectors numbered `wanted`, ascending, are kept on their way."""
    seen = 0
    for batch in batches:
        first, end = np.searchsorted(wanted, [seen, seen + len(batch)])
        kept.append(batch[torch.from_numpy(wanted[first:end] - seen).to(batch.device)])
        seen += len(batch)
        yield batch


def _random(place: Place) -> Made:
    basis = random_directions(place.d_in, place.seed)
    return Made(True, len(basis.directions), basis, {"seed": place.seed})


def _read(place: Place) -> dict[str, Any]:
    """Which part of the corpus was read."""
    return {"contexts": len(place.rows), "tokens": place.n_read, "seed": place.seed}


_MAKERS: dict[str, Callable[[Place], Made]] = {
    "neurons": _neurons,
    "pca": _pca,
    "ica": _ica,
    "random": _random,
}


def _write(folder: Path, hook: str, kind: str, made: Made) -> None:
    """Write a baseline as SAELens would; the folder appears whole."""
    tensors = {"b_dec": torch.zeros(made.size)} if made.basis is None else _tensors(made.basis)
    config = {
        "architecture": kind,
        "d_in": tensors["b_dec"].shape[0],
        "d_sae": made.size,
        "signed": made.signed,
        "normalize_activations": "none",
        "metadata": {"hook_name": hook, "fit": made.fit},
    }
    folder.parent.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".part-", dir=folder.parent.parent))
    try:
        inner = part / folder.name
        inner.mkdir()
        (inner / "cfg.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
        (inner / "sae_weights.safetensors").write_bytes(save(tensors))
        shutil.rmtree(folder.parent, ignore_errors=True)
        part.rename(folder.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _tensors(basis: Basis) -> dict[str, Tensor]:
    def single(array: npt.NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).float()

    return {
        "W_enc": single(basis.filters.T),
        "W_dec": single(basis.directions),
        "b_dec": single(basis.mean),
    }
