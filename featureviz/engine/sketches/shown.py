"""The examples a dashboard shows: each chosen activation, with all activations of its context.

Columns side by side, one slot an example, in the order a page shows them: the top contexts, the
intervals from the strongest, each strongest first, the random sample. A slot may stay empty.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from featureviz.engine.compiled import compiled
from featureviz.engine.sketches.selection import Selection
from featureviz.engine.spool import Stretch

_ALIKE_REACH = 8  # tokens to either side


class Shown(NamedTuple):
    """The examples of a block of latents; [n_latents, n_slots] where nothing else is said."""

    contexts: npt.NDArray[np.int64]  # row of the corpus; -1 in an empty slot
    positions: npt.NDArray[np.int64]  # of the selecting token
    activations: npt.NDArray[np.float32]  # there
    repeated: npt.NDArray[np.bool_]  # the same position stands in an earlier group
    n_alike: npt.NDArray[np.int64]  # examples of its group that read like it, itself included
    alike: npt.NDArray[np.bool_]  # reads like one before it in its group
    starts: npt.NDArray[np.int64]  # of its context's activations in the two last columns
    sizes: npt.NDArray[np.int64]  # how many they are
    groups: npt.NDArray[np.int64]  # [n_groups + 1]; group g has slots groups[g]:groups[g + 1]
    context_positions: npt.NDArray[np.int64]  # [n]
    context_values: npt.NDArray[np.float32]  # [n]

    @classmethod
    def of_parts(cls, parts: list[Shown]) -> Shown:
        """Consecutive latents as one block."""
        ends = np.cumsum([len(part.context_values) for part in parts])
        moved = [
            part._replace(starts=part.starts + end - len(part.context_values))
            for part, end in zip(parts, ends, strict=True)
        ]
        columns = [np.concatenate(column) for column in zip(*moved, strict=True)]
        return cls(*columns)._replace(groups=parts[0].groups)


def gather(
    top: Selection,
    intervals: Selection,
    random: Selection,
    stretches: Iterable[Stretch],
    tokens: npt.NDArray[np.int32],
) -> Shown:
    """Look up what was chosen in all activations of these latents, corpus order."""
    picks = [top.picks, intervals.picks[:, ::-1], random.picks]
    n_latents = len(top.picks)
    columns = np.concatenate([part.reshape(n_latents, -1) for part in picks], axis=1)
    sizes = [part.shape[2] for part in picks for _ in range(part.shape[1])]
    groups = np.concatenate([[0], np.cumsum(sizes)])
    shown = _looked_up(columns, groups, stretches, tokens.shape[1])
    _order_by_activation(shown, slice(1, len(groups) - 2))
    mark(
        shown.contexts, shown.positions, groups, tokens, shown.repeated, shown.n_alike, shown.alike
    )
    return shown


def _looked_up(
    picks: npt.NDArray[np.int64],
    groups: npt.NDArray[np.int64],
    stretches: Iterable[Stretch],
    n_ctx: int,
) -> Shown:
    shown = _empty(picks.shape, groups)
    before = np.zeros(len(picks), np.int64)  # activations of each latent in earlier stretches
    found: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]] = []
    held = 0
    for stretch in stretches:
        firsts = np.empty(picks.shape, np.int64)
        here = _locate(
            picks, before, stretch.starts, stretch.places, stretch.values, n_ctx,
            held, firsts, shown.contexts, shown.positions, shown.activations, shown.starts,
            shown.sizes,
        )  # fmt: skip
        found.append((np.empty(here, np.int64), np.empty(here, np.float32)))
        _copy(
            picks, before, stretch.starts, stretch.places, stretch.values, n_ctx,
            held, firsts, shown.starts, shown.sizes, *found[-1],
        )  # fmt: skip
        before += np.diff(stretch.starts)
        held += here
    positions, values = (np.concatenate(column) for column in zip(*found, strict=True))
    return shown._replace(context_positions=positions, context_values=values)


def _empty(shape: tuple[int, ...], groups: npt.NDArray[np.int64]) -> Shown:
    return Shown(
        contexts=np.full(shape, -1, np.int64),
        positions=np.zeros(shape, np.int64),
        activations=np.full(shape, -np.inf, np.float32),
        repeated=np.zeros(shape, np.bool_),
        n_alike=np.ones(shape, np.int64),
        alike=np.zeros(shape, np.bool_),
        starts=np.zeros(shape, np.int64),
        sizes=np.zeros(shape, np.int64),
        groups=groups,
        context_positions=np.empty(0, np.int64),
        context_values=np.empty(0, np.float32),
    )


def _order_by_activation(shown: Shown, groups: slice) -> None:
    """Put the examples of these groups, of one size, strongest first; empty slots stay last."""
    first, end = shown.groups[groups.start], shown.groups[groups.stop]
    shape = (len(shown.contexts), groups.stop - groups.start, -1)
    order = np.argsort(-shown.activations[:, first:end].reshape(shape), axis=2, kind="stable")
    for column in (
        shown.contexts, shown.positions, shown.activations, shown.starts, shown.sizes
    ):  # fmt: skip
        part = column[:, first:end]
        part[:] = np.take_along_axis(part.reshape(shape), order, axis=2).reshape(part.shape)


@compiled
def _locate(
    picks: npt.NDArray[np.int64],
    before: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    places: npt.NDArray[np.int64],
    values: npt.NDArray[np.float32],
    n_ctx: int,
    held: int,
    firsts: npt.NDArray[np.int64],
    contexts: npt.NDArray[np.int64],
    positions: npt.NDArray[np.int64],
    activations: npt.NDArray[np.float32],
    shown_starts: npt.NDArray[np.int64],
    sizes: npt.NDArray[np.int64],
) -> int:
    """Find the picks that lie in this stretch, and their contexts' activations; how many."""
    n = 0
    for latent in range(picks.shape[0]):
        start, stop = starts[latent], starts[latent + 1]
        for slot in range(picks.shape[1]):
            entry = start + picks[latent, slot] - before[latent]
            if picks[latent, slot] < 0 or entry < start or entry >= stop:
                continue
            context = places[entry] // n_ctx
            low, high = entry, entry + 1
            while low > start and places[low - 1] >= context * n_ctx:
                low -= 1
            while high < stop and places[high] < (context + 1) * n_ctx:
                high += 1
            firsts[latent, slot] = low
            contexts[latent, slot] = context
            positions[latent, slot] = places[entry] - context * n_ctx
            activations[latent, slot] = values[entry]
            shown_starts[latent, slot] = held + n
            sizes[latent, slot] = high - low
            n += high - low
    return n


@compiled
def _copy(
    picks: npt.NDArray[np.int64],
    before: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    places: npt.NDArray[np.int64],
    values: npt.NDArray[np.float32],
    n_ctx: int,
    held: int,
    firsts: npt.NDArray[np.int64],
    shown_starts: npt.NDArray[np.int64],
    sizes: npt.NDArray[np.int64],
    context_positions: npt.NDArray[np.int64],
    context_values: npt.NDArray[np.float32],
) -> None:
    """Copy the activations of the contexts that `_locate` found in the same stretch."""
    for latent in range(picks.shape[0]):
        start, stop = starts[latent], starts[latent + 1]
        for slot in range(picks.shape[1]):
            entry = start + picks[latent, slot] - before[latent]
            if picks[latent, slot] < 0 or entry < start or entry >= stop:
                continue
            first, to = firsts[latent, slot], shown_starts[latent, slot] - held
            origin = places[first] // n_ctx * n_ctx
            for step in range(sizes[latent, slot]):
                context_positions[to + step] = places[first + step] - origin
                context_values[to + step] = values[first + step]


@compiled
def mark(
    contexts: npt.NDArray[np.int64],
    positions: npt.NDArray[np.int64],
    groups: npt.NDArray[np.int64],
    tokens: npt.NDArray[np.int32],
    repeated: npt.NDArray[np.bool_],
    n_alike: npt.NDArray[np.int64],
    alike: npt.NDArray[np.bool_],
) -> None:
    """Mark what an earlier group shows, and what reads like another example of its group."""
    for latent in range(contexts.shape[0]):
        for group in range(len(groups) - 1):
            for slot in range(groups[group], groups[group + 1]):
                context, position = contexts[latent, slot], positions[latent, slot]
                if context < 0:
                    break
                for other in range(groups[group]):
                    if contexts[latent, other] == context and positions[latent, other] == position:
                        repeated[latent, slot] = True
                for other in range(groups[group], slot):
                    if _reads_alike(
                        tokens[context], position,
                        tokens[contexts[latent, other]], positions[latent, other],
                    ):  # fmt: skip
                        alike[latent, slot] = True
                        n_alike[latent, slot] += 1
                        n_alike[latent, other] += 1


@compiled
def _reads_alike(
    row: npt.NDArray[np.int32],
    position: int,
    other_row: npt.NDArray[np.int32],
    other_position: int,
) -> bool:
    """The same tokens around both positions, as many on either side."""
    before, after = min(position, _ALIKE_REACH), min(len(row) - 1 - position, _ALIKE_REACH)
    if before != min(other_position, _ALIKE_REACH):
        return False
    if after != min(len(row) - 1 - other_position, _ALIKE_REACH):
        return False
    for step in range(-before, after + 1):
        if row[position + step] != other_row[other_position + step]:
            return False
    return True
