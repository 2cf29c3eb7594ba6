"""Training of the demo's language models."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from featureviz.demo.model import (
    START,
    ModelTraining,
    batch_rows,
    new_model,
    train_model,
    training_loss,
)


@pytest.fixture
def tokens():
    rows = torch.randint(1, 4096, (8, 128), generator=torch.Generator().manual_seed(0))
    rows[:, 0] = START
    rows[0, 60:] = START  # padding
    return rows


def test_loss_and_gradients_are_those_of_plain_cross_entropy(tokens):
    model, plain = new_model(0), new_model(0)
    loss = training_loss(model, tokens)
    loss.backward()
    logits = plain(tokens, use_cache=False).logits[:, :-1]
    expected = cross_entropy(
        logits.flatten(0, 1), tokens[:, 1:].flatten(), ignore_index=START, reduction="mean"
    )
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-3)
    for (name, own), other in zip(model.named_parameters(), plain.parameters(), strict=True):
        same = torch.cosine_similarity(own.grad.flatten(), other.grad.flatten(), dim=0)
        assert same > 0.98, name


def test_an_epoch_sees_every_context_once():
    settings = ModelTraining(seed=3, batch=4)
    first = torch.cat([batch_rows(16, settings, step) for step in range(4)])
    second = torch.cat([batch_rows(16, settings, step) for step in range(4, 8)])
    assert sorted(first.tolist()) == list(range(16))
    assert sorted(second.tolist()) == list(range(16))
    assert first.tolist() != second.tolist()


def test_a_stopped_training_ends_as_one_that_was_not(tokens, tmp_path):
    whole = ModelTraining(seed=0, steps=4, batch=4, warmup=1, checkpoint_every=2)
    expected = train_model(tokens, whole, tmp_path / "whole.pt", print)
    stopped = tmp_path / "stopped.pt"
    with pytest.raises(IndexError):
        train_model(_Failing(tokens, after=3), whole, stopped, print)  # type: ignore[arg-type]
    assert stopped.exists()
    resumed = train_model(tokens, whole, stopped, print)
    for own, other in zip(expected.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(own, other)


class _Failing:
    """Contexts that cannot be read any more after some batches: a crash in mid-training."""

    def __init__(self, tokens, after):
        self.tokens, self.left = tokens, after

    def __len__(self):
        return len(self.tokens)

    def __getitem__(self, rows):
        if not self.left:
            raise IndexError
        self.left -= 1
        return self.tokens[rows]


def test_learning_rate_rises_then_falls_to_0():
    settings = ModelTraining(seed=0, steps=1000, warmup=100, lr=1.0)
    assert settings.lr_at(0) == pytest.approx(0.01)
    assert settings.lr_at(99) == pytest.approx(1.0)
    assert settings.lr_at(550) == pytest.approx(0.5)
    assert settings.lr_at(999) < 1e-5
