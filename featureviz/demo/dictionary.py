"""The demo's dictionaries: TopK sparse autoencoders of the MLP's neurons, and their training.

A plain loop: on one core it sees some five times as many tokens a second as SAELens's trainer. The
result is saved as SAELens saves its own, and opens there.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import embedding_bag, normalize
from transformers import GPT2LMHeadModel

from featureviz.demo.model import NEURONS, START

HOOK = "blocks.0.mlp.hook_post"
_BUFFER = 512  # contexts whose activations are shuffled together


@dataclass(frozen=True, slots=True)
class DictionaryTraining:
    """How one dictionary is trained."""

    d_sae: int
    k: int  # latents a token may use
    seed: int = 0
    tokens: int = 6_000_000
    batch: int = 2048  # tokens
    lr: float = 6e-4
    dead_after: int = 200_000  # tokens a latent was silent for
    resample_every: int = 100  # steps; in the first 70 % of them

    @property
    def steps(self) -> int:
        """Optimiser steps."""
        return self.tokens // self.batch

    def resamples_at(self, step: int) -> bool:
        """Whether dead latents get a new start after this step."""
        return (step + 1) % self.resample_every == 0 and step < 0.7 * self.steps

    def lr_at(self, step: int) -> float:
        """Learning rate of one step: 100 steps up, flat, in the last third down to 0."""
        return self.lr * min(1.0, (step + 1) / 100, 3 * (self.steps - step) / self.steps)


@dataclass(frozen=True, slots=True)
class TopK:
    """A TopK dictionary: f = top k of relu(W_enc (x - b_dec) + b_enc), x^ = f W_dec + b_dec."""

    W_enc: Tensor  # [d_in, d_sae]
    b_enc: Tensor  # [d_sae]
    W_dec: Tensor  # [d_sae, d_in], rows of norm 1
    b_dec: Tensor  # [d_in]
    k: int

    def pre_activations(self, x: Tensor) -> Tensor:
        """Before the top k are kept, [n, d_sae]."""
        return (x - self.b_dec) @ self.W_enc + self.b_enc

    def encode(self, x: Tensor) -> Tensor:
        """Activations [n, d_sae] of neurons x [n, d_in]; at most k are not 0."""
        return keep_top(self.pre_activations(x), self.k)

    def decode(self, f: Tensor) -> Tensor:
        """Reconstruction [n, d_in] of activations f [n, d_sae]."""
        return f @ self.W_dec + self.b_dec

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The four tensors under the names SAELens gives them."""
        return {name: getattr(self, name) for name in ("W_enc", "b_enc", "W_dec", "b_dec")}


def keep_top(pre: Tensor, k: int) -> Tensor:
    """Keep the k largest of each row where they are above 0; the rest becomes 0."""
    values, indices = pre.topk(k, dim=1, sorted=False)
    return torch.zeros_like(pre).scatter_(1, indices, values.relu())


@torch.no_grad()
def neurons(model: GPT2LMHeadModel, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """MLP activations after the ReLU at text tokens [n, 512]; where those are, bool [batch, 128].

    The start token and padding are left out.
    """
    caught: list[Tensor] = []
    block = model.transformer.h[0]
    handle = block.mlp.act.register_forward_hook(lambda _module, _inputs, out: caught.append(out))
    model.transformer(tokens, use_cache=False)
    handle.remove()
    counted = tokens != START
    return caught[0][counted], counted


def activation_batches(
    model: GPT2LMHeadModel, tokens: Tensor, settings: DictionaryTraining
) -> Iterator[Tensor]:
    """Endless shuffled activations [batch, 512] of contexts [n, 128]."""
    order = torch.Generator().manual_seed(settings.seed)
    while True:
        for rows in torch.randperm(len(tokens), generator=order).split(_BUFFER):
            x = torch.cat([neurons(model, part)[0] for part in tokens[rows].split(64)])
            x = x[torch.randperm(len(x), generator=order)]
            yield from (part for part in x.split(settings.batch) if len(part) == settings.batch)


def train_dictionary(
    model: GPT2LMHeadModel,
    tokens: Tensor,
    settings: DictionaryTraining,
    report: Callable[[str], None],
) -> TopK:
    """Train on the model's neurons over contexts [n, 128]."""
    batches = activation_batches(model, tokens, settings)
    first = torch.cat([next(batches) for _ in range(4)])
    # Inputs of mean square 1 make one learning rate fit every model.
    scale = first.square().mean().sqrt()
    sae = _start(first / scale, settings)
    optimizer = torch.optim.Adam(list(sae.tensors.values()), settings.lr, (0.9, 0.999), fused=True)
    silent = torch.zeros(settings.d_sae, dtype=torch.int64)
    missed = 0.0
    for step in range(settings.steps):
        optimizer.param_groups[0]["lr"] = settings.lr_at(step)
        x = next(batches) / scale
        missed += _step(sae, optimizer, x, silent) / 100
        dead = (silent > settings.dead_after).nonzero().flatten()
        if settings.resamples_at(step):
            _resample(sae, optimizer, x, dead)
            silent[dead] = 0
        if (step + 1) % 100 == 0:
            report(f"step {step + 1}/{settings.steps}, FVU {missed:.3f}, dead {len(dead)}")
            missed = 0.0
    return _in_units_of(scale, sae)


def _start(x: Tensor, settings: DictionaryTraining) -> TopK:
    """Every latent points at one of the inputs x [n, 512], so that none is dead from the start."""
    order = torch.Generator().manual_seed(settings.seed)
    drawn = torch.randint(len(x), (settings.d_sae,), generator=order)
    noise = torch.randn(settings.d_sae, NEURONS, generator=order)
    directions = normalize(x[drawn] - x.mean(0) + 0.3 * noise, dim=1)
    # A third: the k latents most like an input then sum to about its length.
    sae = TopK(
        W_enc=directions.T.contiguous() / 3,
        b_enc=torch.zeros(settings.d_sae),
        W_dec=directions,
        b_dec=x.mean(0),
        k=settings.k,
    )
    for tensor in sae.tensors.values():
        tensor.requires_grad_()
    return sae


def _step(sae: TopK, optimizer: torch.optim.Optimizer, x: Tensor, silent: Tensor) -> float:
    """One step on one batch; returns its FVU. `silent` counts tokens since each latent fired."""
    error, values, used = _fit(sae, x)
    silent += len(x)
    silent[used[values > 0]] = 0
    _drop_parallel_gradient(sae.W_dec)
    optimizer.step()
    with torch.no_grad():
        sae.W_dec.copy_(normalize(sae.W_dec, dim=1))
    return (error.square().sum() / (x - x.mean(0)).square().sum()).item()


@torch.no_grad()
def _fit(sae: TopK, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Set the gradients of mean |x - x^|^2; returns x - x^, and the top k with their indices.

    By hand, with the products in bfloat16: autograd's passes over [n, d_sae] take longer.
    """
    low = (x - sae.b_dec).bfloat16()
    pre = (low @ sae.W_enc.bfloat16()).add_(sae.b_enc.bfloat16())
    values, used = pre.topk(sae.k, dim=1, sorted=False)
    values = values.float().relu()
    error = x - sae.b_dec - embedding_bag(used, sae.W_dec, per_sample_weights=values, mode="sum")
    d_out = error * (-2 / len(x))
    d_low = d_out.bfloat16()
    d_values = (d_low @ sae.W_dec.bfloat16().T).gather(1, used) * (values > 0)
    flat = used + torch.arange(len(x))[:, None] * pre.shape[1]  # put_ is far faster than scatter_
    f = pre.zero_().put_(flat, values.bfloat16())
    sae.W_dec.grad = (d_low.T @ f).float().T.contiguous()
    d_pre = f.put_(flat, d_values)
    sae.W_enc.grad = (low.T @ d_pre).float()
    sae.b_enc.grad = torch.zeros_like(sae.b_enc)
    sae.b_enc.grad.index_add_(0, used.flatten(), d_values.flatten().float())
    sae.b_dec.grad = d_out.sum(0) - sae.W_enc @ sae.b_enc.grad
    return error, values, used


@torch.no_grad()
def _resample(sae: TopK, optimizer: torch.optim.Optimizer, x: Tensor, dead: Tensor) -> None:
    """Point dead latents at what is missed of badly reconstructed inputs.

    As in Bricken et al. 2023, inputs are drawn by their squared loss; there the new direction is
    the input itself, which TopK would give to latents that are active already.
    """
    error = x - sae.decode(sae.encode(x))
    dead = dead[: len(x)]
    if not len(dead):
        return
    drawn = torch.multinomial(error.square().sum(1).square(), len(dead))
    directions = normalize(error[drawn], dim=1)
    sae.W_dec[dead], sae.W_enc.T[dead], sae.b_enc[dead] = directions, directions, 0.0
    for tensor in (sae.W_dec, sae.W_enc, sae.b_enc):
        moments = optimizer.state[tensor]
        mean, square = (moments[name] for name in ("exp_avg", "exp_avg_sq"))
        by_latent = (mean.T, square.T) if tensor is sae.W_enc else (mean, square)
        by_latent[0][dead] = 0.0
        # From 0, Adam would take a latent's first, rare gradients for large ones and throw it off.
        by_latent[1][dead] = square.mean()


def _drop_parallel_gradient(W_dec: Tensor) -> None:
    # Rows keep norm 1, so a step along a row only disturbs Adam's moments.
    grad = W_dec.grad
    assert grad is not None
    with torch.no_grad():
        grad -= (grad * W_dec).sum(1, keepdim=True) * W_dec


def _in_units_of(scale: Tensor, sae: TopK) -> TopK:
    """The same dictionary for inputs that were not divided by `scale`."""
    with torch.no_grad():
        own = (sae.W_enc.clone(), sae.b_enc * scale, sae.W_dec.clone(), sae.b_dec * scale)
    return TopK(*own, k=sae.k)


def save_dictionary(sae: TopK, folder: Path, model_name: str) -> None:
    """Write a folder that `sae_lens.SAE.load_from_disk` opens; tensors in float16."""
    folder.mkdir(parents=True, exist_ok=True)
    d_in, d_sae = sae.W_enc.shape
    config = {
        "architecture": "topk", "d_in": d_in, "d_sae": d_sae, "k": sae.k, "dtype": "float16",
        "device": "cpu", "apply_b_dec_to_input": True, "normalize_activations": "none",
        "reshape_activations": "none", "rescale_acts_by_decoder_norm": False,
        # SAELens takes a file that names no version for one of its older layouts.
        "metadata": {"sae_lens_version": "6.54.12", "model_name": model_name, "hook_name": HOOK,
                     "context_size": 128, "prepend_bos": True},
    }  # fmt: skip
    halves = {name: tensor.detach().half().contiguous() for name, tensor in sae.tensors.items()}
    save_file(halves, folder / "sae_weights.safetensors")
    (folder / "cfg.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def load_dictionary(folder: Path) -> TopK:
    """Read a folder that `save_dictionary` wrote, in float32."""
    tensors = load_file(folder / "sae_weights.safetensors")
    k = json.loads((folder / "cfg.json").read_text(encoding="utf-8"))["k"]
    return TopK(**{name: tensor.float() for name, tensor in tensors.items()}, k=k)
