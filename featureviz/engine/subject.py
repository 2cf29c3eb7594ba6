"""The language model under study; the only file that names transformer_lens."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge
from transformers.activations import NewGELUActivation

from featureviz.engine import digests
from featureviz.engine.errors import SubjectError

DTYPE = "float32"  # of weights and activations, whatever a model was stored in
_IDENTITY_FILES = ("*.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json")
_RESIDUAL_HOOKS = (
    "hook_resid_pre",
    "hook_resid_mid",
    "hook_resid_post",
    "hook_attn_out",
    "hook_mlp_out",
    "hook_embed",
)
_NEURON_HOOKS = ("mlp.hook_pre", "mlp.hook_post")


class _Reached(Exception):  # noqa: N818 - it is no error: the hook has what it came for
    """Stops a forward pass at the hook."""


@dataclass(frozen=True, slots=True)
class SubjectFacts:
    """What a language model is, for the catalogue."""

    name: str  # last part of its address
    source: str  # what it was loaded from
    digest: str  # of weights, configuration and tokenizer
    architecture: str
    n_layers: int
    d_model: int
    d_vocab: int
    n_ctx: int


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the plain transformer keeps its parts."""

    blocks: str  # path of the list of layers
    final_norm: str  # path
    head: str  # path
    mid_norm: str | None  # name, within a layer, of the norm that reads the middle of its residual
    mlp: str  # name, within a layer


@dataclass(frozen=True, slots=True)
class Attention:
    """What an attention layer did with some contexts."""

    pattern: Float[Tensor, "batch n_heads n_ctx n_ctx"]  # [.., position, source]
    values: Float[Tensor, "batch n_ctx n_heads d_head"]  # as every head reads them
    z: Float[Tensor, "batch n_ctx d_in"]  # heads flattened


@dataclass(frozen=True)
class Subject:
    """A loaded language model; runs contexts to a hook point and knows what a direction writes."""

    facts: SubjectFacts
    tokenizer: Any  # transformers' fast tokenizer
    bridge: Any  # TransformerBridge
    device: torch.device
    plain: Any  # the transformer without hooks; its weights are the bridge's own

    def check_hook(self, hook: str) -> None:
        """Refuse a hook point the model does not have. Raises: SubjectError."""
        if hook in self.bridge.hook_dict:
            return
        last = hook.rsplit(".", 1)[-1]
        alike = [name for name in self.bridge.hook_dict if name.endswith(last)][:3]
        known = ", ".join(alike or list(self.bridge.hook_dict)[:3])
        raise SubjectError(
            f"{self.facts.name} has no hook point {hook!r}; it has {known} and "
            f"{len(self.bridge.hook_dict)} in all. Name one with --hook."
        )

    def is_rectified(self, hook: str) -> bool:
        """Whether a ReLU ends at `hook`, so that nothing there is negative; False when unsure."""
        cfg = self.bridge.cfg
        gated = getattr(cfg, "gated_mlp", True)
        return hook.endswith(".mlp.hook_post") and cfg.act_fn == "relu" and not gated

    @torch.inference_mode()
    def activations(
        self, tokens: Int[Tensor, "batch n_ctx"], hook: str
    ) -> Float[Tensor, "batch n_ctx d_in"]:
        """What flows through `hook` for these contexts; heads are flattened.

        The forward pass stops there: later layers are not computed.
        """
        kept: list[Tensor] = []

        def keep(value: Tensor, hook: object = None) -> None:
            kept.append(value)
            raise _Reached

        try:
            self.bridge.run_with_hooks(
                tokens.to(self.device), return_type=None, fwd_hooks=[(hook, keep)]
            )
        except _Reached:
            if kept[0].dim() > 2 and kept[0].shape[:2] == tokens.shape:
                return kept[0].flatten(2)
            shape = list(kept[0].shape)
            raise SubjectError(
                f"{hook} of {self.facts.name} holds {shape}, not one vector a token. Name another "
                "with --hook."
            ) from None
        except ValueError as error:  # TransformerLens computes some hooks on demand only
            raise SubjectError(f"{self.facts.name}: {hook}: {_first_line(error)}") from error
        raise SubjectError(f"{self.facts.name} never reached {hook}.")

    @torch.inference_mode()
    def logits(
        self,
        tokens: Int[Tensor, "batch n_ctx"],
        hook: str,
        change: Callable[[Tensor], Tensor],
    ) -> Float[Tensor, "batch n_ctx d_vocab"]:
        """Logits when `change` is put through at `hook`: the whole model, any architecture."""

        def put(value: Tensor, hook: object = None) -> Tensor:
            return change(value)

        return self.bridge.run_with_hooks(
            tokens.to(self.device), return_type="logits", fwd_hooks=[(hook, put)]
        )

    @torch.inference_mode()
    def seen(
        self,
        tokens: Int[Tensor, "batch n_ctx"],
        hook: str,
        change: Callable[[Tensor], Tensor],
        out: str,
    ) -> Tensor:
        """What flows through hook point `out` when `change` is put through at `hook`."""
        kept: list[Tensor] = []

        def put(value: Tensor, hook: object = None) -> Tensor:
            return change(value)

        def keep(value: Tensor, hook: object = None) -> None:
            kept.append(value.clone())

        self.bridge.run_with_hooks(
            tokens.to(self.device), return_type=None, fwd_hooks=[(hook, put), (out, keep)]
        )
        return kept[0]

    @torch.inference_mode()
    def attention(self, tokens: Int[Tensor, "batch n_ctx"], hook: str) -> Attention:
        """What the layer of `hook`, an attention's z, did; values shared by heads are repeated."""
        kept: list[Tensor] = []

        def keep(value: Tensor, hook: object = None) -> None:
            kept.append(value.clone())

        def last(value: Tensor, hook: object = None) -> None:
            kept.append(value.clone())
            raise _Reached

        layer = hook.removesuffix("hook_z")
        hooks = [(f"{layer}hook_v", keep), (f"{layer}hook_pattern", keep), (hook, last)]
        with suppress(_Reached):
            self.bridge.run_with_hooks(tokens.to(self.device), return_type=None, fwd_hooks=hooks)
        values, pattern, z = kept
        values = values.flatten(2).unflatten(2, (-1, self.bridge.cfg.d_head))
        shared = pattern.shape[1] // values.shape[2]
        return Attention(pattern, values.repeat_interleave(shared, dim=2), z.flatten(2))

    @property
    def parts(self) -> Parts:
        """Where `plain` keeps its layers, norms and head."""
        mapping = self.bridge.adapter.component_mapping
        within = mapping["blocks"].submodules
        return Parts(
            blocks=mapping["blocks"].name,
            final_norm=mapping["ln_final"].name,
            head=mapping["unembed"].name,
            mid_norm=within["ln2"].name if "ln2" in within else None,
            mlp=within["mlp"].name,
        )

    @property
    def final_norm(self) -> Any | None:
        """The module whose output the unembedding reads; None in a model without one."""
        mapping = self.bridge.adapter.component_mapping
        return self.plain.get_submodule(mapping["ln_final"].name) if "ln_final" in mapping else None

    @property
    def W_U(self) -> Float[Tensor, "d_model d_vocab"]:
        """The unembedding as the model has it: the final norm's weight is not folded in."""
        return self.bridge.W_U.detach()

    def to_residual(
        self, hook: str
    ) -> Callable[[Float[Tensor, "n d_in"]], Float[Tensor, "n d_model"]] | None:
        """How a direction at `hook` is written into the residual stream.

        The identity on residual streams and layer outputs, W_out after an MLP's nonlinearity,
        W_O (heads flattened) for attention's z; None where a direction writes nothing linearly.
        """
        if hook.endswith(_RESIDUAL_HOOKS):
            return lambda directions: directions
        writes = self._writing_weights(hook)
        return None if writes is None else lambda directions: directions @ writes

    @staticmethod
    def has_neurons(hook: str) -> bool:
        """Whether coordinates at `hook` are an MLP's neurons, before or after the nonlinearity."""
        return hook.endswith(_NEURON_HOOKS)

    def _writing_weights(self, hook: str) -> Float[Tensor, "d_in d_model"] | None:
        parts = hook.split(".")
        if len(parts) != 4 or not parts[1].isdecimal():
            return None
        block = self.bridge.blocks[int(parts[1])]
        if parts[2:] == ["mlp", "hook_post"]:
            return block.mlp.W_out.detach()
        if parts[2:] == ["attn", "hook_z"]:
            return block.attn.W_O.detach().flatten(0, 1)
        return None


def load_subject(source: str, device: str = "cpu") -> Subject:
    """Load a language model from a folder or by its TransformerLens name, without any network.

    Float32, unprocessed weights (no folding, no centring). The one loaded last is kept until its
    files change. Raises: SubjectError.
    """
    folder = _folder(source)
    return _load(source, folder, device, digests.stamp(folder))


@lru_cache(maxsize=1)
def _load(source: str, folder: Path, device: str, _stamp: object) -> Subject:
    if not any(folder.glob("*.safetensors")):
        raise SubjectError(
            f"{folder}: no *.safetensors in this folder. Pickled weights are never opened; "
            "save the model with save_pretrained(..., safe_serialization=True)."
        )
    try:
        tokenizer, bridge, plain = _boot(folder, device)
    except Exception as error:  # any library below may raise anything on a foreign folder
        raise SubjectError(f"{folder}: cannot load this model: {_first_line(error)}") from error
    _refuse_broken_weights(folder, bridge)
    return Subject(_facts(source, folder, bridge), tokenizer, bridge, torch.device(device), plain)


def model_name(source: str) -> str:
    """The name a model goes by in addresses: its folder's, or the last part of its hub name."""
    return Path(source).resolve().name if Path(source).is_dir() else source.rsplit("/", 1)[-1]


def _folder(source: str) -> Path:
    path = Path(source)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise SubjectError(
                f"{path}: no config.json in this folder; a Hugging Face model folder has one."
            )
        return path
    try:
        return Path(snapshot_download(source, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, OSError) as error:
        raise SubjectError(
            f"{source}: no such folder, and no model of that name in the local Hugging Face "
            "cache. Give a folder with config.json and *.safetensors, or download it first."
        ) from error


def _boot(folder: Path, device: str) -> tuple[Any, Any, Any]:
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder,
        local_files_only=True,
        use_safetensors=True,
        dtype=torch.float32,
        attn_implementation="eager",
    ).eval()
    model.to(device)  # the bridge leaves a model that it is given where it is
    plain = _twin(model)
    bridge = TransformerBridge.boot_transformers(
        str(folder),
        hf_model=model,
        tokenizer=copy.deepcopy(tokenizer),  # it adds start and padding tokens of its own
        device=device,
        dtype=torch.float32,
    )
    return tokenizer, bridge, plain


def _twin(model: Any) -> Any:
    """The same transformer over the same weights, with fused attention where it has it."""
    weights = {id(weight): weight for weight in model.parameters()}
    twin = copy.deepcopy(model, weights)
    with suppress(ValueError, ImportError):  # it has eager attention only
        twin.set_attn_implementation("sdpa")
    for module in twin.modules():
        for name, part in module.named_children():
            if isinstance(part, NewGELUActivation):  # the same function in five passes
                setattr(module, name, torch.nn.GELU(approximate="tanh"))
    return twin


def _refuse_broken_weights(folder: Path, bridge: Any) -> None:
    for name, weight in bridge.original_model.named_parameters():
        if not bool(torch.isfinite(weight).all()):
            plain = name.replace("._original_component", "")  # the bridge's wrapping
            raise SubjectError(
                f"{folder}: {plain} holds NaN or infinity; the file is damaged or the training "
                "diverged. Save it again from a sound checkpoint."
            )


def _facts(source: str, folder: Path, bridge: Any) -> SubjectFacts:
    identity = [path for pattern in _IDENTITY_FILES for path in folder.glob(pattern)]
    return SubjectFacts(
        name=model_name(source),
        source=source,
        digest=digests.of_files(identity),
        architecture=bridge.cfg.architecture,
        n_layers=bridge.cfg.n_layers,
        d_model=bridge.cfg.d_model,
        d_vocab=bridge.cfg.d_vocab,
        n_ctx=bridge.cfg.n_ctx,
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
