"""Logit weights in both forms, and directions go where the model writes them."""

import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from featureviz.engine.effects import (
    CENTRED,
    FOLDED,
    SHIFTED,
    logit_weights,
    normalised_logit_weights,
)
from featureviz.engine.final_norm import FinalNorm, final_norm
from featureviz.engine.subject import load_subject


def shown(entries):
    return [(entry.token, entry.value) for entry in entries]


def test_the_raw_case_of_the_methods_comes_out():
    W_U = torch.tensor([[1.0, 0, -1], [0, 1, 1]])
    (found,) = logit_weights(torch.tensor([[1.0, 2.0]]), W_U)
    assert shown(found.top)[0] == (1, 2)
    assert {value for _, value in shown(found.top)[1:]} == {1}
    assert {token for token, _ in shown(found.top)} == {0, 1, 2}
    assert shown(found.bottom)[-1] == (1, 2)
    assert found.steps == ()


@pytest.mark.parametrize("d_vocab", [1, 2, 9, 10, 11, 300])
def test_the_ten_largest_and_smallest_are_shown_fewer_of_a_small_vocabulary(d_vocab):
    generator = torch.Generator().manual_seed(d_vocab)
    directions = torch.randn(3, 4, generator=generator)
    W_U = torch.randn(4, d_vocab, generator=generator)
    for row, found in enumerate(logit_weights(directions, W_U)):
        weights = [
            sum(float(directions[row, i]) * float(W_U[i, token]) for i in range(4))
            for token in range(d_vocab)
        ]
        largest = sorted(range(d_vocab), key=lambda token: -weights[token])[:10]
        smallest = sorted(range(d_vocab), key=lambda token: weights[token])[:10]
        for entries, expected in [(found.top, largest), (found.bottom, smallest)]:
            assert [entry.token for entry in entries] == expected
            values = [entry.value for entry in entries]
            assert values == pytest.approx([weights[token] for token in expected], abs=1e-5)


@pytest.mark.parametrize("d_vocab", [1, 2, 51, 300])
def test_the_histogram_holds_the_whole_vocabulary_between_its_extremes(d_vocab):
    generator = torch.Generator().manual_seed(1)
    found = logit_weights(
        torch.randn(5, 4, generator=generator), torch.randn(4, d_vocab, generator=generator)
    )
    for one in found:
        edges, counts = one.histogram.edges, one.histogram.counts
        assert sum(counts) == d_vocab
        assert len(edges) == len(counts) + 1
        assert list(edges) == sorted(edges)
        assert (edges[0], edges[-1]) == (one.bottom[0].value, one.top[0].value)
        assert len(counts) == (1 if d_vocab == 1 else 50)


def test_a_direction_that_writes_nothing_has_one_bin():
    (found,) = logit_weights(torch.zeros(1, 4), torch.ones(4, 7))
    assert found.histogram.counts == (7,)
    assert found.histogram.edges == (0, 0)


# Normalised: as METHODS names the steps, worked by hand


@pytest.mark.parametrize(
    ("centres", "weight", "before_shift", "steps"),
    [
        (False, None, [1, 2, 1], (SHIFTED,)),
        (False, [2, 1], [2, 2, 0], (FOLDED, SHIFTED)),
        (True, None, [-0.5, 0.5, 1], (CENTRED, SHIFTED)),
        (True, [2, 1], [-1, 0.5, 1.5], (CENTRED, FOLDED, SHIFTED)),
    ],
)
def test_the_worked_cases_of_normalised_weights_come_out(centres, weight, before_shift, steps):
    W_U = torch.tensor([[1.0, 0, -1], [0, 1, 1]])
    norm = FinalNorm(centres, None if weight is None else torch.tensor(weight, dtype=torch.float))
    (found,) = normalised_logit_weights(torch.tensor([[1.0, 2.0]]), W_U, norm)
    median = sorted(before_shift)[1]
    expected = {token: value - median for token, value in enumerate(before_shift)}
    assert dict(shown(found.top)) == dict(shown(found.bottom)) == pytest.approx(expected)
    assert found.steps == steps


def test_of_an_even_vocabulary_the_median_lies_between_the_middle_two():
    W_U = torch.tensor([[0.0, 1, 5, 100]])
    (found,) = normalised_logit_weights(torch.ones(1, 1), W_U, FinalNorm(False, None))
    assert shown(found.top) == [(3, 97), (2, 2), (1, -2), (0, -3)]


@pytest.mark.parametrize("d_vocab", [1, 2, 51, 300])
def test_the_normalised_histogram_has_its_median_at_0_and_its_extremes_at_its_ends(d_vocab):
    generator = torch.Generator().manual_seed(1)
    directions = torch.randn(5, 4, generator=generator)
    W_U = torch.randn(4, d_vocab, generator=generator) + 3
    norm = FinalNorm(True, torch.rand(4, generator=generator))
    for one in normalised_logit_weights(directions, W_U, norm):
        edges, counts = one.histogram.edges, one.histogram.counts
        assert sum(counts) == d_vocab
        assert (edges[0], edges[-1]) == (one.bottom[0].value, one.top[0].value)
        assert edges[0] <= 0 <= edges[-1]


def test_adding_the_same_to_every_logit_changes_no_normalised_weight():
    generator = torch.Generator().manual_seed(2)
    directions, W_U = (
        torch.randn(3, 4, generator=generator),
        torch.randn(4, 31, generator=generator),
    )
    norm = FinalNorm(True, torch.rand(4, generator=generator))
    plain = normalised_logit_weights(directions, W_U, norm)
    centred = normalised_logit_weights(directions, W_U - W_U.mean(1, keepdim=True), norm)
    for one, other in zip(plain, centred, strict=True):
        assert [token for token, _ in shown(one.top)] == [token for token, _ in shown(other.top)]
        values = [value for _, value in shown(other.top)]
        assert [value for _, value in shown(one.top)] == pytest.approx(values, abs=1e-5)


@pytest.fixture(params=["layer norm", "rms norm"])
def normed(request, model_folder, tmp_path):
    """A model whose final norm has a weight of its own, and what takes its mean away."""
    if request.param == "rms norm":
        folder = request.getfixturevalue("shared_data") / "lm-stories260k"
        return load_subject(str(folder)), lambda x: x
    folder = shutil.copytree(model_folder, tmp_path / "model")
    tensors = load_file(folder / "model.safetensors")
    generator = torch.Generator().manual_seed(3)
    for name in ("weight", "bias"):
        tensors[f"transformer.ln_f.{name}"] = torch.randn(32, generator=generator)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return load_subject(str(folder)), lambda x: x - x.mean()


def test_they_are_what_the_real_norm_and_unembedding_do_to_a_push_but_for_the_tokens_scale(normed):
    subject, centred = normed
    module = subject.final_norm
    bias = getattr(module, "bias", None)
    generator = torch.Generator().manual_seed(4)
    x, push = torch.randn(2, subject.facts.d_model, generator=generator).mul(30)

    @torch.inference_mode()
    def unscaled(residual):
        scale = centred(residual.double()).square().mean().sqrt()
        normal = module(residual[None])[0].double() - (0 if bias is None else bias.double())
        return normal * scale @ subject.W_U.double()

    moved = (unscaled(x + push) - unscaled(x)).numpy()
    moved -= np.median(moved)
    (found,) = normalised_logit_weights(push[None], subject.W_U, final_norm(subject))
    order = np.argsort(-moved)
    values = [value for _, value in shown(found.top)]
    assert values == pytest.approx(moved[order[:10]], rel=1e-3, abs=1e-3)
    lowest = [value for _, value in shown(found.bottom)]
    assert lowest == pytest.approx(moved[order[::-1][:10]], rel=1e-3, abs=1e-3)


def tiny(model_folder, _):
    return load_subject(str(model_folder)), 1


def shared(_, request):
    return load_subject(str(request.getfixturevalue("shared_data") / "lm-stories260k")), 2


MODELS = pytest.mark.parametrize("model", [tiny, shared])


def output_with(subject, tokens, hook, change, out):
    """What `out` carries when a change is added at `hook`."""
    kept = []

    def add(value, hook=None):
        return value + change.reshape(value.shape[2:])

    def keep(value, hook=None):
        kept.append(value.clone())

    hooks = [(hook, add), (out, keep)]
    with torch.inference_mode():
        subject.bridge.run_with_hooks(tokens, return_type=None, fwd_hooks=hooks)
    return kept[0]


@MODELS
@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        ("mlp.hook_post", "hook_mlp_out"),
        ("attn.hook_z", "hook_attn_out"),
        ("hook_mlp_out", "hook_mlp_out"),
        ("hook_attn_out", "hook_attn_out"),
        ("hook_resid_pre", "hook_resid_pre"),
        ("hook_resid_mid", "hook_resid_mid"),
        ("hook_resid_post", "hook_resid_post"),
    ],
)
def test_a_push_along_a_direction_changes_what_the_layer_writes_by_its_residual_direction(
    model, inner, outer, model_folder, request
):
    subject, layer = model(model_folder, request)
    hook, out = f"blocks.{layer}.{inner}", f"blocks.{layer}.{outer}"
    tokens = torch.arange(5, 17).view(2, 6)
    d_in = subject.activations(tokens, hook).shape[-1]
    direction = torch.randn(d_in, generator=torch.Generator().manual_seed(0))
    written = subject.to_residual(hook)(direction[None])[0]
    assert written.shape == (subject.facts.d_model,)
    assert written.norm() > 0.1
    if inner == outer:
        assert torch.equal(written, direction)
        return
    before = output_with(subject, tokens, hook, torch.zeros(d_in), out)
    after = output_with(subject, tokens, hook, 0.5 * direction, out)
    torch.testing.assert_close(
        after - before, (0.5 * written).expand_as(before), atol=1e-4, rtol=1e-4
    )


@MODELS
@pytest.mark.parametrize(
    "inner", ["attn.hook_q", "attn.hook_pattern", "mlp.hook_pre", "ln1.hook_scale"]
)
def test_where_a_direction_writes_nothing_linearly_there_is_no_residual_direction(
    model, inner, model_folder, request
):
    subject, layer = model(model_folder, request)
    assert subject.to_residual(f"blocks.{layer}.{inner}") is None


@MODELS
def test_logit_weights_are_what_a_push_adds_to_the_logits_without_the_final_norm(
    model, model_folder, request
):
    subject, _ = model(model_folder, request)
    direction = torch.randn(1, subject.facts.d_model, generator=torch.Generator().manual_seed(0))
    (found,) = logit_weights(direction, subject.W_U)
    head = subject.bridge.original_model.lm_head.weight.detach()
    expected = (direction @ head.T)[0]
    assert len(found.top) == 10
    for entry in (*found.top, *found.bottom):
        assert entry.value == pytest.approx(float(expected[entry.token]), abs=1e-5)
    assert found.top[0].value == pytest.approx(float(expected.max()), abs=1e-5)
    assert np.isclose(found.bottom[0].value, float(expected.min()), atol=1e-5)
