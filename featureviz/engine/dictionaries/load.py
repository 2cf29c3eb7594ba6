"""Dictionaries from disk: SAELens folders, version 6 and the flat form before it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from sae_lens.loading.pretrained_sae_loaders import handle_config_defaulting
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from featureviz.engine import digests
from featureviz.engine.dictionaries.base import Dictionary, DictionaryFacts
from featureviz.engine.dictionaries.gated import Gated
from featureviz.engine.dictionaries.jumprelu import JumpReLU
from featureviz.engine.dictionaries.linear import ENDS, Linear, two_ends
from featureviz.engine.dictionaries.neurons import Neurons
from featureviz.engine.dictionaries.standard import Standard
from featureviz.engine.dictionaries.topk import TopK
from featureviz.engine.errors import DictionaryError

_CONFIG = "cfg.json"
_WEIGHTS = "sae_weights.safetensors"
_PICKLES = (".pt", ".pth", ".bin", ".pkl")
_THRESHOLDED = ("batchtopk", "matryoshka_batchtopk")  # at inference a JumpReLU
_LINEAR = ("pca", "ica", "random")  # written by engine/baselines.py, as is "neurons"


@dataclass(frozen=True, slots=True)
class _Folder:
    """A SAELens folder, read: configuration in version 6's words, tensors in float32."""

    path: Path
    config: dict[str, Any]
    tensors: dict[str, Tensor]

    @property
    def hook(self) -> str:
        return str(self.config["metadata"].get("hook_name") or "")

    @property
    def context_size(self) -> int | None:
        return self.config["metadata"].get("context_size")

    def tensor(self, name: str, *shape: int) -> Tensor:
        """A tensor of exactly this shape. Raises: DictionaryError."""
        where = f"{self.path / _WEIGHTS}"
        if name not in self.tensors:
            held = ", ".join(sorted(self.tensors))
            raise DictionaryError(
                f"{where}: no tensor {name}, which {self.config['architecture']} needs; it holds "
                f"{held}."
            )
        tensor = self.tensors[name]
        if tuple(tensor.shape) != shape:
            turned = " It looks transposed." if tuple(tensor.shape) == shape[::-1] else ""
            raise DictionaryError(
                f"{where}: {name} is {list(tensor.shape)}; cfg.json says {list(shape)}.{turned}"
            )
        if not bool(torch.isfinite(tensor).all()):
            raise DictionaryError(f"{where}: {name} holds NaN or infinity; the file is damaged.")
        return tensor


def load_dictionary(source: str, hook: str | None = None, device: str = "cpu") -> Dictionary:
    """Load a SAELens folder (`cfg.json` and `sae_weights.safetensors`).

    `hook` overrides the hook point its configuration names. The one loaded last is kept until its
    files change. Raises: DictionaryError.
    """
    return _load(source, hook, device, digests.stamp(Path(source)))


@lru_cache(maxsize=1)
def _load(source: str, hook: str | None, device: str, _stamp: object) -> Dictionary:
    folder = _read(Path(source))
    point = hook or folder.hook
    if not point:
        raise DictionaryError(f"{folder.path / _CONFIG} names no hook point. Give it with --hook.")
    return _on(device, _BUILDERS[folder.config["architecture"]](folder, _facts(folder, point)))


def _on(device: str, dictionary: Dictionary) -> Dictionary:
    """The dictionary with all its tensors on a device."""
    held = {each.name: getattr(dictionary, each.name) for each in fields(dictionary)}
    there: dict[str, Any] = {
        name: value.to(device) for name, value in held.items() if isinstance(value, Tensor)
    }
    return replace(dictionary, **there)


def _read(path: Path) -> _Folder:
    if not path.is_dir():
        raise DictionaryError(f"{path}: no such folder. Give a SAELens folder with {_CONFIG}.")
    for needed in (_CONFIG, _WEIGHTS):
        if not (path / needed).is_file():
            pickled = [file.name for file in path.iterdir() if file.suffix in _PICKLES]
            hint = f" A pickle such as {pickled[0]} is never opened." if pickled else ""
            raise DictionaryError(f"{path}: no {needed} in this folder.{hint}")
    tensors = _tensors(path / _WEIGHTS)
    return _Folder(path, _config(path / _CONFIG, tensors), tensors)


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        return {name: tensor.float() for name, tensor in load_file(path).items()}
    except (SafetensorError, OSError) as error:
        raise DictionaryError(
            f"{path}: not a safetensors file ({error}). Pickled weights are never opened; save "
            "them with safetensors."
        ) from error


def _config(path: Path, tensors: dict[str, Tensor]) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_bytes())
        architecture = raw.get("architecture") or "standard"
    except (ValueError, AttributeError) as error:
        raise DictionaryError(f"{path}: not a JSON object ({error}).") from error
    if architecture in _THRESHOLDED and "threshold" in tensors:
        architecture = "jumprelu"
    if architecture not in _BUILDERS:
        known = ", ".join([*_TRAINED, "batchtopk (with its threshold)"])
        raise DictionaryError(f"{path}: unknown architecture {architecture!r}; known: {known}.")
    config = _in_version_6({**raw, "architecture": architecture}, path)
    _refuse_unsupported(config, path)
    return config


def _in_version_6(raw: dict[str, Any], path: Path) -> dict[str, Any]:
    if isinstance(raw.get("metadata"), dict):
        return raw
    try:
        return {**raw, **handle_config_defaulting(raw)}
    except (KeyError, TypeError, ValueError) as error:
        raise DictionaryError(f"{path}: not a SAELens configuration ({error!r}).") from error


def _refuse_unsupported(config: dict[str, Any], path: Path) -> None:
    for needed in ("d_in", "d_sae"):
        if not isinstance(config.get(needed), int) or config[needed] < 1:
            raise DictionaryError(f"{path}: {needed} is {config.get(needed)!r}; expected a size.")
    if config.get("normalize_activations") not in (None, "none", False):
        raise DictionaryError(
            f"{path}: normalize_activations is {config['normalize_activations']!r}; only 'none' is "
            "read. Fold the scale into the weights (SAELens: fold_activation_norm_scaling_factor)."
        )
    context_size = config["metadata"].get("context_size")
    if context_size is not None and (not isinstance(context_size, int) or context_size < 2):
        raise DictionaryError(
            f"{path}: context_size is {context_size!r}; expected 2 or more, or none at all."
        )
    nonlinearity = config.get("activation_fn_str") or config.get("activation_fn")
    if nonlinearity not in (None, "relu", "topk"):
        raise DictionaryError(
            f"{path}: the activation function is {nonlinearity!r}; only 'relu' and 'topk' are read."
        )
    if config.get("finetuning_scaling_factor"):
        raise DictionaryError(
            f"{path}: finetuning_scaling_factor is set; fold it into the weights first."
        )


def _facts(folder: _Folder, hook: str) -> DictionaryFacts:
    architecture = folder.config["architecture"]
    signed = architecture in _LINEAR or bool(folder.config.get("signed"))
    return DictionaryFacts(
        name=folder.path.resolve().name,
        source=str(folder.path),
        digest=digests.of_files([folder.path / _CONFIG, folder.path / _WEIGHTS]),
        architecture=architecture,
        hook=hook,
        d_in=folder.config["d_in"],
        d_sae=folder.config["d_sae"] * (ENDS if signed else 1),
        context_size=folder.context_size,
        ends=ENDS if signed else 1,
        dense=architecture in (*_LINEAR, "neurons"),
    )


def _shared(folder: _Folder, facts: DictionaryFacts, has_b_enc: bool = True) -> dict[str, Any]:
    d_in, d_sae = facts.d_in, facts.d_sae
    return {
        "facts": facts,
        "W_enc": folder.tensor("W_enc", d_in, d_sae),
        "b_enc": folder.tensor("b_enc", d_sae) if has_b_enc else torch.zeros(d_sae),
        "W_dec": folder.tensor("W_dec", d_sae, d_in),
        "b_dec": folder.tensor("b_dec", d_in),
        "subtract_b_dec": bool(folder.config.get("apply_b_dec_to_input", True)),
    }


def _standard(folder: _Folder, facts: DictionaryFacts) -> Standard:
    return Standard(**_shared(folder, facts))


def _topk(folder: _Folder, facts: DictionaryFacts) -> TopK:
    k = folder.config.get("k")
    if not isinstance(k, int) or not 1 <= k <= facts.d_sae:
        raise DictionaryError(f"{folder.path / _CONFIG}: k is {k!r}; expected 1 to {facts.d_sae}.")
    shared = _shared(folder, facts)
    if folder.config.get("rescale_acts_by_decoder_norm"):
        # SAELens ranks and reports f · |d|, and decodes with d / |d|: the same with both folded
        norms = shared["W_dec"].norm(dim=1)
        shared["W_enc"] = shared["W_enc"] * norms
        shared["b_enc"] = shared["b_enc"] * norms
        shared["W_dec"] = shared["W_dec"] / norms.clamp_min(1e-30)[:, None]
    return TopK(**shared, k=k)


def _jumprelu(folder: _Folder, facts: DictionaryFacts) -> JumpReLU:
    return JumpReLU(**_shared(folder, facts), threshold=folder.tensor("threshold", facts.d_sae))


def _gated(folder: _Folder, facts: DictionaryFacts) -> Gated:
    return Gated(
        **_shared(folder, facts, has_b_enc=False),
        b_gate=folder.tensor("b_gate", facts.d_sae),
        b_mag=folder.tensor("b_mag", facts.d_sae),
        r_mag=folder.tensor("r_mag", facts.d_sae),
    )


def _linear(folder: _Folder, facts: DictionaryFacts) -> Linear:
    d_in, n_latents = facts.d_in, facts.n_latents
    return Linear(
        facts=facts,
        W_enc=two_ends(folder.tensor("W_enc", d_in, n_latents), dim=1),
        b_enc=torch.zeros(facts.d_sae),
        W_dec=two_ends(folder.tensor("W_dec", n_latents, d_in), dim=0),
        b_dec=folder.tensor("b_dec", d_in),
        subtract_b_dec=True,
    )


def _neurons(folder: _Folder, facts: DictionaryFacts) -> Neurons:
    if facts.n_latents != facts.d_in:
        raise DictionaryError(
            f"{folder.path / _CONFIG}: d_sae is {facts.n_latents}; a hook of {facts.d_in} "
            "dimensions has as many neurons."
        )
    basis = torch.eye(facts.d_in)
    return Neurons(
        facts=facts,
        W_enc=basis if facts.ends == 1 else two_ends(basis, dim=1),
        b_enc=torch.zeros(facts.d_sae),
        W_dec=basis if facts.ends == 1 else two_ends(basis, dim=0),
        b_dec=torch.zeros(facts.d_in),
        subtract_b_dec=False,
    )


_Builder = Callable[[_Folder, DictionaryFacts], Dictionary]
_TRAINED: dict[str, _Builder] = {
    "standard": _standard,
    "topk": _topk,
    "jumprelu": _jumprelu,
    "gated": _gated,
}
_BUILDERS = {**_TRAINED, "neurons": _neurons, **dict.fromkeys(_LINEAR, _linear)}
