"""A latent that never was: invented numbers in which every part of a page occurs.

For design review; nothing here is measured. Texts are whole sentences in several scripts;
activations are written down beside the words they stand on.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from featureviz.browse.latent_page import LatentPage
from featureviz.browse.scale import Scale
from featureviz.browse.switches import Switches
from featureviz.catalog.models import Corpus, Dictionary, LanguageModel, Latent, Run
from featureviz.dashboards.corpora import CorpusFacts, StoredCorpus
from featureviz.dashboards.schema import (
    Dashboard,
    Example,
    Histogram,
    Interval,
    LogitWeights,
    NeuronCorrelation,
    NeuronWeight,
    Source,
    TokenCount,
    TokenEffect,
    TokenWeight,
)

INDEX = 1260
_D_SAE = 4096
_N_TOKENS, _N_CONTEXTS = 260_096, 2032
_WIDEST = 7.5  # of the dictionary that never was
# a text, and the activations on its words: the strongest is the one it is shown for
_TEXTS: tuple[tuple[str, dict[str, float]], ...] = (
    ("The committee said that the river had risen overnight, and that the old bridge would stay "
     "closed until the water fell again.", {" river": 2.447, " bridge": 0.62, " water": 1.91}),
    ("Beyond the last houses the stream bends, widens into a pond, and is lost among reeds.",
     {" stream": 2.31, " pond": 2.05, " reeds": 0.4}),
    ("She kept <b>notes</b> on every brook & ditch\nin the valley:\n\tdepth, width;  mud.",
     {" brook": 2.2, " ditch": 1.4, " valley": 0.21}),
    ("وقف الصياد عند النهر ينتظر القارب الذي تأخر كثيرا هذا الصباح.",
     {" النهر": 2.12, " القارب": 0.9}),
    ("הם חצו את הנהר בסירה קטנה לפני שהשמש שקעה מאחורי ההרים.", {" הנהר": 1.98, " בסירה": 0.7}),
    ("川は町の北を流れ、春には岸の桜が水面に映る。🙂", {"川": 1.86, "岸": 0.66}),
    ("Между полями течёт река, и туман над рекой держится до полудня.",
     {" река": 1.8, " рекой": 1.7}),
    ("def flow(self, rate):\n\treturn self.river.level + rate * self.bank.width",
     {"river": 1.2, "bank": 0.8}),
    ("The word for it is ناعورة, a wheel that lifts the river into the fields.",
     {" ناعورة": 1.05, " river": 0.95}),
    ("He paid at the bank, walked home along the canal, and slept.",
     {" bank": 0.3, " canal": 0.28}),
    ("The meeting about the river was moved to Thursday.", {}),
)  # fmt: skip
_SPLIT = 5  # this text's characters are cut into single bytes
_EDGES = np.linspace(0, 2.447, 51)


@dataclass(frozen=True)
class InventedCorpus(StoredCorpus):
    """The texts, as a corpus in memory."""

    @cached_property
    def pieces(self) -> list[list[bytes]]:
        """The tokens of each text, as bytes."""
        return [_tokens(number, text) for number, (text, _) in enumerate(_TEXTS)]

    @cached_property
    def vocabulary(self) -> list[bytes]:
        """Every token there is, the start token first."""
        return list(dict.fromkeys([b"<s>", *(piece for text in self.pieces for piece in text)]))

    @cached_property
    def tokens(self) -> npt.NDArray[np.int32]:
        """Token ids [n_contexts, n_ctx], padded with the start token."""
        ids = {piece: number for number, piece in enumerate(self.vocabulary)}
        rows = np.zeros((len(_TEXTS), int(max(self.lengths))), np.int32)
        for number, text in enumerate(self.pieces):
            rows[number, 1 : len(text) + 1] = [ids[piece] for piece in text]
        return rows

    @cached_property
    def lengths(self) -> npt.NDArray[np.int32]:
        """Positions of each context, the start token among them."""
        return np.array([len(text) + 1 for text in self.pieces], np.int32)

    @cached_property
    def facts(self) -> CorpusFacts:
        """What a stored corpus says of itself."""
        return CorpusFacts(
            name="invented",
            digest="0" * 64,
            n_contexts=_N_CONTEXTS,
            context_size=128,
            n_documents=_N_CONTEXTS,
            n_tokens=_N_TOKENS,
            n_positions=_N_TOKENS + _N_CONTEXTS,
            has_bos=True,
            special_ids=(0,),
            text_digest="0" * 64,
        )

    def example(self, context: int) -> Example:
        """A text held against its strongest word."""
        pieces, active = self.pieces[context], _TEXTS[context][1]
        placed = dict(_placed(pieces, active))
        peak = max(placed, key=lambda position: placed[position], default=4)
        return Example(
            context,
            peak,
            placed.get(peak, 0.0),
            tuple(placed),
            tuple(placed.values()),
            effects=tuple(_effects(pieces, peak)) if placed else (),
            sources=(Source(max(1, peak - 2), 1.31), Source(peak, 0.42), Source(1, -0.11)),
        )


@dataclass(frozen=True)
class InventedPage(LatentPage):
    """A latent's page over that corpus."""

    @classmethod
    def drawn(cls, query: Mapping[str, str], board: Dashboard | None = None) -> InventedPage:
        """The page as an address asks; of another dashboard where one is given."""
        return cls(_latent(), board or dashboard(), Switches.of(query), "")

    @cached_property
    def corpus(self) -> InventedCorpus:
        """The texts."""
        return CORPUS

    @cached_property
    def scale(self) -> Scale:
        """No other latent is there to look at."""
        return Scale(self.switches.scale, self.dashboard.max_activation, _WIDEST)


CORPUS = InventedCorpus(Path())


def dashboard() -> Dashboard:
    """A latent about rivers."""
    examples = [CORPUS.example(context) for context in range(len(_TEXTS) - 1)]
    examples.sort(key=lambda example: -example.activation)
    examples[1] = msgspec.structs.replace(examples[1], n_alike=4)
    examples[2] = msgspec.structs.replace(examples[2], alike=True)
    counts = _counts()
    silent = msgspec.structs.replace(CORPUS.example(len(_TEXTS) - 1), sources=None, effects=None)
    return Dashboard(
        index=INDEX,
        n_tokens=_N_TOKENS,
        n_active=sum(counts),
        n_contexts=_N_CONTEXTS,
        n_active_contexts=401,
        sum_activation=0.61 * sum(counts),
        sum_squared_activation=0.7 * sum(counts),
        max_activation=2.447,
        decoder_norm=1.0,
        histogram=Histogram(tuple(map(float, _EDGES)), counts),
        logits=_logits(0.0),
        top=tuple(examples),
        intervals=tuple(_intervals(examples, counts)),
        random=tuple(msgspec.structs.replace(each, repeated=True) for each in examples[3:6]),
        fires_on=_fires_on(),
        effect_threshold=0.01,
        logits_normalised=_logits(0.2),
        silent=(silent,),
        neuron_alignment=(NeuronWeight(211, -0.412, 0.0613), NeuronWeight(7, 0.305, 0.0454)),
        correlated_neurons=(NeuronCorrelation(8, 0.4321, 0.5432),),
    )


def signed() -> Dashboard:
    """The same with a negative end."""
    board = dashboard()
    edges = tuple(float(edge) for edge in np.linspace(-1.2, 0, 51))
    other = msgspec.structs.replace(
        board, max_activation=-1.2, histogram=Histogram(edges, board.histogram.counts[::-1])
    )
    return msgspec.structs.replace(board, negative=other)


def dead() -> Dashboard:
    """One that never fired."""
    return msgspec.structs.replace(
        dashboard(),
        n_active=0,
        max_activation=0.0,
        histogram=Histogram((), ()),
        intervals=(),
        fires_on=(),
    )


def _latent() -> Latent:
    model = LanguageModel(name="invented", digest="0" * 64)
    coder = Dictionary(model=model, name="words", d_sae=_D_SAE, hook="blocks.0.mlp.hook_post")
    corpus = Corpus(name="invented", n_contexts=_N_CONTEXTS, context_size=128, n_tokens=_N_TOKENS)
    run = Run(key="0" * 64, dictionary=coder, corpus=corpus, plan={"block_size": 1})
    return Latent(run=run, index=INDEX)


def _tokens(number: int, text: str) -> list[bytes]:
    if number == _SPLIT:
        return [piece for char in text for piece in _cut(char)]
    words = re.findall(r" ?\w+|\s|[^\w\s]", text)
    return [word.encode() for word in words]


def _cut(char: str) -> Iterator[bytes]:
    """A character as its first bytes and its last one."""
    content = char.encode()
    yield from (content[:-1], content[-1:]) if len(content) > 1 else (content,)


def _placed(pieces: Sequence[bytes], active: Mapping[str, float]) -> Iterator[tuple[int, float]]:
    for position, piece in enumerate(pieces, 1):
        for word, activation in active.items():
            if piece == word.encode() or (word in "川岸" and piece == word.encode()[:-1]):
                yield position, activation


def _effects(pieces: Sequence[bytes], peak: int) -> Iterator[TokenEffect]:
    """One of each strength after the peak, helped and hurt in turn."""
    ids = {piece: number for number, piece in enumerate(CORPUS.vocabulary)}
    for step, total in enumerate((1.4, -0.31, 0.09, -0.02, 0.6)):
        position = peak + 1 + step
        if position <= len(pieces):
            own = ids[pieces[position - 1]]
            risen, fallen = (TokenWeight(own, 0.21),), (TokenWeight(ids[pieces[0]], -0.12),)
            yield TokenEffect(position, total, total / 2, abs(total) / 3, risen, fallen)


def _counts() -> tuple[int, ...]:
    return tuple(max(0, round(60 * 0.88**bin_ - 0.6)) + (bin_ == 49) for bin_ in range(50))


def _intervals(examples: Iterable[Example], counts: Sequence[int]) -> Iterator[Interval]:
    every = list(examples)
    for number in range(10, 0, -1):
        lower, upper = float(_EDGES[5 * number - 5]), float(_EDGES[5 * number])
        inside = tuple(each for each in every if lower < each.activation <= upper)
        yield Interval(lower, upper, sum(counts[5 * number - 5 : 5 * number]), inside)


def _fires_on() -> tuple[TokenCount, ...]:
    ids = {piece.decode(errors="replace"): at for at, piece in enumerate(CORPUS.vocabulary)}
    found = Counter({" river": 210, " stream": 96, " النهر": 41, " הנהר": 22, " bank": 9})
    return tuple(TokenCount(ids[word], n, 2 * n, 0.8 * n) for word, n in found.most_common())


def _logits(shift: float) -> LogitWeights:
    size = len(CORPUS.vocabulary)
    values = np.sort(np.sin(np.arange(size) * 2.4) * np.linspace(0.2, 1.4, size)) + shift
    counts, edges = np.histogram(values, 50)
    up = tuple(TokenWeight(size - 1 - rank, float(values[-1 - rank])) for rank in range(10))
    down = tuple(TokenWeight(rank + 1, float(values[rank])) for rank in range(10))
    plot = Histogram(tuple(map(float, edges)), tuple(map(int, counts)))
    return LogitWeights(up, down, plot, ("centred over d_model",) if shift else ())
