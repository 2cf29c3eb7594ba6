"""Contexts to the non-zero activations of all latents, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from featureviz.engine.compiled import compiled
from featureviz.engine.dictionaries.base import Codes, Dictionary, SparseCodes
from featureviz.engine.subject import Subject
from featureviz.engine.threads import in_parts

_STRIDE = 16  # entries looked at together; one comparison dismisses nearly all of them
# Of the activation matrix in memory. On a CPU 24 MiB of float32: memory of that size is used again,
# while from 32 MiB on glibc asks the system for new memory, which comes page by page.
_DENSE_ENTRIES = 6 << 20
_DENSE_ENTRIES_ON_DEVICE = 1 << 24
_CPU = torch.device("cpu")


class Actives(NamedTuple):
    """Non-zero activations as parallel arrays, by place."""

    places: npt.NDArray[np.uint32]  # [n]; context * n_ctx + position, counted from the first one
    latents: npt.NDArray[np.int32]  # [n]
    values: npt.NDArray[np.float32]  # [n]; > 0


def joined(parts: list[Actives]) -> Actives:
    """Several stretches as one, in the order given."""
    if not parts:
        return Actives(np.empty(0, np.uint32), np.empty(0, np.int32), np.empty(0, np.float32))
    return Actives(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def rows_at_once(d_sae: int, device: torch.device = _CPU) -> int:
    """Token positions encoded together, a power of two: their activations fit a bounded matrix."""
    entries = _DENSE_ENTRIES if device.type == "cpu" else _DENSE_ENTRIES_ON_DEVICE
    fitting = max(64, min(4096, entries // d_sae))
    return int(1 << (fitting.bit_length() - 1))


@torch.inference_mode()
def active_latents(
    subject: Subject,
    dictionary: Dictionary,
    tokens: npt.NDArray[np.int32],
    counted: npt.NDArray[np.bool_],
    batch_size: int,
) -> Iterator[tuple[int, Actives, Tensor]]:
    """Run contexts [n, n_ctx] batch by batch: (contexts in it, its non-zero activations, x).

    `x` [contexts * n_ctx, d_in] is what flowed through the hook.

    Every forward pass and every encoding has the same shape, the last ones filled up, so that a
    token's numbers do not depend on how many others happened to share its batch. Positions not
    `counted` are left out.
    """
    for start in range(0, len(tokens), batch_size):
        batch = tokens[start : start + batch_size]
        filled = np.resize(batch, (batch_size, tokens.shape[1])).astype(np.int64)
        x = subject.activations(torch.from_numpy(filled), dictionary.facts.hook).flatten(0, 1)
        places = np.flatnonzero(counted[start : start + len(batch)]).astype(np.uint32)
        size = rows_at_once(dictionary.facts.d_sae, x.device)
        pieces = [places[first : first + size] for first in range(0, len(places), size)]
        found = [_encode(dictionary, x, rows, size) for rows in pieces]
        batch_actives = joined(found)
        offset = np.uint32(start * tokens.shape[1])
        actives = batch_actives._replace(places=batch_actives.places + offset)
        yield len(batch), actives, x[: batch.size]


def _encode(
    dictionary: Dictionary, x: Tensor, places: npt.NDArray[np.uint32], size: int
) -> Actives:
    filled = torch.from_numpy(np.resize(places, size).astype(np.int64))
    codes = dictionary.codes(x.index_select(0, filled.to(x.device)))
    return nonzeros(codes, places)


def nonzeros(codes: Codes, places: npt.NDArray[np.uint32]) -> Actives:
    """The active entries of the first len(places) rows, each under its row's place."""
    if isinstance(codes, SparseCodes):
        return _nonzeros_sparse(codes, places)
    if codes.values.device.type != "cpu":
        return _nonzeros_on_device(codes.values, places)
    return _nonzeros_dense(codes.values.numpy(), places)


def _nonzeros_sparse(codes: SparseCodes, places: npt.NDArray[np.uint32]) -> Actives:
    values = codes.values[: len(places)].float().cpu().numpy()
    latents = codes.latents[: len(places)].cpu().numpy()
    return joined(
        in_parts(
            len(places),
            lambda rows: Actives(*_active_pairs(values[rows], latents[rows], places[rows])),
        )
    )


def _nonzeros_on_device(values: Tensor, places: npt.NDArray[np.uint32]) -> Actives:
    rows, latents = (values[: len(places)] > 0).nonzero(as_tuple=True)
    kept = values[rows, latents].float().cpu().numpy()
    return Actives(places[rows.cpu().numpy()], latents.int().cpu().numpy(), kept)


def _nonzeros_dense(values: npt.NDArray[np.float32], places: npt.NDArray[np.uint32]) -> Actives:
    parts = in_parts(len(places), lambda rows: _nonzeros_of_rows(values[rows], places[rows]))
    return joined(parts)


def _nonzeros_of_rows(values: npt.NDArray[np.float32], places: npt.NDArray[np.uint32]) -> Actives:
    parts: list[Actives] = []
    done = 0
    room = len(places) * 64 + values.shape[1]
    while done < len(places):
        found = Actives(
            np.empty(room, np.uint32), np.empty(room, np.int32), np.empty(room, np.float32)
        )
        done, n = _walk(values, places, done, found)
        parts.append(Actives(found.places[:n], found.latents[:n], found.values[:n]))
    return joined(parts)


@compiled
def _walk(
    values: npt.NDArray[np.float32], places: npt.NDArray[np.uint32], first: int, out: Actives
) -> tuple[int, int]:
    """Collect entries > 0 row by row until a whole row might not fit; (next row, collected)."""
    d_sae = values.shape[1]
    whole = d_sae // _STRIDE * _STRIDE
    found_places, latents, found_values = out.places, out.latents, out.values
    n = 0
    for row in range(first, len(places)):
        if n + d_sae > len(latents):
            return row, n
        line, place, before = values[row], places[row], n
        for start in range(0, whole, _STRIDE):
            any_active = np.int32(0)
            for step in range(_STRIDE):  # of constant length: one vector comparison
                any_active |= np.int32(line[start + step] > 0)
            if any_active:
                n = _collect(line, start, start + _STRIDE, latents, n)
        n = _collect(line, whole, d_sae, latents, n)
        for at in range(before, n):
            found_places[at] = place
            found_values[at] = line[latents[at]]
    return len(places), n


@compiled
def _collect(
    line: npt.NDArray[np.float32], start: int, end: int, latents: npt.NDArray[np.int32], n: int
) -> int:
    """Write every column, and step on after those > 0: no branch to mispredict."""
    for column in range(start, end):
        latents[n] = column
        n += int(line[column] > 0)
    return n


@compiled
def _active_pairs(
    values: npt.NDArray[np.float32],
    latents: npt.NDArray[np.int64],
    places: npt.NDArray[np.uint32],
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """The pairs [rows, k] with a value > 0, each under its row's place."""
    room = values.size + 1  # the last write may be one that does not count
    found_places = np.empty(room, np.uint32)
    found_latents = np.empty(room, np.int32)
    found_values = np.empty(room, np.float32)
    n = 0
    for row in range(values.shape[0]):
        for pair in range(values.shape[1]):
            found_places[n] = places[row]
            found_latents[n] = latents[row, pair]
            found_values[n] = values[row, pair]
            n += int(values[row, pair] > 0)
    return found_places[:n], found_latents[:n], found_values[:n]
