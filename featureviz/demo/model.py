"""The demo's language models: one GPT-2 block with 512 ReLU neurons, and its training."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from math import cos, pi
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

CONTEXT = 128  # positions: the start token, then 127 of text
NEURONS = 512
START = 0  # id of the start token; it pads too
_CHUNK = 128  # rows of logits made at once: 128 x 4,096 floats stay in the processor's cache


@dataclass(frozen=True, slots=True)
class ModelTraining:
    """How one model is trained."""

    seed: int
    steps: int = 6000
    batch: int = 32  # contexts
    lr: float = 3e-3  # its highest; a cosine takes it to 0
    warmup: int = 100  # steps
    weight_decay: float = 0.1
    checkpoint_every: int = 500  # steps

    def lr_at(self, step: int) -> float:
        """Learning rate of one step: a straight line up, then half a cosine down."""
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        return self.lr * 0.5 * (1 + cos(pi * (step - self.warmup) / (self.steps - self.warmup)))


def new_model(seed: int) -> GPT2LMHeadModel:
    """An untrained model: d_model 128, 4 heads, 512 ReLU neurons, untied unembedding."""
    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=4096, n_positions=CONTEXT, n_embd=128, n_layer=1, n_head=4, n_inner=NEURONS,
        activation_function="relu", tie_word_embeddings=False, resid_pdrop=0.0, embd_pdrop=0.0,
        attn_pdrop=0.0, bos_token_id=START, eos_token_id=START,
    )  # fmt: skip
    return GPT2LMHeadModel(config)


def contexts(tokenizer: PreTrainedTokenizerFast, texts: Iterable[str]) -> Tensor:
    """Cut each text into contexts, int64 [n, 128]: the start token, up to 127 of text, padding."""
    ids = tokenizer(list(texts), add_special_tokens=False).input_ids
    return torch.tensor(list(chain.from_iterable(map(_rows, ids))))


def _rows(ids: list[int]) -> Iterator[list[int]]:
    for at in range(0, len(ids), CONTEXT - 1):
        row = [START, *ids[at : at + CONTEXT - 1]]
        yield row + [START] * (CONTEXT - len(row))


class _CrossEntropy(torch.autograd.Function):
    """Mean cross-entropy of hidden @ unembedding.T, never holding more than _CHUNK rows of logits.

    The gradients are made in the forward pass, in bfloat16 with float32 sums: 2.6 times as fast on
    one core as logits, log_softmax and autograd.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, unembedding: Tensor, targets: Tensor) -> Tensor:
        W = unembedding.bfloat16()
        d_hidden, d_W = torch.empty_like(hidden), torch.zeros_like(unembedding)
        total = hidden.new_zeros(())
        for rows in torch.arange(len(hidden)).split(_CHUNK):
            part = slice(int(rows[0]), int(rows[-1]) + 1)
            h, target = hidden[part].bfloat16(), targets[part, None]
            logits = (h @ W.T).float()
            log_sum = logits.logsumexp(1, keepdim=True)
            total += (log_sum - logits.gather(1, target)).sum()
            d_logits = logits.sub_(log_sum).exp_()
            d_logits.scatter_add_(1, target, torch.full_like(log_sum, -1.0))
            low = d_logits.div_(len(hidden)).bfloat16()
            d_hidden[part] = low @ W
            d_W += low.T @ h
        ctx.save_for_backward(d_hidden, d_W)
        return total / len(hidden)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        d_hidden, d_W = ctx.saved_tensors
        return d_hidden * grad, d_W * grad, None


def training_loss(model: GPT2LMHeadModel, tokens: Tensor) -> Tensor:
    """Mean next-token loss (nats) of text tokens in contexts [batch, 128], padding left out."""
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model.transformer(tokens[:, :-1], use_cache=False).last_hidden_state
    targets = tokens[:, 1:]
    counted = targets != START
    rows = hidden[counted].float()
    loss: Tensor = _CrossEntropy.apply(rows, model.lm_head.weight, targets[counted])  # type: ignore[no-untyped-call]
    return loss


def train_model(
    tokens: Tensor, settings: ModelTraining, checkpoint: Path, report: Callable[[str], None]
) -> GPT2LMHeadModel:
    """Train on contexts [n, 128]; a run that was stopped goes on from its last checkpoint."""
    model = new_model(settings.seed)
    optimizer = torch.optim.AdamW(
        model.parameters(), settings.lr, (0.9, 0.95), weight_decay=settings.weight_decay, fused=True
    )
    first = _resume(model, optimizer, checkpoint)
    running = 0.0
    for step in range(first, settings.steps):
        optimizer.param_groups[0]["lr"] = settings.lr_at(step)
        loss = training_loss(model, tokens[batch_rows(len(tokens), settings, step)])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        running += loss.item() / 100
        if (step + 1) % 100 == 0:
            report(f"step {step + 1}/{settings.steps}, training loss {running:.3f}")
            running = 0.0
        if (step + 1) % settings.checkpoint_every == 0:
            _save(model, optimizer, checkpoint, step + 1)
    return model


def batch_rows(n_contexts: int, settings: ModelTraining, step: int) -> Tensor:
    """Which contexts a step sees: each epoch is one permutation, made from the seed alone."""
    per_epoch = n_contexts // settings.batch
    epoch, at = divmod(step, per_epoch)
    order = torch.Generator().manual_seed(1_000_003 * settings.seed + epoch)
    rows = torch.randperm(n_contexts, generator=order)
    return rows[at * settings.batch : (at + 1) * settings.batch]


def _save(model: GPT2LMHeadModel, optimizer: torch.optim.Optimizer, path: Path, step: int) -> None:
    partial = path.with_suffix(".part")
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
    torch.save(state, partial)
    partial.replace(path)


def _resume(model: GPT2LMHeadModel, optimizer: torch.optim.Optimizer, path: Path) -> int:
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])
