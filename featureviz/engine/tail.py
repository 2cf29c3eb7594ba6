"""The rest of the transformer after a hook point, without hooks, from any position on."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import DynamicCache

from featureviz.engine.subject import Subject

_ROWS = 64  # token positions an MLP or a norm gets at once

KeysValues = tuple[Tensor, Tensor]  # each [n, n_heads, n_ctx, d_head]


class _Handle(Protocol):
    def remove(self) -> None: ...


def in_pieces(function: Callable[[Tensor], Tensor], rows: Tensor, size: int) -> Tensor:
    """`function` over rows, `size` at a time, the last piece filled up.

    Every call has the same shape, so that a row's numbers do not depend on how many others there
    are.
    """
    if len(rows) == 0:
        return function(rows.new_zeros(size, *rows.shape[1:]))[:0]
    found = []
    for start in range(0, len(rows), size):
        piece = rows[start : start + size]
        missing = size - len(piece)
        filled = torch.cat([piece, piece[-1:].expand(missing, *piece.shape[1:])])
        found.append(function(filled)[: len(piece)])
    return torch.cat(found)


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a hook's writes reach the residual stream."""

    layer: int  # the first that is rerun; n_layers when none is
    mid: int | None  # the layer whose MLP reads the write first, when it is not rerun whole


def entry_of(hook: str, n_layers: int) -> Entry | None:
    """Where the write of a hook enters; None where its way is not known."""
    if hook in ("hook_embed", "embed.hook_out"):
        return Entry(0, None)
    parts = hook.split(".", 2)
    if len(parts) != 3 or parts[0] != "blocks" or not parts[1].isdecimal():
        return None
    layer, place = int(parts[1]), parts[2]
    if place == "hook_resid_pre":
        return Entry(layer, None)
    if place in ("hook_resid_post", "hook_mlp_out", "mlp.hook_post"):
        return Entry(layer + 1, None)
    if place in ("hook_resid_mid", "hook_attn_out", "attn.hook_z"):
        return Entry(layer + 1, layer)
    return None


@dataclass(frozen=True, slots=True)
class Stream:
    """What a batch of contexts leaves along the residual stream, nothing changed.

    Shapes: [n, n_ctx, d_model], keys and values [n, n_heads, n_ctx, d_head].
    """

    entry: Tensor | None  # enters the first layer that is rerun; None when none is
    mid: Tensor | None
    final: Tensor  # before the final norm
    cache: tuple[KeysValues, ...]  # of the layers that are rerun

    def first(self, n: int) -> Stream:
        """The first contexts of it."""
        return Stream(
            None if self.entry is None else self.entry[:n],
            None if self.mid is None else self.mid[:n],
            self.final[:n],
            tuple((keys[:n], values[:n]) for keys, values in self.cache),
        )


def joined(streams: list[Stream]) -> Stream:
    """Several batches as one, in the order given."""
    layers = zip(*(stream.cache for stream in streams), strict=True)
    return Stream(
        _cat([stream.entry for stream in streams]),
        _cat([stream.mid for stream in streams]),
        torch.cat([stream.final for stream in streams]),
        tuple(
            (torch.cat([keys for keys, _ in batches]), torch.cat([values for _, values in batches]))
            for batches in layers
        ),
    )


def _cat(parts: list[Tensor | None]) -> Tensor | None:
    known = [part for part in parts if part is not None]
    return torch.cat(known) if known else None


class Tail:
    """The transformer from a layer on, run on residual streams of one's own."""

    def __init__(self, subject: Subject, entry: Entry) -> None:
        parts, plain = subject.parts, subject.plain
        path, name = parts.blocks.rsplit(".", 1)
        self._inner: Any = plain.get_submodule(path)
        self._layers: Any = plain.get_submodule(parts.blocks)
        self._final_norm: Any = plain.get_submodule(parts.final_norm)
        self._parts = parts
        self.entry = entry
        self.n_layers = len(self._layers)
        self.head: Any = plain.get_submodule(parts.head)
        self._door = _Door(self._layers[entry.layer]) if entry.layer < self.n_layers else None
        self._rest = self._shortened(name, parts.final_norm.rsplit(".", 1)[-1])

    def _shortened(self, blocks: str, norm: str) -> Any:
        """The transformer whose first layers pass on what they get, without its final norm."""
        rest = copy.copy(self._inner)
        rest._modules = dict(self._inner._modules)
        kept = list(self._layers[self.entry.layer :])
        if self._door is not None:
            kept[0] = self._door
        rest._modules[blocks] = nn.ModuleList([_Pass()] * self.entry.layer + kept)
        rest._modules[norm] = nn.Identity()
        return rest

    def run(self, tokens: Int[Tensor, "n n_ctx"]) -> Stream:
        """The whole transformer, nothing changed."""
        cache = DynamicCache()
        with ExitStack() as stack:
            entry = stack.enter_context(_inputs(None if self._door is None else self._door.layer))
            mid = stack.enter_context(_inputs(self._mid_norm))
            final = stack.enter_context(_inputs(self._final_norm))
            self._inner(input_ids=tokens, past_key_values=cache, use_cache=True)
        pairs = [(layer.keys, layer.values) for layer in cache.layers[self.entry.layer :]]
        return Stream(entry[0] if entry else None, mid[0] if mid else None, final[0], tuple(pairs))

    def rerun(
        self, residual: Float[Tensor, "n some d_model"], prefix: list[KeysValues]
    ) -> Float[Tensor, "n some d_model"]:
        """The final residual of the last positions of contexts, given keys and values before them.

        `prefix` holds those of each layer rerun, [n, n_heads, n_before, d_head].
        """
        before = prefix[0][0].shape[2]
        assert self._door is not None
        self._door.residual = residual
        positions = torch.arange(before, before + residual.shape[1], device=residual.device)
        return self._rest(
            inputs_embeds=residual,
            position_ids=positions[None],
            past_key_values=self._cache(prefix, before),
            use_cache=True,
        ).last_hidden_state

    def _cache(self, prefix: list[KeysValues], before: int) -> DynamicCache:
        cache = DynamicCache()
        if before == 0:
            return cache
        filler = prefix[0][0].new_zeros(1, 1, before, 1)  # of layers that are not run
        for layer in range(self.entry.layer):
            cache.update(filler, filler, layer)
        for offset, (keys, values) in enumerate(prefix):
            cache.update(keys, values, self.entry.layer + offset)
        return cache

    @property
    def _mid_norm(self) -> Any:
        if self.entry.mid is None or self._parts.mid_norm is None:
            return None
        return getattr(self._layers[self.entry.mid], self._parts.mid_norm)

    def through_mlp(self, mid: Float[Tensor, "n d_model"]) -> Float[Tensor, "n d_model"]:
        """From the middle of a layer's residual stream to its end; positions do not mix."""
        mlp = getattr(self._layers[self.entry.mid], self._parts.mlp)
        return in_pieces(lambda rows: rows + mlp(self._mid_norm(rows[None]))[0], mid, _ROWS)

    def norm(self, final: Float[Tensor, "n d_model"]) -> Float[Tensor, "n d_model"]:
        """The final norm."""
        return self._final_norm(final)


class _Pass(nn.Module):
    """A layer that does nothing."""

    def forward(self, hidden: Tensor, *_: Any, **__: Any) -> Tensor:
        return hidden


class _Door(nn.Module):
    """A layer that reads what it was given before, whatever the transformer hands it."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.residual: Tensor | None = None

    def forward(self, _hidden: Tensor, *rest: Any, **named: Any) -> Any:
        return self.layer(self.residual, *rest, **named)


@contextmanager
def _inputs(module: nn.Module | None) -> Iterator[list[Tensor]]:
    """The inputs a module gets while inside; none where there is no module."""
    kept: list[Tensor] = []
    if module is None:
        yield kept
        return
    handle: _Handle = module.register_forward_pre_hook(lambda _module, args: kept.append(args[0]))
    try:
        yield kept
    finally:
        handle.remove()
