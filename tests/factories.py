"""A small published run, written through the real store: every script, every trap of display."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from django.conf import settings
from django.utils import timezone

from featureviz.catalog.glances import glance
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
    TokenCount,
    TokenWeight,
)
from featureviz.dashboards.store import write_pack
from featureviz.dashboards.text import readable

START = b"<|start|>"
TEXTS = (
    "She gave him something to eat, and something else happened.",
    "The <script>alert('no')</script> tag & \"quotes\" stay text.",
    "One line\nand another,\tafter a tab;  two blanks.\n\nThe end.",
    "وقال الوزير إن الحكومة ستقدم مشروع القانون إلى البرلمان غدا.",
    "שר האוצר אמר כי הממשלה תגיש את הצעת החוק לכנסת מחר.",
    "全ての人間は、生まれながらにして自由であり 🙂👩‍🚀 かつ平等である。",
    "Всички хора се раждат свободни и равни по достойнство.",
    "Mixed: the word كتاب means book; ספר means book too.",
    "def visit(self, node):\n\treturn [self.walk(child) for child in node]",
)
SPLIT = 5  # the text whose characters are cut into single bytes
CONTEXT_SIZE = 128
BLOCK_SIZE = 4


@dataclass(frozen=True)
class Text:
    """Texts as tokens: words with their leading blank, or bytes."""

    vocabulary: list[bytes]
    rows: list[list[int]]

    def find(self, context: int, word: str) -> int:
        """The position in a context of the first token that holds a word."""
        row = self.rows[context]
        return next(at for at, token in enumerate(row) if word.encode() in self.vocabulary[token])


def tokenised(texts: Sequence[str]) -> Text:
    """Split at blanks; the text numbered SPLIT into bytes, as a byte-level tokenizer may."""
    vocabulary: dict[bytes, int] = {START: 0}
    rows = []
    for number, text in enumerate(texts):
        pieces = _bytes(text) if number == SPLIT else _words(text)
        ids = [vocabulary.setdefault(piece, len(vocabulary)) for piece in pieces]
        rows.append([0, *ids][:CONTEXT_SIZE])
    return Text(list(vocabulary), rows)


def make_run(
    *,
    model: str = "demo",
    dictionary: str = "sae",
    n_latents: int = 8,
    published: bool = True,
    texts: Sequence[str] = TEXTS,
) -> Run:
    """A run and all its files; its last latent is dead, the one before it fires twice."""
    text = tokenised(texts)
    subject, _ = LanguageModel.objects.get_or_create(
        name=model,
        defaults={
            "source": model,
            "digest": "a" * 64,
            "architecture": "GPT2",
            "n_layers": 1,
            "d_model": 128,
            "d_vocab": len(text.vocabulary),
        },
    )
    coder, _ = Dictionary.objects.get_or_create(
        model=subject,
        name=dictionary,
        defaults={
            "source": dictionary,
            "digest": "b" * 64,
            "architecture": "topk",
            "hook": "blocks.0.mlp.hook_post",
            "d_in": 512,
            "d_sae": n_latents,
        },
    )
    run = Run.objects.create(
        key=f"{subject.pk:032d}{coder.pk:031d}{coder.runs.count()}",
        dictionary=coder,
        corpus=make_corpus(text),
        plan={"block_size": BLOCK_SIZE, "seed": 0},
        provenance={"versions": {"torch": "2.8.0"}},
        state=Run.State.DONE if published else Run.State.RUNNING,
    )
    write_latents(run, text, n_latents)
    if published:
        run.published_at = timezone.now()
        run.save()
    return run


def make_corpus(text: Text) -> Corpus:
    """The corpus's row and its folder."""
    digest = f"{abs(hash(tuple(map(tuple, text.rows)))):064d}"
    facts = write_corpus_of(Path(settings.FEATUREVIZ_STORE) / "corpora" / digest, text).facts
    corpus, _ = Corpus.objects.get_or_create(
        digest=digest,
        defaults={
            "name": facts.name,
            "n_contexts": facts.n_contexts,
            "context_size": CONTEXT_SIZE,
            "n_tokens": facts.n_tokens,
        },
    )
    return corpus


def write_corpus_of(folder: Path, text: Text) -> StoredCorpus:
    """A corpus's folder, named by its digest."""
    n_tokens = sum(len(row) - 1 for row in text.rows)
    facts = CorpusFacts(
        name="texts.jsonl",
        digest=folder.name,
        n_contexts=len(text.rows),
        context_size=CONTEXT_SIZE,
        n_documents=len(text.rows),
        n_tokens=n_tokens,
        n_positions=n_tokens + len(text.rows),
        has_bos=True,
        special_ids=(0,),
        text_digest="c" * 64,
    )
    write_corpus(folder, facts, text)
    return StoredCorpus(folder)


def write_corpus(folder: Path, facts: CorpusFacts, text: Text) -> None:
    """The arrays of a corpus."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = np.zeros((facts.n_contexts, CONTEXT_SIZE), np.int32)
    lengths = np.array([len(row) for row in text.rows], np.int32)
    for number, row in enumerate(text.rows):
        tokens[number, : len(row)] = row
    places = np.arange(CONTEXT_SIZE)
    np.save(folder / "tokens.npy", tokens)
    np.save(folder / "counted.npy", (places > 0) & (places < lengths[:, None]))
    np.save(folder / "lengths.npy", lengths)
    np.save(folder / "documents.npy", np.arange(facts.n_contexts, dtype=np.int32))
    (folder / "vocabulary.msgpack").write_bytes(msgspec.msgpack.encode(text.vocabulary))
    (folder / "corpus.json").write_bytes(msgspec.json.encode(facts))


def write_latents(run: Run, text: Text, n_latents: int) -> None:
    """The packs of a run and the rows of its latents."""
    boards = [make_dashboard(index, text, n_latents) for index in range(n_latents)]
    for block in range(0, n_latents, BLOCK_SIZE):
        path = run.folder / "blocks" / f"{block // BLOCK_SIZE:05d}.pack"
        write_pack(path, boards[block : block + BLOCK_SIZE])
    Latent.objects.bulk_create(make_latent(run, board, text) for board in boards)


def make_latent(run: Run, board: Dashboard, text: Text) -> Latent:
    """The row of a dashboard."""
    first = board.fires_on[0] if board.fires_on else None
    return Latent(
        run=run,
        index=board.index,
        n_active=board.n_active,
        density=board.density,
        max_activation=board.max_activation,
        mean_activation=board.mean_activation,
        top_token=readable(text.vocabulary[first.token]) if first else "",
        top_share=first.n_active / board.n_active if first else 0.0,
        promoted_token=readable(text.vocabulary[board.shown_logits.top[0].token]),
        promoted_weight=board.shown_logits.top[0].value,
        **glance(board, lambda token: readable(text.vocabulary[token])),
    )


def make_dashboard(index: int, text: Text, n_latents: int) -> Dashboard:
    """A latent that fires on some tokens of every context; the last one never does."""
    fires = _activations(index, text, n_latents)
    values = [value for _, _, value in fires]
    top = max(values, default=0.0)
    examples = _examples(fires)
    counts = _counts(fires, text)
    edges = tuple(float(edge) for edge in np.linspace(0, top, 51)) if fires else ()
    return Dashboard(
        index=index,
        n_tokens=sum(len(row) - 1 for row in text.rows),
        n_active=len(fires),
        n_contexts=len(text.rows),
        n_active_contexts=len(examples),
        sum_activation=float(sum(values)),
        sum_squared_activation=float(sum(value**2 for value in values)),
        max_activation=top,
        decoder_norm=1.0,
        histogram=Histogram(edges=edges, counts=_binned(values, edges)),
        logits=_logits(len(text.vocabulary)),
        top=tuple(examples[:20]),
        intervals=tuple(_intervals(fires, top)),
        random=tuple(msgspec.structs.replace(example, repeated=True) for example in examples[:5]),
        fires_on=counts,
        logits_normalised=_normalised(_logits(len(text.vocabulary))),
        silent=_silent(text) if fires else (),
        neuron_alignment=(
            NeuronWeight(211, -0.412, 0.0613),
            NeuronWeight(7, 0.305, 0.0454),
            NeuronWeight(98, -0.299, 0.0445),
        ),
        correlated_neurons=_correlated() if fires else (),
    )


def _activations(index: int, text: Text, n_latents: int) -> list[tuple[int, int, float]]:
    """(context, position, activation) in corpus order."""
    if index == n_latents - 1:
        return []
    if index == n_latents - 2:
        return [(0, 4, 0.002), (1, 2, 0.001)]
    random = np.random.default_rng(index)
    found = []
    for context, row in enumerate(text.rows):
        for position in range(1, len(row)):
            if position == 4 or random.random() < 0.2:
                found.append(
                    (context, position, float(random.uniform(0.01, 0.5) + (position == 4) * 2))
                )
    return found


def _examples(fires: list[tuple[int, int, float]]) -> list[Example]:
    contexts: dict[int, list[tuple[int, float]]] = {}
    for context, position, value in fires:
        contexts.setdefault(context, []).append((position, value))
    found = [_example(context, places) for context, places in contexts.items()]
    return sorted(found, key=lambda example: -example.activation)


def _example(context: int, places: list[tuple[int, float]], at: int | None = None) -> Example:
    position, value = max(places, key=lambda place: (place[0] == at, place[1]))
    return Example(
        context=context,
        position=position,
        activation=value,
        positions=tuple(place for place, _ in places),
        activations=tuple(value for _, value in places),
        n_alike=4 if context == 0 else 1,
    )


def _intervals(fires: list[tuple[int, int, float]], top: float) -> list[Interval]:
    found = []
    for number in range(10 if fires else 0, 0, -1):
        lower, upper = top * (number - 1) / 10, top * number / 10
        inside = [fire for fire in fires if lower < fire[2] <= (top if number == 10 else upper)]
        examples = []
        for context, position, _ in inside[:5]:
            places = [(place, value) for c, place, value in fires if c == context]
            examples.append(_example(context, places, at=position))
        examples.sort(key=lambda example: -example.activation)
        found.append(Interval(lower, upper, len(inside), tuple(examples)))
    return found


def _binned(values: Sequence[float], edges: Sequence[float]) -> tuple[int, ...]:
    if not edges:
        return ()
    bins = np.clip(np.searchsorted(edges, values, side="left") - 1, 0, len(edges) - 2)
    return tuple(int(count) for count in np.bincount(bins, minlength=len(edges) - 1))


def _counts(fires: list[tuple[int, int, float]], text: Text) -> tuple[TokenCount, ...]:
    flat = [token for row in text.rows for token in row[1:]]
    totals: dict[int, list[float]] = {}
    for context, position, value in fires:
        totals.setdefault(text.rows[context][position], []).append(value)
    ranked = sorted(totals.items(), key=lambda item: (-len(item[1]), item[0]))
    return tuple(
        TokenCount(token=token, n_active=len(values), n_tokens=flat.count(token), total=sum(values))
        for token, values in ranked[:20]
    )


def _logits(d_vocab: int) -> LogitWeights:
    weights = np.random.default_rng(7).normal(size=d_vocab)
    order = np.argsort(weights)
    counts, edges = np.histogram(weights, bins=50)
    return LogitWeights(
        top=tuple(TokenWeight(int(token), float(weights[token])) for token in order[::-1][:10]),
        bottom=tuple(TokenWeight(int(token), float(weights[token])) for token in order[:10]),
        histogram=Histogram(tuple(map(float, edges)), tuple(map(int, counts))),
        steps=(),
    )


def _normalised(logits: LogitWeights) -> LogitWeights:
    """Another form: everything moved, so that no number is that of the first."""

    def moved(rows: Sequence[TokenWeight]) -> tuple[TokenWeight, ...]:
        return tuple(TokenWeight(row.token, row.value + 10) for row in rows)

    edges = tuple(edge + 10 for edge in logits.histogram.edges)
    return LogitWeights(
        top=moved(logits.top),
        bottom=moved(logits.bottom),
        histogram=Histogram(edges, logits.histogram.counts),
        steps=("final norm's weight folded in", "median over the vocabulary at 0"),
    )


def _silent(text: Text) -> tuple[Example, ...]:
    """A latin, a split and an Arabic one, as if the latent did not fire there."""
    return tuple(
        Example(context, position, 0.0, (), ())
        for context, position in ((0, 4), (SPLIT, 9), (3, 4))
        if position < len(text.rows[context])
    )


def _correlated() -> tuple[NeuronCorrelation, ...]:
    return (
        NeuronCorrelation(8, 0.4321, 0.5432),
        NeuronCorrelation(211, 0.1023, 0.2034),
        NeuronCorrelation(5, -0.0512, 0.0613),
    )


def _words(text: str) -> list[bytes]:
    pieces = text.split(" ")
    return [piece.encode() for piece in [pieces[0], *(f" {piece}" for piece in pieces[1:])]]


def _bytes(text: str) -> list[bytes]:
    return [bytes([byte]) for byte in text.encode()]
