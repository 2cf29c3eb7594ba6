"""What predictions lose when a latent is taken out, token by token.

Ablated is a latent i at every position p of a context: x_p ← x_p − f_i(x_p) d_i at the hook point,
the dictionary's error kept. The effect on token t is log p(t) − log p_ablated(t) in nats: > 0 where
the latent helped. It stands at the position of the token being predicted; a first token has none.
Total: the rest of the model is run again. Direct: only the final residual stream loses the latent's
write f_i r_i, the final norm is redone, no layer is. Source: Bricken et al. 2023.

Nothing changes before a latent's first active position, so keys and values are reused up to it, and
where nothing mixes positions after the hook only active positions are computed. Of a vocabulary the
target's logit and the normaliser are needed, no distribution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from torch import Tensor

from featureviz.engine.dictionaries.base import Dictionary
from featureviz.engine.errors import SubjectError
from featureviz.engine.subject import Subject
from featureviz.engine.tail import Entry, Stream, Tail, entry_of, in_pieces, joined

THRESHOLD = 0.01  # nats; smaller effects are not stored
SHOWN = 3  # tokens that rose, and as many that fell

_PREFIX_STEP = 8  # positions; prefixes are cut at multiples of it
_BATCH_POSITIONS = 1 << 10  # rerun together
_CLEAN_POSITIONS = 1 << 12  # run together
_CLEAN_BYTES = 1 << 28
_KEPT_BYTES = 1 << 29
_LOGITS = 1 << 19  # held at once: they stay in the processor's cache
_DIRECTIONS = 64  # turned into writes at once
_PROBE_TOLERANCE = 1e-3  # nats, between this code and the whole model rerun
_PROBE_SHARE = 0.5  # of the probe's mean norm, taken out along a random direction


class Pairs(NamedTuple):
    """(context, latent) pairs and where the latent is active; parallel arrays.

    Pair i has the activations starts[i]:starts[i + 1], their positions ascending.
    """

    contexts: npt.NDArray[np.int64]  # [n_pairs]; rows of the clean contexts
    latents: npt.NDArray[np.int64]  # [n_pairs]
    starts: npt.NDArray[np.int64]  # [n_pairs + 1]
    positions: npt.NDArray[np.int64]  # [n_active]
    values: npt.NDArray[np.float32]  # [n_active]; > 0


class TokenChange(NamedTuple):
    """A token and p_ablated − p_clean of it."""

    token: int
    change: float


class Changed(NamedTuple):
    """The tokens whose probability changes most when a latent is taken out, before a position."""

    risen: tuple[TokenChange, ...]  # largest first
    fallen: tuple[TokenChange, ...]  # smallest first


@dataclass(frozen=True, slots=True)
class Effects:
    """Effects of pairs on every token, in nats; 0 where nothing changed and at uncounted tokens."""

    total: npt.NDArray[np.float32]  # [n_pairs, n_ctx]; log p(token) − log p_ablated(token)
    direct: npt.NDArray[np.float32] | None  # the same shape; None: no linear write
    kl: npt.NDArray[np.float32]  # [n_pairs, n_ctx]; KL(clean || ablated), total, of that prediction
    changed: dict[tuple[int, int], Changed]  # (pair, position), where asked


@dataclass(frozen=True)
class Clean:
    """Contexts nothing was done to: what all latents share."""

    tokens: Int[Tensor, "n n_ctx"]
    scored: npt.NDArray[np.bool_]  # [n, n_ctx]; the next token counts
    stream: Stream | None  # None: every pair runs the whole model
    log_norm: Float[Tensor, "n n_ctx"]  # log Σ exp(logits), filled in when first needed
    mean_row: Float[Tensor, "n n_ctx d_model"]  # the unembedding, averaged over the prediction
    known: npt.NDArray[np.bool_] = field(compare=False)  # [n, n_ctx]; where those two are filled in


class Ablator(Protocol):
    """Takes latents out of contexts."""

    def contexts_at_once(self, n_ctx: int) -> int:
        """Clean contexts that are run together."""

    def contexts_kept(self, n_ctx: int) -> int:
        """Clean contexts that fit in memory for as long as there are blocks."""

    def clean(
        self, tokens: npt.NDArray[np.int32], counted: npt.NDArray[np.bool_] | None = None
    ) -> Clean:
        """Run contexts [n, n_ctx] once, for all their latents."""

    def effects(self, clean: Clean, pairs: Pairs, listed: float | None = None) -> Effects:
        """Effects of pairs; changed tokens where |total| or KL is at least `listed` nats.

        With `listed`, a position whose total, direct and KL are all surely below it may hold an
        estimate, below it too; every other number is exact.
        """


def ablator(subject: Subject, dictionary: Dictionary, n_ctx: int) -> Ablator:
    """The fast way where it is proven on this model, else the plain one.

    The proof: a random direction is taken out of random tokens at this hook, and both ways agree.
    """
    plain = PlainAblator(subject, dictionary)
    entry = entry_of(dictionary.facts.hook, subject.facts.n_layers)
    if entry is None or plain.writes is None:
        return plain
    return _proven(subject, dictionary, entry, n_ctx) or plain


def _proven(
    subject: Subject, dictionary: Dictionary, entry: Entry, n_ctx: int
) -> TailAblator | None:
    try:
        fast = TailAblator(subject, dictionary, entry)
        error = _disagreement(subject, fast, n_ctx)
    except (AttributeError, TypeError, ValueError, IndexError, KeyError, RuntimeError):
        return None  # a transformer of another build
    return fast if error <= _PROBE_TOLERANCE else None


@torch.inference_mode()
def _disagreement(subject: Subject, fast: TailAblator, n_ctx: int) -> float:
    """The largest difference of total effects, in nats, on one context of random tokens."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(subject.facts.d_vocab, (1, n_ctx), generator=generator)
    x = subject.activations(tokens, fast.dictionary.facts.hook)[0]
    size = _PROBE_SHARE * float(x.norm(dim=1).mean())
    positions = np.arange(n_ctx // 3, n_ctx, 2)
    norm = float(fast.dictionary.W_dec[0].norm()) or 1.0
    values = np.full(len(positions), size / norm, np.float32)
    zero = np.zeros(1, np.int64)
    pairs = Pairs(zero, zero, np.array([0, len(positions)]), positions, values)
    plain = PlainAblator(subject, fast.dictionary)
    runs = [way.effects(way.clean(tokens.numpy()), pairs) for way in (fast, plain)]
    gaps = [np.abs(runs[0].total - runs[1].total).max(), np.abs(runs[0].kl - runs[1].kl).max()]
    return float(np.max(gaps))  # NaN stays NaN, and proves nothing


class PlainAblator:
    """Runs the whole model for every pair; right for every architecture."""

    def __init__(self, subject: Subject, dictionary: Dictionary) -> None:
        self.subject = subject
        self.dictionary = dictionary
        self.writes = subject.to_residual(dictionary.facts.hook)

    def contexts_at_once(self, n_ctx: int) -> int:
        """Clean contexts that are run together; only their tokens are held."""
        return max(1, _CLEAN_POSITIONS // n_ctx)

    def contexts_kept(self, n_ctx: int) -> int:
        """None: there is nothing worth keeping."""
        return 0

    def clean(
        self, tokens: npt.NDArray[np.int32], counted: npt.NDArray[np.bool_] | None = None
    ) -> Clean:
        """Contexts as they are; nothing is kept of their run."""
        rows = torch.from_numpy(tokens.astype(np.int64)).to(self.subject.device)
        nothing = torch.empty(0)
        return Clean(
            rows, _scored(tokens, counted), None, nothing, nothing, np.zeros(tokens.shape, np.bool_)
        )

    @torch.inference_mode()
    def effects(self, clean: Clean, pairs: Pairs, listed: float | None = None) -> Effects:
        """Effects of pairs, one after the other."""
        effects = _nothing(len(pairs.contexts), clean.tokens.shape[1], direct=self._known_write())
        for pair in range(len(pairs.contexts)):
            self._one(clean, pairs, pair, effects, listed)
        return effects

    def _one(
        self, clean: Clean, pairs: Pairs, pair: int, out: Effects, listed: float | None
    ) -> None:
        places = slice(pairs.starts[pair], pairs.starts[pair + 1])
        if places.start == places.stop:
            return
        context = int(pairs.contexts[pair])
        tokens = clean.tokens[context : context + 1]
        first = int(pairs.positions[places.start])
        keep = clean.scored[context].copy()
        keep[:first] = False
        rows = np.flatnonzero(keep)
        hook, direction = self._put_at, self.dictionary.W_dec[pairs.latents[pair]]
        before = self._log_probs(tokens, hook, lambda value: value)[rows]
        after = self._log_probs(tokens, hook, _without(direction, pairs, places))[rows]
        targets = tokens[0, torch.from_numpy(rows + 1)]
        out.total[pair, rows + 1] = _of_targets(before - after, targets)
        out.kl[pair, rows + 1] = (before.exp() * (before - after)).sum(1).cpu().numpy()
        if out.direct is not None and self.writes is not None:
            write = self.writes(direction[None])[0]
            change = _without(write, pairs, places)
            after_direct = self._log_probs(tokens, "ln_final.hook_in", change)[rows]
            out.direct[pair, rows + 1] = _of_targets(before - after_direct, targets)
        if listed is not None:
            _list(out, pair, rows + 1, after.exp() - before.exp(), listed)

    def _log_probs(
        self, tokens: Tensor, hook: str, change: Callable[[Tensor], Tensor]
    ) -> Float[Tensor, "n_ctx d_vocab"]:
        return self.subject.logits(tokens, hook, change)[0].double().log_softmax(-1)

    @property
    def _put_at(self) -> str:
        """Where a change goes: TransformerLens's middle residual is what the MLP reads, a copy."""
        return self.dictionary.facts.hook.replace("hook_resid_mid", "hook_attn_out")

    def _known_write(self) -> bool:
        """Whether the model writes a direction where and as `writes` says: tried, not assumed."""
        if self.writes is None or "ln_final.hook_in" not in self.subject.bridge.hook_dict:
            return False
        parts = self.dictionary.facts.hook.split(".")
        if len(parts) < 3:
            return True
        out = "hook_resid_mid" if "attn" in self.dictionary.facts.hook else "hook_resid_post"
        if ".".join(parts[2:]) in ("hook_resid_pre", "hook_resid_mid"):
            return True
        return self._writes_into(f"blocks.{parts[1]}.{out}")

    def _writes_into(self, out: str) -> bool:
        hook, direction = self.dictionary.facts.hook, self.dictionary.W_dec[:1]
        if out not in self.subject.bridge.hook_dict or self.writes is None:
            return False
        tokens = torch.zeros(1, 4, dtype=torch.long)
        seen = [
            self.subject.seen(tokens, hook, change, out)
            for change in (lambda v: v, lambda v: v + direction.reshape(v.shape[2:]))
        ]
        wrote = self.writes(direction)[0].expand_as(seen[0])
        return torch.allclose(seen[1] - seen[0], wrote, atol=1e-3, rtol=1e-3)


class TailAblator:
    """Reruns what can change, and nothing else."""

    def __init__(
        self, subject: Subject, dictionary: Dictionary, entry: Entry, *, reuse: bool = True
    ) -> None:
        writes = subject.to_residual(dictionary.facts.hook)
        if writes is None:
            raise SubjectError(
                f"{dictionary.facts.hook} of {subject.facts.name} writes nothing linearly."
            )
        self.subject = subject
        self.dictionary = dictionary
        self.tail = Tail(subject, entry)
        self._writes = writes
        self._head = self.tail.head.weight.detach()  # [d_vocab, d_model]
        self._bias = None if self.tail.head.bias is None else self.tail.head.bias.detach()
        self._rows = max(8, min(256, _LOGITS // len(self._head)))
        self._radius = _radius(self._head)
        self._reuse = reuse  # keys and values of the prefix

    def contexts_at_once(self, n_ctx: int) -> int:
        """Clean contexts that are run together, about 256 MB of them."""
        return max(1, _CLEAN_BYTES // self._bytes(n_ctx))

    def contexts_kept(self, n_ctx: int) -> int:
        """Clean contexts that fit in memory for as long as there are blocks: 512 MB of them."""
        return _KEPT_BYTES // self._bytes(n_ctx)

    def _bytes(self, n_ctx: int) -> int:
        """Of a clean context: residual streams, keys and values, the mean unembedding."""
        entry, rerun = self.tail.entry, self.tail.n_layers - self.tail.entry.layer
        vectors = 2 + (rerun > 0) + (entry.mid is not None) + 2 * rerun
        return n_ctx * (4 * self._head.shape[1] * vectors + 16)

    @torch.inference_mode()
    def clean(
        self, tokens: npt.NDArray[np.int32], counted: npt.NDArray[np.bool_] | None = None
    ) -> Clean:
        """Run contexts [n, n_ctx] once, for all their latents."""
        rows = torch.from_numpy(tokens.astype(np.int64)).to(self.subject.device)
        stream = self._streams(rows)
        return Clean(
            rows,
            _scored(tokens, counted),
            stream,
            stream.final.new_zeros(tokens.shape),
            torch.zeros_like(stream.final),
            np.zeros(tokens.shape, np.bool_),
        )

    def _streams(self, rows: Tensor) -> Stream:
        """The run of any number of contexts, in batches of one shape."""
        size = max(1, _CLEAN_POSITIONS // rows.shape[1])
        streams = []
        for start in range(0, len(rows), size):
            batch = rows[start : start + size]
            filled = batch[torch.arange(size, device=rows.device) % len(batch)]
            streams.append(self.tail.run(filled).first(len(batch)))
        return joined(streams)

    @torch.inference_mode()
    def effects(self, clean: Clean, pairs: Pairs, listed: float | None = None) -> Effects:
        """Effects of pairs; changed tokens where |total| or KL is at least `listed` nats."""
        out = _nothing(len(pairs.contexts), clean.tokens.shape[1], direct=True)
        if len(pairs.positions) == 0:
            return out
        active = self._active(clean, pairs)
        written = self._without_write(clean, active)
        spots, last = active.spots.counted(clean), self._reruns_nothing
        found = self._weighed(clean, spots, written, _Wanted(listed, lists=last))
        assert out.direct is not None
        out.direct[spots.pair, spots.position + 1] = found.effect
        if last:
            _put(out, spots, found)  # total and direct are one formula here
            return out
        wanted = _Wanted(listed, lists=True)
        for places, final in self._reruns(clean, pairs, active):
            spots = places.counted(clean)
            direct = out.direct[spots.pair, spots.position + 1]
            _put(out, spots, self._weighed(clean, spots, final, wanted, direct))
        return out

    @property
    def _reruns_nothing(self) -> bool:
        """Whether the hook writes straight into the final residual stream."""
        return self.tail.entry.layer == self.tail.n_layers and self.tail.entry.mid is None

    def _weighed(
        self,
        clean: Clean,
        spots: _Spots,
        final: Tensor,
        wanted: _Wanted,
        direct: npt.NDArray[np.float32] | None = None,
    ) -> _Scores:
        """Effects at these spots; an estimate, and no KL, where all is surely under a threshold."""
        final, threshold = final[torch.from_numpy(spots.rows).to(final.device)], wanted.threshold
        if threshold is None:
            return self._scores(clean, spots, final, None)
        effect, bound = self._bounds(clean, spots, final)
        large = np.abs(effect) + bound >= threshold
        if direct is not None:
            large |= np.abs(direct) >= threshold
        exact, kl = np.flatnonzero(large), np.zeros_like(effect)
        rows = torch.from_numpy(exact).to(final.device)
        listed = threshold if wanted.lists else None
        found = self._scores(clean, spots.some(exact), final[rows], listed)
        effect[exact], kl[exact] = found.effect, found.kl
        return _Scores(effect, kl, found.changed)

    def _bounds(
        self, clean: Clean, spots: _Spots, final: Tensor
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """First-order effects, and how far at most the true ones and the KL lie above.

        effect = log E exp(Δ) − Δ_target, the mean over the clean prediction, Δ = W_U moved. The
        first order is E Δ − Δ_target; the rest is the KL, and by Hoeffding's lemma at most
        (max Δ − min Δ)² / 8 <= (radius |moved|)² / 2.
        """
        self._fill(clean, spots)
        at = spots.at(final.device)
        moved, raised = self._moved(clean, self.tail.norm(final), at)
        first = (moved * clean.mean_row[at]).sum(1) - raised
        bound = (self._radius**2 / 2) * moved.square().sum(1)
        return first.cpu().numpy(), bound.cpu().numpy()

    def _moved(
        self, clean: Clean, normed: Tensor, at: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """How the normed residual moved, and by how much that raised the target's logit."""
        assert clean.stream is not None
        moved = normed - self.tail.norm(clean.stream.final[at])
        targets = clean.tokens[at[0], at[1] + 1]
        return moved, (moved * self._head[targets]).sum(1)

    def _active(self, clean: Clean, pairs: Pairs) -> _Active:
        pair = np.repeat(np.arange(len(pairs.contexts)), np.diff(pairs.starts))
        latents, which = np.unique(pairs.latents, return_inverse=True)
        directions = self.dictionary.W_dec[torch.from_numpy(latents).to(clean.tokens.device)]
        writes = in_pieces(self._writes, directions, _DIRECTIONS)
        places = torch.from_numpy(which[pair]).to(writes.device)
        values = torch.from_numpy(pairs.values).to(writes.device)
        spots = _Spots(pair, pairs.contexts[pair], pairs.positions, np.arange(len(pair)))
        return _Active(spots, writes[places] * values[:, None])

    def _without_write(self, clean: Clean, active: _Active) -> Float[Tensor, "n d_model"]:
        assert clean.stream is not None
        return clean.stream.final[active.spots.at(clean.tokens.device)] - active.written

    def _reruns(
        self, clean: Clean, pairs: Pairs, active: _Active
    ) -> Iterator[tuple[_Spots, Tensor]]:
        """(spots, final residual there), batch by batch, from each first active position on."""
        stream, entering = clean.stream, self._entering(clean, active)
        assert stream is not None
        if stream.entry is None:
            yield active.spots, entering
            return
        n_ctx = clean.tokens.shape[1]
        for batch in _batches(pairs, n_ctx, reuse=self._reuse):
            contexts = torch.from_numpy(pairs.contexts[batch.filled]).to(entering.device)
            residual = stream.entry[contexts, batch.before :]
            _write_into(residual, batch, pairs, entering)
            prefix = [
                (keys[contexts, :, : batch.before], values[contexts, :, : batch.before])
                for keys, values in stream.cache
            ]
            final = self.tail.rerun(residual, prefix)
            row, position = _after_first(pairs, batch, n_ctx)
            chosen = torch.from_numpy(row).to(final.device), torch.from_numpy(position)
            pair = batch.pairs[row]
            spots = _Spots(
                pair, pairs.contexts[pair], position + batch.before, np.arange(len(pair))
            )
            yield spots, final[chosen[0], chosen[1].to(final.device)]

    def _entering(self, clean: Clean, active: _Active) -> Float[Tensor, "n d_model"]:
        """The ablated residual stream where it enters the layers that are rerun."""
        stream, at = clean.stream, active.spots.at(clean.tokens.device)
        assert stream is not None
        if self.tail.entry.mid is not None:
            assert stream.mid is not None
            return self.tail.through_mlp(stream.mid[at] - active.written)
        assert stream.entry is not None
        return stream.entry[at] - active.written

    def _scores(self, clean: Clean, spots: _Spots, final: Tensor, listed: float | None) -> _Scores:
        """Effect and KL of the predictions made at these spots, over the whole vocabulary."""
        self._fill(clean, spots)
        normed, at = self.tail.norm(final), spots.at(final.device)
        moved, raised = self._moved(clean, normed, at)
        log_ratio, sums = self._log_ratio(normed, clean.log_norm[at])
        effect = (log_ratio - raised).cpu().numpy()
        kl = (log_ratio - (moved * clean.mean_row[at]).sum(1)).clamp_min(0).cpu().numpy()
        if listed is None:
            return _Scores(effect, kl, [])
        shown = np.flatnonzero((np.abs(effect) >= listed) | (kl >= listed))
        return _Scores(effect, kl, self._changed(clean, spots, normed, sums, shown))

    def _logits(self, normed: Tensor) -> Tensor:
        logits = normed @ self._head.T
        return logits if self._bias is None else logits.add_(self._bias)

    def _log_ratio(self, normed: Tensor, log_norm: Tensor) -> tuple[Tensor, Tensor]:
        """Log of the ablated normaliser over the clean one, and that ratio [n]."""

        def sums(rows: Tensor) -> Tensor:
            logits = self._logits(rows[:, :-1])
            return logits.sub_(rows[:, -1:]).exp_().sum(1)

        both = torch.cat([normed, log_norm[:, None]], 1)
        ratio = in_pieces(sums, both, self._rows)
        return ratio.log(), ratio

    def _fill(self, clean: Clean, spots: _Spots) -> None:
        """Normaliser and mean unembedding row of predictions not looked at before."""
        wanted = np.zeros_like(clean.known)
        wanted[spots.context, spots.position] = True
        found = np.nonzero(wanted & ~clean.known)
        if len(found[0]) == 0:
            return
        at = tuple(torch.from_numpy(column).to(clean.tokens.device) for column in found)
        assert clean.stream is not None

        def summary(normed: Tensor) -> Tensor:
            logits = self._logits(normed)
            norm = logits.logsumexp(1, keepdim=True)
            return torch.cat([logits.sub_(norm).exp_() @ self._head, norm], 1)

        summaries = in_pieces(summary, self.tail.norm(clean.stream.final[at]), self._rows)
        clean.mean_row[at], clean.log_norm[at] = summaries[:, :-1], summaries[:, -1]
        clean.known[found] = True

    def _changed(
        self, clean: Clean, spots: _Spots, normed: Tensor, sums: Tensor, shown: npt.NDArray[np.intp]
    ) -> list[_Listed]:
        """The tokens whose probability changes most at some of the spots."""
        rows = torch.from_numpy(shown).to(normed.device)
        at = tuple(column[rows] for column in spots.at(normed.device))
        width = normed.shape[1]
        assert clean.stream is not None

        def largest(both: Tensor) -> Tensor:
            shift = both[:, -2:-1]
            before = self._logits(both[:, width : 2 * width]).sub_(shift).exp_()
            after = self._logits(both[:, :width]).sub_(shift).exp_().div_(both[:, -1:])
            return _extremes(after.sub_(before))

        before = self.tail.norm(clean.stream.final[at])
        parts = [normed[rows], before, clean.log_norm[at][:, None]]
        found = in_pieces(largest, torch.cat([*parts, sums[rows][:, None]], 1), self._rows)
        pairs, positions = spots.pair[shown].tolist(), (spots.position[shown] + 1).tolist()
        lists = found.double().tolist()
        return [
            _Listed(pair, position, _read(line))
            for pair, position, line in zip(pairs, positions, lists, strict=True)
        ]


class _Spots(NamedTuple):
    """Predictions: made at a position of a context, with a pair's latent taken out."""

    pair: npt.NDArray[np.int64]
    context: npt.NDArray[np.int64]
    position: npt.NDArray[np.int64]

    rows: npt.NDArray[np.int64]  # of what was computed there

    def counted(self, clean: Clean) -> _Spots:
        """Those whose predicted token counts."""
        return self.some(np.flatnonzero(clean.scored[self.context, self.position]))

    def some(self, chosen: npt.NDArray[np.intp]) -> _Spots:
        """Some of them."""
        return _Spots(*(column[chosen] for column in self))

    def at(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """(context, position) as an index."""
        return (
            torch.from_numpy(self.context).to(device),
            torch.from_numpy(self.position).to(device),
        )


class _Wanted(NamedTuple):
    """How exactly effects are wanted."""

    threshold: float | None  # nats; under it an estimate does; None: all are exact
    lists: bool  # the changed tokens too, from the threshold on


class _Active(NamedTuple):
    """Every active position of the pairs, and what the latent writes there."""

    spots: _Spots
    written: Float[Tensor, "n d_model"]


class _Listed(NamedTuple):
    pair: int
    position: int  # of the token predicted
    changed: Changed


class _Scores(NamedTuple):
    effect: npt.NDArray[np.float32]
    kl: npt.NDArray[np.float32]
    changed: list[_Listed]


class _Batch(NamedTuple):
    """Pairs rerun together."""

    before: int  # positions whose keys and values are reused
    pairs: npt.NDArray[np.int64]
    filled: npt.NDArray[np.int64]  # the same, filled up to the batch's fixed size


def _batches(pairs: Pairs, n_ctx: int, *, reuse: bool) -> Iterator[_Batch]:
    """Pairs grouped by their first active position; a group's batches all have one shape."""
    alive = np.flatnonzero(np.diff(pairs.starts) > 0)
    first = pairs.positions[pairs.starts[alive]]
    before = first // _PREFIX_STEP * _PREFIX_STEP * reuse
    for cut in np.unique(before):
        members = alive[before == cut]
        size = max(1, _BATCH_POSITIONS // int(n_ctx - cut))
        for start in range(0, len(members), size):
            batch = members[start : start + size]
            yield _Batch(int(cut), batch, np.resize(batch, size))


def _write_into(residual: Tensor, batch: _Batch, pairs: Pairs, entering: Tensor) -> None:
    """Put what enters at active positions into a batch's residual streams."""
    sizes = np.diff(pairs.starts)[batch.pairs]
    row = np.repeat(np.arange(len(batch.pairs)), sizes)
    starts = pairs.starts[batch.pairs]
    entries = np.concatenate(
        [np.arange(start, start + size) for start, size in zip(starts, sizes, strict=True)]
    )
    position = pairs.positions[entries] - batch.before
    index = [torch.from_numpy(column).to(residual.device) for column in (row, position, entries)]
    residual[index[0], index[1]] = entering[index[2]]


def _after_first(
    pairs: Pairs, batch: _Batch, n_ctx: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(row, position behind the prefix) of all from each pair's first active position on."""
    first = pairs.positions[pairs.starts[batch.pairs]] - batch.before
    row, position = np.nonzero(np.arange(n_ctx - batch.before) >= first[:, None])
    return row, position


def _scored(
    tokens: npt.NDArray[np.int32], counted: npt.NDArray[np.bool_] | None
) -> npt.NDArray[np.bool_]:
    """Positions that predict a token which counts [n, n_ctx]; the last predicts none."""
    scored = np.zeros(tokens.shape, np.bool_)
    scored[:, :-1] = True if counted is None else counted[:, 1:]
    return scored


def _nothing(n_pairs: int, n_ctx: int, *, direct: bool) -> Effects:
    shape = (n_pairs, n_ctx)
    return Effects(
        np.zeros(shape, np.float32),
        np.zeros(shape, np.float32) if direct else None,
        np.zeros(shape, np.float32),
        {},
    )


def _put(out: Effects, spots: _Spots, found: _Scores) -> None:
    out.total[spots.pair, spots.position + 1] = found.effect
    out.kl[spots.pair, spots.position + 1] = found.kl
    out.changed.update({(one.pair, one.position): one.changed for one in found.changed})


def _radius(head: Float[Tensor, "d_vocab d_model"]) -> float:
    """Of a ball that holds all rows of the unembedding."""
    return float((head - head.mean(0)).norm(dim=1).max())


def _without(direction: Tensor, pairs: Pairs, places: slice) -> Callable[[Tensor], Tensor]:
    """Takes a pair's activations along a direction out of one context."""
    values = torch.from_numpy(pairs.values[places])
    positions = torch.from_numpy(pairs.positions[places])

    def change(value: Tensor) -> Tensor:
        value = value.clone()
        taken = values.to(value.device)[:, None] * direction.to(value.device)
        value[0, positions.to(value.device)] -= taken.reshape(-1, *value.shape[2:])
        return value

    return change


def _of_targets(rows: Tensor, targets: Tensor) -> npt.NDArray[np.float64]:
    return rows.gather(1, targets[:, None])[:, 0].cpu().numpy()


def _list(
    out: Effects, pair: int, positions: npt.NDArray[np.intp], change: Tensor, listed: float
) -> None:
    lists = _extremes(change).tolist()
    for position, line in zip(positions.tolist(), lists, strict=True):
        if abs(out.total[pair, position]) >= listed or out.kl[pair, position] >= listed:
            out.changed[pair, position] = _read(line)


def _extremes(change: Float[Tensor, "n d_vocab"]) -> Float[Tensor, "n shown"]:
    """Values and tokens at either end, in one row: risen, their tokens, fallen, their tokens."""
    shown = min(SHOWN, change.shape[1])
    risen, fallen = change.topk(shown), change.topk(shown, largest=False)
    columns = [risen.values, risen.indices, fallen.values, fallen.indices]
    return torch.cat([column.to(torch.float64) for column in columns], 1)


def _read(line: list[float]) -> Changed:
    n = len(line) // 4
    risen = zip(line[n : 2 * n], line[:n], strict=True)
    fallen = zip(line[3 * n :], line[2 * n : 3 * n], strict=True)
    return Changed(
        tuple(TokenChange(int(token), change) for token, change in risen if change > 0),
        tuple(TokenChange(int(token), change) for token, change in fallen if change < 0),
    )
