"""What the demo's models and dictionaries do on held-out text, in numbers.

Positions: text tokens only; the start token and padding are never counted. Losses are in nats a
token.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot
from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

from featureviz.demo.dictionary import TopK, neurons
from featureviz.demo.model import CONTEXT, START, contexts
from featureviz.demo.scripts import script_of
from featureviz.demo.texts import Document

CLASSES = ("arabic", "hebrew", "cyrillic", "greek", "hangul", "han", "digit", "self")
_SCRIPT_OF_CLASS = {"han": "cjk"}
_BATCH = 32  # contexts
_DISCOUNT = 0.75  # of absolute discounting, as commonly used

Splice = Callable[[Tensor], Tensor]  # neurons [n, 512] to what replaces them


@dataclass(frozen=True)
class HeldOut:
    """Held-out text as contexts."""

    tokens: Tensor  # int64 [n_contexts, 128]
    is_code: Tensor  # bool [n_contexts]
    classes: Tensor  # bool [n_contexts, 128, len(CLASSES)]; False at the start token and padding

    @property
    def counted(self) -> Tensor:
        """Where text tokens are, bool [n_contexts, 128]."""
        return self.tokens != START

    def first(self, n: int) -> "HeldOut":
        """The first n contexts."""
        return HeldOut(self.tokens[:n], self.is_code[:n], self.classes[:n])

    def batches(self) -> Iterator["HeldOut"]:
        """The same contexts, a few at a time."""
        parts = (part.split(_BATCH) for part in (self.tokens, self.is_code, self.classes))
        return (HeldOut(*batch) for batch in zip(*parts, strict=True))


def held_out_contexts(tokenizer: PreTrainedTokenizerFast, documents: Sequence[Document]) -> HeldOut:
    """Tokenise documents, with the class of every token."""
    tokens = contexts(tokenizer, (document.text for document in documents))
    rows: list[list[int]] = []
    is_code: list[bool] = []
    for document in documents:
        rows.extend(_class_rows(tokenizer, document.text))
        is_code += [document.kind == "code"] * (len(rows) - len(is_code))
    classes = one_hot(torch.tensor(rows), len(CLASSES) + 1)[..., : len(CLASSES)].bool()
    return HeldOut(tokens, torch.tensor(is_code), classes)


def token_texts(tokenizer: PreTrainedTokenizerFast, text: str) -> list[str]:
    """The characters each token of a text is made of or is a part of.

    A character of several tokens (a rare script, in byte-level BPE) is given to each of them.
    """
    found = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    return [text[start:end] for start, end in found.offset_mapping]


def token_class(characters: str) -> str:
    """One of CLASSES or '': the script of most of a token's characters; 'self' for that word."""
    if characters.strip() == "self":
        return "self"
    counts = Counter(script for script in map(script_of, characters) if script)
    script = counts.most_common(1)[0][0] if counts else ""
    return next((name for name in CLASSES if _SCRIPT_OF_CLASS.get(name, name) == script), "")


def _class_rows(tokenizer: PreTrainedTokenizerFast, text: str) -> Iterator[list[int]]:
    """Class number of each position of the text's contexts; len(CLASSES) for none."""
    none = len(CLASSES)
    numbers = {name: number for number, name in enumerate(CLASSES)}
    ids = [numbers.get(token_class(part), none) for part in token_texts(tokenizer, text)]
    for at in range(0, len(ids), CONTEXT - 1):
        row = [none, *ids[at : at + CONTEXT - 1]]
        yield row + [none] * (CONTEXT - len(row))


@dataclass(frozen=True)
class Loss:
    """Mean next-token loss, nats a token."""

    code: float
    catalogues: float
    all: float  # over all tokens of both


def mean_loss(held_out: HeldOut, token_losses: Callable[[Tensor], Tensor]) -> Loss:
    """Average over held-out tokens; `token_losses` maps contexts [b, 128] to losses [b, 127]."""
    sums, counts = torch.zeros(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    for batch in held_out.batches():
        losses = token_losses(batch.tokens)
        counted = batch.counted[:, 1:]
        for part in (0, 1):
            here = counted & (batch.is_code == bool(part))[:, None]
            sums[part] += losses[here].sum().double()
            counts[part] += here.sum()
    catalogues, code = (sums / counts).tolist()
    return Loss(code, catalogues, (sums.sum() / counts.sum()).item())


def model_losses(
    model: GPT2LMHeadModel, splice: Splice | None = None
) -> Callable[[Tensor], Tensor]:
    """The model's own losses, its neurons replaced at text tokens if `splice` is given."""

    @torch.no_grad()
    def losses(tokens: Tensor) -> Tensor:
        with replaced_neurons(model, tokens != START, splice):
            logits = model(tokens, use_cache=False).logits[:, :-1]
        flat = cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none")
        return flat.view(len(tokens), -1)

    return losses


@contextmanager
def replaced_neurons(
    model: GPT2LMHeadModel, where: Tensor, splice: Splice | None
) -> Iterator[None]:
    """Within the block, neurons at `where` (bool [b, 128]) are what `splice` makes of them."""
    if splice is None:
        yield
        return

    def hook(_module: object, _inputs: object, out: Tensor) -> Tensor:
        changed = out.clone()
        changed[where] = splice(out[where])
        return changed

    handle = model.transformer.h[0].mlp.act.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


@dataclass(frozen=True)
class NGrams:
    """Unigram and bigram models fitted on training text: the baselines of the language models."""

    unigram: Tensor  # log-probability [V]
    bigram: Tensor  # log-probability [V, V], row = previous token

    def unigram_losses(self, tokens: Tensor) -> Tensor:
        """Losses [b, 127] of contexts [b, 128]."""
        return -self.unigram[tokens[:, 1:]]

    def bigram_losses(self, tokens: Tensor) -> Tensor:
        """Losses [b, 127] of contexts [b, 128]."""
        return -self.bigram[tokens[:, :-1], tokens[:, 1:]]


def fit_ngrams(tokens: Tensor, vocabulary: int) -> NGrams:
    """Count contexts [n, 128]; unigrams add one, bigrams discount .75 and fall back on unigrams."""
    previous, following = tokens[:, :-1], tokens[:, 1:]
    counted = following != START
    pairs = previous[counted] * vocabulary + following[counted]
    counts = pairs.bincount(minlength=vocabulary**2).view(vocabulary, vocabulary).float()
    unigram = (counts.sum(0) + 1) / (counts.sum() + vocabulary)
    seen = counts.sum(1, keepdim=True).clamp(min=1)
    # A token never seen before another has no row to discount: the unigram takes all of it.
    left = torch.where(counts.sum(1) > 0, _DISCOUNT * (counts > 0).sum(1) / seen[:, 0], 1.0)
    bigram = (counts - _DISCOUNT).clamp(min=0) / seen + left[:, None] * unigram
    return NGrams(unigram.log(), bigram.log())


@dataclass(frozen=True)
class LatentCounts:
    """Sums over held-out text tokens, of one dictionary."""

    n_tokens: int
    active: Tensor  # tokens each latent fires on [d_sae]
    active_in: Tensor  # the same, of tokens in each class [n_classes, d_sae]
    total: Tensor  # sum of activations [d_sae]
    total_in: Tensor  # the same, of tokens in each class [n_classes, d_sae]
    squares: Tensor  # sum of squared activations [d_sae]
    tokens_in: Tensor  # tokens of each class [n_classes]
    fvu: float  # sum |x - x^|^2 / sum |x - mean(x)|^2, over all held-out tokens together

    @property
    def share(self) -> Tensor:
        """Of a latent's active tokens, how many are in the class [n_classes, d_sae]; 0 if dead."""
        return self.active_in / self.active.clamp(min=1)

    @property
    def recall(self) -> Tensor:
        """Of a class's tokens, how many a latent fires on [n_classes, d_sae]."""
        return self.active_in / self.tokens_in[:, None].clamp(min=1)

    @property
    def pearson(self) -> Tensor:
        """Correlation over tokens of activation and membership, 0 or 1 [n_classes, d_sae]."""
        n = self.n_tokens
        p = self.tokens_in[:, None] / n
        mean = self.total / n
        spread = (self.squares / n - mean**2).clamp(min=0).sqrt() * (p * (1 - p)).sqrt()
        covariance = self.total_in / n - p * mean
        return torch.where(spread > 0, covariance / spread.clamp(min=1e-30), 0.0)


@torch.no_grad()
def count_latents(model: GPT2LMHeadModel, sae: TopK, held_out: HeldOut) -> LatentCounts:
    """One pass of model and dictionary over held-out text."""
    sums: dict[str, Tensor] = {}
    for batch in held_out.batches():
        x, counted = neurons(model, batch.tokens)
        f = sae.encode(x)
        for name, value in _sums(x, f, x - sae.decode(f), batch.classes[counted]).items():
            sums[name] = sums.get(name, torch.zeros_like(value)) + value
    n_tokens = int(sums.pop("n"))
    missed, square, total = (sums.pop(name) for name in ("missed", "x_square", "x"))
    fvu = missed / (square - total.square().sum() / n_tokens)
    return LatentCounts(n_tokens=n_tokens, fvu=fvu.item(), **sums)


def _sums(x: Tensor, f: Tensor, error: Tensor, classes: Tensor) -> dict[str, Tensor]:
    on, member = (f > 0).float(), classes.float().T
    sums = {
        "n": torch.tensor(len(x)), "x": x.double().sum(0), "x_square": x.double().square().sum(),
        "missed": error.double().square().sum(), "active": on.sum(0), "active_in": member @ on,
        "total": f.sum(0), "total_in": member @ f, "squares": f.square().sum(0),
        "tokens_in": member.sum(1),
    }  # fmt: skip
    return {name: value.double() for name, value in sums.items()}


@torch.no_grad()
def mean_neurons(model: GPT2LMHeadModel, held_out: HeldOut) -> Tensor:
    """Mean activation of each neuron over held-out text tokens [512]."""
    total, n = torch.zeros(0), 0
    for batch in held_out.batches():
        x, _ = neurons(model, batch.tokens)
        total = x.double().sum(0) + (total if n else 0)
        n += len(x)
    return (total / n).float()
