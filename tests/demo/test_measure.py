"""The demo's measurements, against hand cases and plain Python."""

import math

import pytest
import torch

from featureviz.demo import measure
from featureviz.demo.dictionary import TopK, neurons
from featureviz.demo.measure import CLASSES, LatentCounts
from featureviz.demo.model import START, contexts, new_model
from featureviz.demo.record import best_latent, pure_latents
from featureviz.demo.texts import Document
from featureviz.demo.tokenizer import END, train_tokenizer

TEXT = "def get(self): return سلام + 2049"


@pytest.fixture(scope="module")
def tokenizer():
    # Trained on ASCII alone, so every Arabic letter stays in two byte tokens.
    return train_tokenizer(["def get(self): return 2049\n" * 50])


@pytest.fixture(scope="module")
def held_out(tokenizer):
    documents = [Document("a", "code", TEXT * 20), Document("b", "catalogues", "سلام " * 30)]
    return measure.held_out_contexts(tokenizer, documents)


@pytest.fixture(scope="module")
def model():
    return new_model(0)


def test_a_byte_of_an_arabic_letter_has_the_class_of_the_letter(tokenizer):
    tokens = tokenizer.tokenize(TEXT)
    parts = measure.token_texts(tokenizer, TEXT)
    arabic = [part for part in parts if measure.token_class(part) == "arabic"]
    assert len(arabic) == 2 * len("سلام")
    assert all(len(part.strip()) == 1 for part in arabic)
    assert len(tokens) == len(parts)


@pytest.mark.parametrize(
    ("characters", "name"),
    [
        (" self", "self"),
        ("selfish", ""),
        (" 20", "digit"),
        ("語", "han"),
        (" ש", "hebrew"),
        ("", ""),
    ],
)
def test_class_of_the_characters_of_a_token(characters, name):
    assert measure.token_class(characters) == name


def test_classes_are_where_their_tokens_are(tokenizer, held_out):
    assert held_out.classes.shape == (*held_out.tokens.shape, len(CLASSES))
    selves = held_out.classes[..., CLASSES.index("self")]
    decoded = {tokenizer.decode([i]).strip() for i in held_out.tokens[selves].tolist()}
    assert decoded == {"self"}
    assert selves.sum() == 20
    assert not held_out.classes[held_out.tokens == START].any()


def test_contexts_start_with_the_start_token_and_keep_all_text(tokenizer):
    ids = tokenizer(TEXT * 30, add_special_tokens=False).input_ids
    rows = contexts(tokenizer, [TEXT * 30])
    assert tokenizer.convert_ids_to_tokens(START) == END
    assert (rows[:, 0] == START).all()
    assert rows[rows != START].tolist() == ids


def test_code_and_catalogues_are_averaged_apart(held_out):
    losses = measure.mean_loss(held_out, lambda tokens: (tokens[:, 1:] != START) * 1.0)
    assert (losses.code, losses.catalogues, losses.all) == (1, 1, 1)
    rows_of_code = {tuple(row) for row in held_out.tokens[held_out.is_code].tolist()}
    losses = measure.mean_loss(
        held_out,
        lambda tokens: torch.tensor(
            [[float(tuple(row) in rows_of_code)] * 127 for row in tokens.tolist()]
        ),
    )
    assert (losses.code, losses.catalogues) == (1, 0)
    assert 0 < losses.all < 1


def test_bigram_model_by_hand():
    ngrams = measure.fit_ngrams(torch.tensor([[0, 1, 2, 1, 2], [0, 1, 3, 0, 0]]), 4)
    unigram = [1 / 10, 4 / 10, 3 / 10, 2 / 10]  # counts 0, 3, 2, 1, one added to each
    assert ngrams.unigram.exp().tolist() == pytest.approx(unigram)
    # After 1 came 2 twice and 3 once: 2 x .75 of 3 counts goes to unigrams.
    after_1 = [0.5 * p for p in unigram]
    after_1[2] += 1.25 / 3
    after_1[3] += 0.25 / 3
    assert ngrams.bigram[1].exp().tolist() == pytest.approx(after_1)
    assert ngrams.bigram.exp().sum(1).tolist() == pytest.approx([1] * 4)
    assert ngrams.bigram_losses(torch.tensor([[1, 2]])).item() == pytest.approx(
        -math.log(after_1[2]), rel=1e-5
    )


def test_putting_neurons_back_as_they_were_changes_nothing(model, held_out):
    clean = measure.model_losses(model)(held_out.tokens)
    same = measure.model_losses(model, lambda x: x)(held_out.tokens)
    assert torch.equal(clean, same)


def test_ablation_leaves_the_start_token_alone(model, held_out):
    clean = measure.model_losses(model)(held_out.tokens)
    ablated = measure.model_losses(model, torch.zeros_like)(held_out.tokens)
    assert torch.allclose(clean[:, 0], ablated[:, 0])
    assert (clean[:, 1:] - ablated[:, 1:]).abs().max() > 1e-6


def test_neurons_are_those_of_the_model_at_text_tokens(model, held_out):
    x, counted = neurons(model, held_out.tokens)
    block = model.transformer.h[0]
    caught = []
    handle = block.mlp.c_proj.register_forward_pre_hook(
        lambda _module, inputs: caught.extend(inputs)
    )
    model(held_out.tokens, use_cache=False)
    handle.remove()
    assert torch.equal(counted, held_out.tokens != START)
    assert torch.equal(x, caught[0][counted])
    assert (x >= 0).all()


def test_counts_of_latents_agree_with_plain_python(model, held_out):
    generator = torch.Generator().manual_seed(0)
    W = torch.randn(512, 6, generator=generator)
    sae = TopK(W, torch.zeros(6), W.T / W.norm(dim=0)[:, None], torch.zeros(512), k=2)
    counts = measure.count_latents(model, sae, held_out)
    x, counted = neurons(model, held_out.tokens)
    f, member = sae.encode(x)[:, 3].double(), held_out.classes[counted][:, 0]
    assert counts.n_tokens == len(x)
    assert counts.active[3] == sum(a > 0 for a in f.tolist())
    both = sum(a > 0 and m for a, m in zip(f.tolist(), member.tolist(), strict=True))
    assert counts.share[0, 3].item() == pytest.approx(both / counts.active[3].item())
    assert counts.recall[0, 3].item() == pytest.approx(both / member.sum().item())
    pearson = torch.corrcoef(torch.stack([f, member.double()]))[0, 1].item()
    assert counts.pearson[0, 3].item() == pytest.approx(pearson, abs=1e-5)
    error = (x - sae.decode(sae.encode(x))).square().sum()
    assert counts.fvu == pytest.approx((error / (x - x.mean(0)).square().sum()).item(), rel=1e-4)


def counts_of(active: list[int], in_class: list[int]) -> LatentCounts:
    on = torch.tensor(active).double()
    in_each = torch.zeros(len(CLASSES), len(active)).double()
    in_each[0] = torch.tensor(in_class)
    zeros = torch.zeros_like(on)
    return LatentCounts(9999, on, in_each, zeros, in_each, zeros, in_each.sum(1), 0.1)


def test_the_purest_latent_that_is_active_enough_is_chosen():
    counts = counts_of(active=[99, 100, 500, 500], in_class=[99, 90, 460, 100])
    assert best_latent(counts, CLASSES[0], 100) == 2
    assert pure_latents(counts, CLASSES[0], 100) == [2, 1]


def test_of_equally_pure_latents_the_one_with_more_tokens_is_chosen():
    assert best_latent(counts_of([100, 200], [100, 200]), CLASSES[0], 100) == 1
